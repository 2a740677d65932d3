"""Folders of candle files: Parquet or CSV, any spelling of the name, one clear error each."""

from __future__ import annotations

import pandas as pd
import pytest

from market.candles import repair
from market.errors import BadAnswer, BadSpec, NoCandles, UnknownSymbol, UnsupportedTimeframe
from market.fetch import update
from market.files import FilesSource
from market.simulated import SimulatedSource
from market.source import open_source
from market.store import CandleStore

START, END = "2025-05-28T00:00Z", "2025-05-29T00:00Z"


@pytest.fixture(scope="module")
def day() -> pd.DataFrame:
    return SimulatedSource().fetch("BTC-USDT", "1m", START, END)


def fetch(folder, symbol="BTC-USDT", timeframe="1m", start=START, end=END) -> pd.DataFrame:
    return FilesSource(folder).fetch(symbol, timeframe, start, end)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("BTC-USDT_1m.parquet", lambda t, p: t.reset_index().to_parquet(p)),
        ("BTC-USDT_1m.parquet", lambda t, p: t.to_parquet(p)),
        ("btcusdt_1min.csv", lambda t, p: t.to_csv(p)),
        ("BTC_USDT_60s.csv", lambda t, p: t.reset_index().to_csv(p, index=False)),
        (
            "BTC-USDT_1m.csv",
            lambda t, p: (
                t.reset_index()
                .assign(timestamp=t.index.as_unit("ms").asi8, trades=3)
                .to_csv(p, index=False)
            ),
        ),
    ],
)
def test_every_form_of_file_gives_the_same_candles(tmp_path, day, name, write):
    write(day, tmp_path / name)
    (tmp_path / "README.md").write_text("not candles")
    (tmp_path / "notes_2025.csv").write_text("neither")
    pd.testing.assert_frame_equal(fetch(tmp_path), day)


def test_windows_hold_whole_bars_only(tmp_path, day):
    day.to_parquet(tmp_path / "BTC-USDT_1m.parquet")
    got = fetch(tmp_path, start="2025-05-28T10:00:30Z", end="2025-05-28T11:00:30Z")
    assert (got.index[0].strftime("%H:%M"), got.index[-1].strftime("%H:%M")) == ("10:01", "10:59")


def test_longer_bars_are_made_where_no_file_has_them(tmp_path, day):
    day.to_parquet(tmp_path / "BTC-USDT_1m.parquet")
    hours = fetch(tmp_path, timeframe="1h")
    assert len(hours) == 24
    assert hours.volume.sum() == pytest.approx(day.volume.sum())
    # A five-minute file from another year does not hide the minutes of this one.
    old = SimulatedSource().fetch("BTC-USDT", "5m", "2024-05-28T00:00Z", "2024-05-29T00:00Z")
    old.to_parquet(tmp_path / "BTC-USDT_5m.parquet")
    pd.testing.assert_frame_equal(fetch(tmp_path, timeframe="1h"), hours)
    assert len(fetch(tmp_path, "BTC-USDT", "5m", "2024-05-28T00:00Z", "2024-05-29T00:00Z")) == 288


def test_damaged_rows_come_along_and_are_counted_by_update(tmp_path, day):
    table = day.reset_index()
    table.loc[10, "close"] = None
    table.loc[20, "low"] = -1.0
    table["timestamp"] = table["timestamp"].astype(str)
    table.loc[30, "timestamp"] = "the 28th"
    table = pd.concat([table.drop(index=[40, 41, 42]), table.iloc[[5]]]).sample(
        frac=1, random_state=1
    )
    table.to_csv(tmp_path / "BTC-USDT_1m.csv", index=False)
    source = FilesSource(tmp_path)
    store = CandleStore(tmp_path / "store", source.name)
    report = update(source, store, "BTCUSDT", "1m", START, END).report
    assert (report.nan_rows, report.non_positive, report.duplicates) == (2, 1, 1)
    assert report.unsorted > 1000
    assert report.missing_bars == 6
    assert len(store.read("BTC-USDT", "1m")) == 1434


def test_a_damaged_minute_leaves_its_hour_out(tmp_path, day):
    day.assign(high=day.high.where(day.index != day.index[70], 1.0)).to_parquet(
        tmp_path / "BTC-USDT_1m.parquet"
    )
    assert day.index[60] not in fetch(tmp_path, timeframe="1h").index


def test_names_tell_folders_apart(tmp_path):
    for parent in ("one", "two"):
        (tmp_path / parent / "My Data").mkdir(parents=True)
    one, two = FilesSource(tmp_path / "one" / "My Data"), FilesSource(tmp_path / "two" / "My Data")
    assert one.name.startswith("files-my-data-")
    assert one.name != two.name
    assert one.name == open_source(f"files:{tmp_path}/two/../one/My Data").name
    assert not one.simulated


def test_refusals(tmp_path, day):
    with pytest.raises(BadSpec, match="no folder"):
        FilesSource(tmp_path / "nowhere")
    with pytest.raises(UnknownSymbol, match="no candle file at all"):
        fetch(tmp_path)
    day.to_parquet(tmp_path / "BTC-USDT_1m.parquet")
    with pytest.raises(UnknownSymbol, match=r"no candles of LUNA-USDT; it has BTC-USDT"):
        fetch(tmp_path, "LUNA-USDT")
    with pytest.raises(UnsupportedTimeframe, match="as 1m, of which 30s bars cannot be made"):
        fetch(tmp_path, timeframe="30s")
    with pytest.raises(NoCandles, match=r"2025-05-28T00:00Z to 2025-05-28T23:59Z"):
        fetch(tmp_path, start="2026-01-01T00:00Z", end="2026-01-02T00:00Z")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("BTC-USDT_1m.parquet", b"PAR1 but not really"),
        ("BTC-USDT_1m.parquet", b""),
        ("BTC-USDT_1m.csv", b""),
        ("BTC-USDT_1m.csv", b"\xff\xfe\x00\x01"),
        ("BTC-USDT_1m.csv", b"a,b\n1,2\n"),
        ("BTC-USDT_1m.csv", b"timestamp,open,high,low,close,volume\n1748390400,1,1,1,1,1\n"),
        ("BTC-USDT_1m.csv", b'timestamp,open\n1,"2\n3,4'),
    ],
)
def test_a_file_that_is_no_candles_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadAnswer, match=f"{name} does not hold candles"):
        fetch(tmp_path)


def test_repair_of_what_a_file_gives_is_clean(tmp_path, day):
    day.to_csv(tmp_path / "BTC-USDT_1m.csv")
    candles, report = repair(fetch(tmp_path), "1m", END)
    assert report.rows_out == 1440
    pd.testing.assert_frame_equal(candles, day)
