# Every target sets itself up: the virtual environment is made on first use and again when the pins change.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
ORACLES ?= .venv-oracles
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# One thread a fit and passive waiting: parallelism is across fits (docs/operations.md).
export OMP_NUM_THREADS := 1
export OMP_WAIT_POLICY := PASSIVE

.PHONY: help cycle up test lint types imports unit slow oracles docs bench bench-features bench-serve bench-forecast bench-backtest bench-api format clean
help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 16

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Tidewheel needs Python 3.11; pass another one with: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

cycle: $(READY) ## one whole turn on the simulated market, in ./var
	$(BIN)/tidewheel cycle

up: $(READY)     ## Prefect UI, MLflow UI, worker and schedule on loopback
	$(BIN)/tidewheel up

test: lint types imports unit ## all that CI runs

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

unit: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile

slow: $(READY)   ## the tests that take minutes
	$(BIN)/pytest -m slow

# The house's own environment, seen through a path file, and the other backtest libraries on top.
$(ORACLES)/.ready: $(READY)
	$(BIN)/python -m venv $(ORACLES)
	site='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	$(BIN)/python -c "$$site" > "$$($(ORACLES)/bin/python -c "$$site")/house.pth"
	$(ORACLES)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[oracles]'
	@touch $@

oracles: $(ORACLES)/.ready ## the backtest and its figures against vectorbt, backtesting.py, empyrical, quantstats
	$(ORACLES)/bin/python -m pytest tests/oracles -rs

docs: $(READY)   ## the tables of docs/features.md, from the catalogue
	$(BIN)/python -m features.document docs/features.md

bench: $(READY)  ## the turn against the bare library fits, side by side
	$(BIN)/python -m bench.cycle

bench-features: $(READY) ## the feature engine beside other libraries
	$(BIN)/python -m bench.features

bench-serve: $(READY)    ## one closed bar to five predictions, beside others
	$(BIN)/python -m bench.serve

bench-forecast: $(READY) ## 300 bars ahead: time, training, worth
	$(BIN)/python -m bench.forecast

bench-backtest: $(READY) ## bars a second of a backtest, beside vectorbt and backtesting.py where `make oracles` was run
	$(BIN)/python -m bench.backtest --oracles $(ORACLES)/bin/python

bench-api: $(READY) ## 60 s of mixed load by two clients on the REST API
	$(BIN)/python -m bench.api

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:           ## remove what was built; ./var (your data and models) stays
	rm -rf $(VENV) $(ORACLES) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
