"""Indicators of pandas-ta by name: the library's numbers, in history as in live."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.engine.live import execute_bar
from features.engine.machine import Machine
from features.errors import (
    BadBar,
    BadState,
    LooksAhead,
    NeverSettles,
    RefusedFeature,
    UnknownFeature,
)
from features.foreign.answers import columns_of
from features.foreign.column import Column, window_for
from features.foreign.indicators import expand, feature
from features.foreign.library import indicators, library, quiet
from features.foreign.survey import survey
from features.foreign.words import parse
from features.program import FeatureProgram
from market.candles import as_candles, open_ms
from tests.features.walks import walk

ta = pytest.importorskip("pandas_ta_classic")
REAL = Path(os.environ.get("TIDEWHEEL_REAL_CANDLES") or Path(__file__).parents[3] / "shared/data")
SUPERTREND = "ta:supertrend(length=10, multiplier=3)"
NAMES = [
    "ta:kst.KST",
    "rsi_14",
    f"{SUPERTREND}.SUPERTd",
    "ta:rsi",
    "ta:ema(50)",
    "ta:bbands(length=20).BBP",
    "close",
    "ta:adx.DMP",
    "ta:psar.PSARr",
]


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    return walk(4000, seed=41, outages=[(1500, 1540), (3300, 3330)])


@pytest.fixture(scope="module")
def history(candles) -> np.ndarray:
    return FeatureProgram(NAMES).run(candles, dtype=np.float64)


def bars(candles: pd.DataFrame) -> list[list[float]]:
    return np.column_stack([open_ms(candles), candles.to_numpy()]).tolist()


def test_numbers_are_the_librarys(candles, history) -> None:
    """Settled values equal what the library says of all candles at once."""
    plain = candles.tz_localize(None)
    h, low, c = plain["high"], plain["low"], plain["close"]
    bands = ta.bbands(c, length=20)
    expected = {
        "ta:kst.KST": ta.kst(c).iloc[:, 0],
        f"{SUPERTREND}.SUPERTd": ta.supertrend(h, low, c, length=10, multiplier=3).iloc[:, 1],
        "ta:rsi": ta.rsi(c, talib=False),
        "ta:ema(50)": ta.ema(c, length=50, talib=False),
        "ta:bbands(length=20).BBP": bands.filter(like="BBP").iloc[:, 0],
        "ta:adx.DMP": ta.adx(h, low, c, talib=False)["DMP_14"],
    }
    program = FeatureProgram(NAMES)
    for name, series in expected.items():
        start = program.settles[name]
        np.testing.assert_allclose(
            history[start:, NAMES.index(name)], series.to_numpy()[start:], rtol=2e-8, atol=2e-9,
            err_msg=name,
        )  # fmt: skip


@pytest.mark.parametrize("start", [0, 1, 999, 1535, 3071])
def test_live_equals_history_bit_for_bit(candles, history, start) -> None:
    program = FeatureProgram(NAMES)
    if start:
        program.run(candles.iloc[:start])
    rows = [program.push(bar) for bar in bars(candles.iloc[start : start + 25])]
    expected = history[start : start + 25].astype(np.float32)
    assert np.array_equal(np.array(rows), expected, equal_nan=True)


@pytest.mark.parametrize("size", [37, 256, 701])
def test_history_in_parts_is_history_to_the_last_bit_of_float64(candles, history, size) -> None:
    """A float32 row may hide what a window that is too long or too short does to a value."""
    program = FeatureProgram(NAMES)
    program.run(candles.iloc[:2900])
    parts = [
        program.extend(candles.iloc[start : min(start + size, 3700)], dtype=np.float64)
        for start in range(2900, 3700, size)
    ]
    assert np.array_equal(np.concatenate(parts), history[2900:3700], equal_nan=True)


def test_where_history_starts_does_not_matter_at_all(candles, history) -> None:
    """The window of a value is cut by the clock, so settled values are the same bits."""
    program = FeatureProgram(NAMES)
    foreign = [j for j, name in enumerate(NAMES) if name.startswith("ta:")]
    for start in (313, 1517):
        late = program.run(candles.iloc[start:], dtype=np.float64)[program.settle :, foreign]
        assert np.array_equal(late, history[start + program.settle :, foreign], equal_nan=True)
        unsettled = program.run(candles.iloc[start:], dtype=np.float64)[:, foreign]
        assert not np.array_equal(unsettled[100:], history[start + 100 :, foreign], equal_nan=True)


def test_a_program_is_forked_stored_and_taken_up(candles, history) -> None:
    program = FeatureProgram(NAMES)
    program.run(candles.iloc[:3000])
    stored, other = program.to_bytes(), program.fork()
    program.push(bars(candles)[3000])
    for again in (other, FeatureProgram.from_bytes(stored)):
        rest = again.extend(candles.iloc[3000:], dtype=np.float64)
        assert np.array_equal(rest, history[3000:], equal_nan=True)
    with pytest.raises(BadState):
        FeatureProgram.from_bytes(stored[:-48])


def test_bars_kept_are_bounded(candles) -> None:
    program = FeatureProgram(["ta:rsi"])
    program.run(candles)
    settle = program.settles["ta:rsi"]
    assert settle // 2 < (len(program.to_bytes()) - 500) / 48 < settle + 2


def test_columns_are_chosen_by_the_part_before_the_numbers() -> None:
    assert expand("ta:kst") == ("ta:kst.KST", "ta:kst.KSTs")
    assert expand("ta:rsi") == ("ta:rsi",)
    assert expand("rsi_14") == ("rsi_14",)
    # Its two halves are empty half of the time.
    assert expand(SUPERTREND) == (f"{SUPERTREND}.SUPERT", f"{SUPERTREND}.SUPERTd")
    short, full = feature("ta:kst.KSTs"), feature("ta:kst.KSTs_9")
    assert short.expression.digest == full.expression.digest
    filled = expand("ta:psar(fillna=0)")
    assert [name.partition(".")[2] for name in filled] == ["PSARl", "PSARs", "PSARaf", "PSARr"]


def test_spelling_does_not_change_the_definition() -> None:
    def digest(name: str) -> str:
        return feature(name).expression.digest

    assert digest("ta:ema(50)") == digest("ta:ema( length = 50 )")
    assert digest("ta:ema(50)") != digest("ta:ema(51)")
    assert digest("ta:macd(fast=5, slow=9).MACD") == digest("ta:macd(slow=9,fast=5).MACD")
    assert digest("ta:macd.MACD") != digest("ta:macd.MACDs")


def test_units_come_from_the_probe() -> None:
    program = FeatureProgram(["ta:ema", "ta:rsi", "ta:kst.KST", "ta:squeeze.SQZ_ON", "ta:vosc"])
    assert list(program.units.values()) == ["price", "–", "–", "unknown", "–"]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("ta:supertrnd", UnknownFeature, "did you mean ta:supertrend"),
        ("ta:supertrend(len=3)", UnknownFeature, r"does not take len; it is ta:supertrend\(length"),
        ("ta:rsi(length=14, 3)", UnknownFeature, "cannot be read"),
        ("ta:rsi(14, length=14)", UnknownFeature, "does not take length"),
        ("ta:rsi(talib=True)", UnknownFeature, "does not take talib"),
        ("ta:ichimoku(lookahead=True)", UnknownFeature, "does not take lookahead"),
        ("ta:rsi(length=open('/etc/passwd'))", UnknownFeature, "no number, text or list"),
        ("ta:rsi(**{'length': 3})", UnknownFeature, "with stars"),
        ("ta:rsi(length=14", UnknownFeature, "cannot be read"),
        ("ta:rsi(length=-5)", UnknownFeature, "length=-5 bars; take 1 or more"),
        ("ta:macd(0).MACD", UnknownFeature, "fast=0 bars; take 1 or more"),
        ("ta:kst.KSTx", UnknownFeature, r"no column 'KSTx'; did you mean \.KSTs?\?"),
        ("ta:kst", UnknownFeature, r"2 columns; name one: ta:kst\.KST, ta:kst\.KSTs"),
        ("ta:mavp", RefusedFeature, "needs periods beside the candles"),
        ("ta:tos_stdevall", RefusedFeature, "cannot do without what comes later"),
        ("ta:obv", NeverSettles, "never forgets where history starts"),
        ("ta:drawdown.DD_PCT", NeverSettles, "never forgets"),
        ("ta:dpo(offset=-3)", LooksAhead, "looks ahead"),
        ("ta:rsi(fill_method='bfill')", LooksAhead, "takes values from later bars"),
        ("ta:vwap(fill_method='bfill')", LooksAhead, "take 'ffill'"),
        ("ta:psar.PSARl", RefusedFeature, r"no finite value.*such as ta:psar\(fillna=0\)"),
        ("ta:rsi(length='x')", RefusedFeature, "failed on 22000 candles"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_reason(name, error, words) -> None:
    with pytest.raises(error, match=words):
        FeatureProgram([name])


@pytest.mark.parametrize(
    ("name", "bars"),
    [("ta:sma(2000)", 2_000), ("ta:ema(600)", 600), ("ta:vwap(anchor='W')", 10_080)],
)
def test_long_windows_are_no_reason_to_refuse(name, bars) -> None:
    program = FeatureProgram([name])
    assert program.settle > bars
    assert feature(name).expression.call.window >= bars


def test_arguments_too_deep_to_read_are_refused() -> None:
    with pytest.raises(UnknownFeature, match="cannot be read"):
        FeatureProgram(["ta:rsi(" + "-" * 20_000 + "1)"])


def test_the_library_is_quiet_in_one_thread_and_loud_afterwards(caplog) -> None:
    logger = library().utils._core.logger
    logger.propagate = True

    def ask(pause: float) -> None:
        for _ in range(30):
            with quiet():
                logger.warning("unheard")
                time.sleep(pause)

    threads = [threading.Thread(target=ask, args=(n * 1e-4,)) for n in (1, 3, 2)]
    for thread in threads:
        thread.start()
    logger.warning("heard meanwhile")
    for thread in threads:
        thread.join()
    logger.warning("heard afterwards")
    assert [record.message for record in caplog.records] == ["heard meanwhile", "heard afterwards"]
    with pytest.warns(UserWarning, match="of others"):
        warnings.warn("of others", stacklevel=1)


def test_a_leak_would_be_seen_if_look_ahead_were_on() -> None:
    """What switching it off is for: ichimoku's lagging span is the close of 26 bars later."""
    from features.foreign.probe import probe

    def with_span(c: pd.DataFrame) -> pd.Series:
        plain = c.tz_localize(None)
        table = ta.ichimoku(plain["high"], plain["low"], plain["close"], as_dataframe=True)
        return table["ICS_26"].set_axis(c.index)

    (found,) = probe(with_span).values()
    assert isinstance(found.refusal(), LooksAhead)
    assert "ta:ichimoku.ICS" not in expand("ta:ichimoku")


