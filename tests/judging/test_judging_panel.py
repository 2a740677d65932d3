"""A panel keeps rows, symbols and labels together, on disk as in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.errors import PanelError
from ml_pipeline.panel import Panel, build_panel
from ml_pipeline.targets import LABELS, labels

NAMES = ("move", "move_10")
Maker = Callable[..., pd.DataFrame]


def run(candles: pd.DataFrame) -> np.ndarray:
    """Return two features, the second of which has a look-back of ten bars."""
    log = np.log(candles["close"])
    return np.column_stack([log.diff().fillna(0), log.diff(10)]).astype(np.float32)


@pytest.fixture
def panel(candles: Maker) -> Panel:
    late = pd.Timestamp("2025-05-01T00:30:00Z")
    frames = {"ETH-USDT": candles(500, seed=2, start=late), "BTC-USDT": candles(600, seed=1)}
    return build_panel(frames, "1min", NAMES, run)


def test_rows_are_sorted_by_time_then_symbol_and_the_look_back_is_counted(panel: Panel) -> None:
    assert panel.symbols == ("BTC-USDT", "ETH-USDT")
    assert panel.timeframe == "1m"
    assert panel.dropped == 20
    assert len(panel) == 1100 - 20
    key = panel.ts * 2 + panel.symbol
    assert (np.diff(key) > 0).all()
    assert panel.X.dtype == np.float32
    assert np.isfinite(panel.X).all()
    assert panel.symbol.dtype == np.int16


def test_each_row_holds_what_its_own_candle_says(panel: Panel, candles: Maker) -> None:
    c = candles(600, seed=1)
    mine = panel.rows(panel.symbol == 0)
    np.testing.assert_array_equal(mine.ts, c.index[10:].as_unit("ms").asi8)
    np.testing.assert_array_equal(mine.close, c["close"].to_numpy()[10:])
    np.testing.assert_array_equal(mine.X, run(c)[10:])
    for name in LABELS:
        np.testing.assert_array_equal(mine.labels[name], labels(c, "1m")[name][10:])


def test_saved_and_mapped_it_is_the_same_panel(panel: Panel, tmp_path: Path) -> None:
    folder = panel.save(tmp_path / "panels" / "a")
    again = Panel.load(folder)
    assert isinstance(again.X, np.memmap)
    assert not again.X.flags.writeable
    assert again.data_hash() == panel.data_hash()
    assert (again.names, again.symbols, again.dropped) == (NAMES, panel.symbols, 20)
    np.testing.assert_array_equal(again.rows(slice(5, 9)).X, panel.X[5:9])
    assert [p.name for p in folder.parent.iterdir()] == ["a"]


def test_saving_again_keeps_the_folder_and_another_panel_replaces_it(
    panel: Panel, tmp_path: Path
) -> None:
    folder = panel.save(tmp_path / "a")
    inode = folder.stat().st_ino
    assert panel.save(folder).stat().st_ino == inode
    shorter = panel.rows(slice(0, 100))
    assert Panel.load(shorter.save(folder)).data_hash() == shorter.data_hash()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("what", ["ts", "symbol", "X", "close", "price", "names"])
def test_the_hash_sees_every_value(panel: Panel, tmp_path: Path, what: str) -> None:
    changed = Panel.load(panel.save(tmp_path / "a"))
    arrays = {"ts": changed.ts, "symbol": changed.symbol, "X": changed.X, "close": changed.close}
    parts = {name: np.array(array) for name, array in arrays.items()}
    marks = {name: np.array(column) for name, column in changed.labels.items()}
    names = changed.names
    if what == "names":
        names = names[::-1]
    else:
        target = marks["price"] if what == "price" else parts[what]
        target.flat[3] += 1
    other = Panel("1m", changed.symbols, names, **parts, labels=marks, dropped=changed.dropped)
    assert other.data_hash() != panel.data_hash()


def test_the_order_of_the_symbols_given_does_not_matter(candles: Maker) -> None:
    a, b = candles(100, seed=1), candles(100, seed=2)
    first = build_panel({"A-B": a, "C-D": b}, "1m", NAMES, run)
    second = build_panel({"C-D": b, "A-B": a}, "1m", NAMES, run)
    assert first.data_hash() == second.data_hash()


def test_columns_by_name(panel: Panel) -> None:
    np.testing.assert_array_equal(panel.columns(["move_10", "move"]), panel.X[:, ::-1])
    with pytest.raises(PanelError, match="no feature rsi"):
        panel.columns(["move", "rsi"])


def test_what_does_not_fit_is_refused_with_the_numbers(panel: Panel, candles: Maker) -> None:
    with pytest.raises(PanelError, match="no symbol"):
        build_panel({}, "1m", NAMES, run)
    with pytest.raises(PanelError, match=r"A-B: 50 candles and 1 names.*\(50, 2\)"):
        build_panel({"A-B": candles(50)}, "1m", ["move"], run)
    with pytest.raises(PanelError, match="shapes"):
        Panel("1m", ("A",), ("x",), panel.ts, panel.symbol, panel.X, panel.close, panel.labels)


def test_a_missing_or_torn_panel_is_refused(panel: Panel, tmp_path: Path) -> None:
    with pytest.raises(PanelError, match="no panel"):
        Panel.load(tmp_path / "nowhere")
    folder = panel.save(tmp_path / "a")
    (folder / "X.npy").write_bytes(b"rubbish")
    with pytest.raises(PanelError, match="cannot be read"):
        Panel.load(folder)
    meta = json.loads((folder / "panel.json").read_text())
    del meta["begins"]
    (folder / "panel.json").write_text(json.dumps(meta))
    with pytest.raises(PanelError, match=r"older version.*lacks begins"):
        Panel.load(folder)
    (folder / "panel.json").write_text("{")
    with pytest.raises(PanelError, match="not JSON"):
        Panel.load(folder)
    assert json.loads((panel.save(tmp_path / "b") / "panel.json").read_text())["rows"] == len(panel)
