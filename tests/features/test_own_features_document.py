"""What docs/own_features.md shows runs, and its table of refusals is what the probe says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from features import own
from features.foreign.library import indicators
from features.foreign.survey import Surveyed, survey

DOCUMENT = Path(__file__).parents[2] / "docs" / "own_features.md"
TEXT = DOCUMENT.read_text()
NEVER, HOLES, FUTURE, OTHERS = range(4)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    for name in own.names():
        own.remove(name)


def test_its_snippets_run(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path))
    snippets = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(snippets) == 5
    file = tmp_path / "snippets.py"
    file.write_text("\n".join(snippets))
    space: dict = {}
    exec(compile(file.read_text(), str(file), "exec"), space)
    said = capsys.readouterr().out
    assert "looks ahead" in said
    assert "–" in said
    assert "['ta:kst.KST', 'ta:kst.KSTs']" in said
    assert list(space["frame"].columns) == ["sentiment_ema_12", "btc_lag_return_1", "return_1"]
    assert np.isfinite(space["frame"]).all(axis=None)


def refused() -> list[dict[str, list[str]]]:
    """Return the rows of the table: refused columns by indicator, none listed for all of them."""
    table = re.search(r"<!-- refused -->(.*?)<!-- /refused -->", TEXT, re.DOTALL)[1]
    rows = []
    for line in table.strip().splitlines()[2:]:
        named: dict[str, list[str]] = {}
        for part in line.split("|")[1].split(";"):
            indicator, _, columns = part.partition(":")
            if columns:
                named[indicator.strip(" `")] = [column.strip() for column in columns.split(",")]
            else:
                named |= {name.strip(): [] for name in part.split(",")}
        rows.append(named)
    return rows


def agree(found: Surveyed, rows: list[dict[str, list[str]]]) -> None:
    words = {NEVER: "never settles", HOLES: "holes", FUTURE: "without what comes later",
             OTHERS: "column"}  # fmt: skip
    listed = [(row, named[found.name]) for row, named in enumerate(rows) if found.name in named]
    assert len(listed) == (1 if found.refused else 0), (found.name, found.refused)
    for row, columns in listed:
        assert all(words[row] in reason for reason in found.refused.values()), found
        assert bool(found.kept) == bool(columns), found
        assert columns in ([], list(found.refused)), found


def test_what_it_says_is_refused_is_refused_for_that_reason() -> None:
    rows = refused()
    names = [name for row in rows for name in row]
    assert len(names) == len(set(names)) == 26
    for found in survey([name for name in names if name != "qqe"]):
        agree(found, rows)


@pytest.mark.slow
def test_every_indicator_of_the_library_is_as_it_says() -> None:
    rows, every = refused(), list(survey())
    for found in every:
        agree(found, rows)
        assert found.exact
    kept = [one for one in every if one.kept]
    columns, free = (sum(len(getattr(one, f)) for one in every) for f in ("kept", "scale_free"))
    assert f"Of its {len(indicators())} indicators {len(kept)} may be used" in TEXT
    assert f"{columns} columns, {free} of them free of units" in TEXT
    gaps = sorted(one.name for one in every if one.gaps)
    (said,) = re.findall(r"^(.*) have no value where nothing moves", TEXT, re.MULTILINE)
    assert sorted(re.split(r", | and ", said)) == gaps