def test_arguments_are_literals() -> None:
    words = parse("ta:cdl_pattern(name=['doji', 'hammer'], scalar=-1.5).X")
    assert words.named == (("name", ["doji", "hammer"]), ("scalar", -1.5))
    assert words.column == "X"


@pytest.mark.parametrize("settle", [0, 1, 19, 100, 294, 2272, 4999])
def test_windows_have_room_and_coarse_sizes(settle) -> None:
    assert 1.25 * settle <= window_for(settle) <= max(32, 1.6 * settle)
    assert window_for(settle) >= window_for(max(0, settle - 1))


def test_a_verdict_is_found_once_a_process() -> None:
    first, again = feature("ta:rsi"), feature("ta:rsi")
    assert isinstance(first.expression, Column)
    assert first.expression.probed is again.expression.probed


def test_the_library_waits_until_it_is_asked_for() -> None:
    code = (
        "import sys; from features.feature_manager import FeatureManager; "
        "from features.program import FeatureProgram; FeatureProgram(['rsi_14']); "
        "before = 'pandas_ta_classic' in sys.modules; FeatureProgram(['ta:rsi']); "
        "print(before, 'pandas_ta_classic' in sys.modules, 'talib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["False", "True", "False"]


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real candles in {REAL}")
def test_every_indicator_is_live_as_in_history_on_real_candles() -> None:
    names = [
        f"ta:{one.name}.{column}" if len(one.kept) + len(one.refused) > 1 else f"ta:{one.name}"
        for one in survey(name for name in indicators() if name != "cdl_pattern")
        for column in one.kept
    ]
    real = as_candles(pd.read_parquet(REAL / "XRP-USDT_1m.parquet")).iloc[:9000]
    program = FeatureProgram(names)
    history = program.run(real, dtype=np.float64)
    program.run(real.iloc[:7000])
    parts, start = [], 7000
    for size in (1, 1, 5, 77, 300, 211):
        parts.append(program.extend(real.iloc[start : start + size], dtype=np.float64))
        start += size
    assert np.array_equal(np.concatenate(parts), history[7000:start], equal_nan=True)
    late = program.run(real.iloc[1234:], settled=True, dtype=np.float64)
    settled = ~np.isnan(late)
    assert settled.any(axis=0).all()
    assert np.array_equal(late[settled], history[1234:][settled])

    plain: dict = {}
    apart = {}
    for j, name in enumerate(names):
        node = feature(name).expression
        if node.call.text not in plain:
            plain[node.call.text] = columns_of(node.call.function, name, real)
        whole = plain[node.call.text][node.column][program.settles[name] :]
        error = np.abs(history[program.settles[name] :, j] - whole)
        size = np.median(np.abs(whole[whole != 0])) if whole.any() else 0.0
        apart[name] = float((error > 2e-8 * size).mean())
    over = {name: share for name, share in apart.items() if share > 0}
    assert set(over) == {"ta:sarext", "ta:psar.PSARaf", "ta:ht_trendmode", "ta:ht_trendline"}
    assert over.pop("ta:sarext") < 0.02
    assert max(over.values()) < 0.002


@pytest.mark.parametrize("way", ["extend", "push"])
def test_bars_whose_taking_was_interrupted_leave_no_trace(monkeypatch, way) -> None:
    candles, program = walk(900, seed=12), FeatureProgram(["return_1", "ta:rsi(length=7)"])
    whole = FeatureProgram(program.names).run(candles)
    program.run(candles.iloc[:700])
    before = program.to_bytes()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Machine, "run", interrupted)
        patch.setattr(Machine, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            program.push(candles.iloc[700]) if way == "push" else program.extend(candles[700:])
    assert program.to_bytes() == before
    assert program.extend(candles.iloc[700:]).tobytes() == whole[700:].tobytes()


@pytest.mark.parametrize("names", [["return_1", "rsi_14"], ["return_1", "ta:rsi(length=7)"]])
def test_a_bar_that_was_taken_before_the_interrupt_is_not_taken_again(monkeypatch, names) -> None:
    candles, program = walk(900, seed=12), FeatureProgram(names)
    whole = FeatureProgram(names).run(candles)
    program.run(candles.iloc[:700])

    def interrupted(*given: object) -> None:
        execute_bar(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("features.engine.machine.execute_bar", interrupted)
        with pytest.raises(KeyboardInterrupt):
            program.push(candles.iloc[700])
    restored = FeatureProgram.from_bytes(program.to_bytes())
    for each in (program, restored):
        with pytest.raises(BadBar, match="does not follow"):
            each.push(candles.iloc[700])
        assert each.extend(candles.iloc[701:]).tobytes() == whole[701:].tobytes()
