"""The forecasters' snippets of the users' document run as they are written, one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.forecasters.folder import load_forecaster
from tests.test_documents import FORECASTS, IMPORTS, Words, snippets

OPEN_ENDED = "fetcher.fetch('BTC/USDT', '1m', ...)"
FETCHED = "fetcher.fetch('BTC/USDT', '1m', '2025-05-01T00:00Z', '2025-05-08T00:00Z')"
"""What a snippet leaves open: a week."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("TIDEWHEEL_SOURCE", "simulated:seed=5")
        patch.setenv("MPLBACKEND", "agg")
        yield place


@pytest.fixture(scope="module")
def words(home: Path) -> Words:
    return {"np": np}


def typed(heading: str, words: Words) -> Words:
    code = snippets("004")[heading].replace(OPEN_ENDED, FETCHED)
    for theirs, ours in IMPORTS.items():
        code = code.replace(theirs, ours)
    exec(compile(code, heading, "exec"), words)
    return words


def columns_of(frame: Any, *families: str) -> bool:
    return set(frame) >= {f"predicted_{f}_{k}" for f in families for k in range(1, 301)}


def test_every_snippet_of_the_forecasters_is_here() -> None:
    here = Path(__file__).read_text()
    assert all(f'"{heading}"' in here for heading in FORECASTS.values())


def test_autoregressive(words: Words, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for heading in ("Autoregressive: Initialization", "Autoregressive: Training"):
        typed(heading, words)
    assert len(words["train_data"]) == pytest.approx(43_200 * 0.8, abs=2)
    said = capsys.readouterr().out
    assert re.search(r"^Val R²: -?0\.0\d\d\d$", said, re.MULTILINE)  # returns: near nought
    typed("Autoregressive: Prediction", words)
    predictions = words["predictions"]
    assert len(predictions) == 1
    assert columns_of(predictions, "price", "return")
    assert predictions.index[0] == words["test_data"].index[-1]
    typed("Save Model", words)
    assert (home / "models/BTC_USDT_1m_300steps/autoregressive_model.txt").exists()


def test_multi_ohlc(words: Words, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words["df"] = words["df"].iloc[-10_080:]  # a week: what one core does in a second or two
    for heading in ("Multi-OHLC: Initialization", "Multi-OHLC: Training"):
        typed(heading, words)
    assert capsys.readouterr().out.count("Val R²") == 4
    typed("Multi-OHLC: Prediction", words)
    assert columns_of(words["predictions"], "open", "high", "low", "close", "return")
    typed("Save Model", words)
    there = {p.parent.name for p in home.glob("models/*multi_ohlc/*/autoregressive_model.txt")}
    assert there == {"open", "high", "low", "close"}


def test_comparison(words: Words, capsys: pytest.CaptureFixture[str]) -> None:
    typed("Example 2: Compare Model Types", words)
    assert "x longer for Multi-OHLC" in capsys.readouterr().out
    assert words["metrics_multi"]["close"]["val"]["rows"] > 500


def test_save_and_load(words: Words, home: Path) -> None:
    words["auto_predictor"].save("./models/BTC_USDT_1m_300steps")
    words["multi_predictor"].save("./models/BTC_USDT_1m_300steps_multi_ohlc")
    typed("Load Model", words)
    before = words["multi_predictor"].predict(words["test_data"])
    assert words["predictor"].predict(words["test_data"]).equals(before)
    typed("Config Structure", words)
    config = json.loads((home / "models/BTC_USDT_1m_300steps/config.json").read_text())
    wanted = {
        "predictor_type", "n_steps_ahead", "lookback_periods", "feature_names",
        "training_metrics", "trained_at", "symbol", "timeframe",
    }  # fmt: skip
    assert wanted <= set(config)
    assert set(config["training_metrics"]) == {"train_r2", "val_r2", "train_rmse", "val_rmse"}
    assert load_forecaster(home / "models/BTC_USDT_1m_300steps").type == "autoregressive"


def test_importances(words: Words, home: Path) -> None:
    typed("Example 3: Feature Importance Analysis", words)
    assert (home / "feature_importance.png").stat().st_size > 5000
    assert len(words["importances"]) == len(words["feature_names"])


@pytest.mark.parametrize("heading", ["Low Validation R²", "Model Overfitting"])
def test_advice(words: Words, heading: str) -> None:
    typed(heading, words)
    if heading == "Low Validation R²":
        assert words["predictor"].model_params["num_leaves"] == 15
    else:
        given = dict(words["model_params"])
        assert given["lambda_l1"] == 0.1
