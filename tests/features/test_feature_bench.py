"""The benchmark compares like with like, and says so when it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.features import report
from bench.features.agreement import check, differences
from bench.features.clock import in_turn, step_by_step
from bench.features.contestants import (
    arrays,
    for_indicators,
    for_moving,
    for_rolling,
    plain,
)
from bench.features.market import bare, candles, pushable
from bench.features.picture import draw
from bench.features.sets import INDICATORS, SEEDS
from bench.features.streams import Streams
from features.catalogue import FEATURES
from features.program import FeatureProgram
from tests.features.walks import walk

CANDLES = walk(3200, seed=61)
EVERYONE = [*for_indicators(), *for_moving(), *for_rolling(), plain(SEEDS)]


@pytest.mark.parametrize("contestant", EVERYONE, ids=lambda c: f"{c.name}-{len(c.columns)}")
@pytest.mark.filterwarnings("ignore")  # what other libraries say about themselves
def test_contestants_compute_the_same_numbers(contestant) -> None:
    assert differences(contestant, CANDLES) == []


def test_another_number_ends_the_run() -> None:
    sound = plain(("rsi_14", "sma_20"))
    wrong = replace(sound, compute=lambda given: {**sound.compute(given), "sma_20": given["close"]})
    late = replace(sound, compute=lambda given: sound.compute(given.iloc[:-1]))
    assert "sma_20 differs" in differences(wrong, CANDLES)[0]
    assert len(differences(late, CANDLES)) == 2
    with pytest.raises(SystemExit, match="sma_20 differs in"):
        check([sound, wrong], CANDLES)


def test_stream_handles_are_of_the_same_indicators() -> None:
    start = 3000
    streams, program = Streams(arrays(CANDLES.iloc[:start])), FeatureProgram(INDICATORS)
    program.replay(CANDLES.iloc[:start])
    for bar in pushable(CANDLES.iloc[start:], ()):
        ours, theirs = program.push(bar), streams.push(bar)
        flat = [x for y in theirs for x in (y if isinstance(y, tuple) else (y,))]
    assert sorted(flat) == pytest.approx(sorted(ours.tolist()), rel=1e-5)
    assert len(streams.copies()) == len(theirs)


def test_every_set_is_in_the_catalogue_and_can_be_measured_on_the_candles() -> None:
    given = candles(600)
    assert set(SEEDS) <= set(FEATURES)
    program = FeatureProgram(FEATURES)
    assert given["sentiment"].isna().any()
    last = [program.push(bar) for bar in pushable(given, program.inputs)][-1]
    np.testing.assert_array_equal(last, program.run(given)[-1])
    assert list(bare(given).columns) == ["open", "high", "low", "close", "volume"]


def test_contestants_take_turns() -> None:
    order: list[str] = []
    works = {name: lambda name=name: order.append(name) for name in ("ours", "theirs")}
    times = in_turn(works, rounds=3)
    assert order == ["ours", "theirs"] * 4
    assert times["ours"].ratio == 1
    assert times["theirs"].rounds == 3
    steps: list[tuple[str, int]] = []
    works = {name: lambda i, name=name: steps.append((name, i)) for name in ("ours", "theirs")}
    found = step_by_step(works, {"ours": 4, "theirs": 2}, block=1)
    assert steps == [
        ("ours", 0),
        ("theirs", 0),
        ("ours", 1),
        ("theirs", 1),
        ("ours", 2),
        ("ours", 3),
    ]
    assert (found["ours"].steps, found["theirs"].steps) == (3, 1)


def test_an_aim_that_is_missed_is_shown_as_missed() -> None:
    result = {
        "batch, 10 bars": [{"what": "all, new", "values_per_cpu_s": 99e6}],
        "one bar": [
            {"set": "all", "what": "Tidewheel, push", "p50_us": 40.0},
            {"set": "seed names", "what": "Tidewheel, push", "p50_us": 10.1},
        ],
        "1,000 bars": [{"what": "pandas, last", "times_ours": 1000.0}],
        "start-up": [{"what": "all, compiled before", "until_row_cpu_s": 0.61}],
    }
    assert [aim["met"] for aim in report.aims(result)] == ["yes", "NO", "NO", "yes", "NO"]
    lines = report.table([{"what": "a", "wall_s": 0.25}, {"what": "longer", "rows": 12000}])
    assert [line.split() for line in lines] == [
        ["what", "wall", "ms", "rows"],
        ["a", "250"],
        ["longer", "12,000"],
    ]


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    rows = [
        {"set": "all", "columns": 2, "what": who, "p50_us": us}
        for who, us in (("Tidewheel, push", 5.0), ("other", 5000.0))
    ]
    for name in ("chart.svg", "chart.png"):
        draw(rows, tmp_path / "new" / name)
    drawn = (tmp_path / "new/chart.svg").read_text()
    assert all(
        f"<!-- {text} -->" in drawn for text in ("5.0 µs", "5.0 ms", "other", "all: 2 columns")
    )
