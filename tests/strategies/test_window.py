"""Windows: frames that cost nothing until they are used, and are plain frames then."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from market.candles import check_candles
from strategies.orders import Bar
from strategies.window import Window
from tests.features.walks import walk


def pushed(bars: int, shown: int, extra: tuple[str, ...] = ()) -> tuple[Window, pd.DataFrame]:
    frame, window = walk(bars), Window(shown, extra, {"source": "walk"})
    for when, row in zip(frame.index.asi8.tolist(), frame.to_numpy().tolist(), strict=True):
        window.push(Bar(when, *row, when + 60_000), [row[3] * 2] * len(extra))
    return window, frame


@pytest.mark.parametrize("bars", [1, 9, 10, 11, 84, 85, 500])
def test_a_window_shows_the_latest_bars(bars) -> None:
    window, frame = pushed(bars, 10)
    shown = window.frame()
    pd.testing.assert_frame_equal(pd.DataFrame(shown), frame.iloc[-10:], check_freq=False)
    check_candles(shown)
    assert len(window) == len(shown) == min(bars, 10)
    assert window.closes(4).tolist() == frame["close"].tolist()[-4:]
    assert shown.attrs == {"source": "walk"}


def test_a_frame_kept_shows_what_it_showed() -> None:
    window, frame = Window(10), walk(400)
    kept = []
    for when, row in zip(frame.index.asi8.tolist(), frame.to_numpy().tolist(), strict=True):
        window.push(Bar(when, *row, when + 60_000))
        kept.append(window.frame())
    for i in (0, 5, 50, 83, 84, 399):
        assert kept[i]["close"].tolist() == frame["close"].tolist()[max(0, i - 9) : i + 1]


def test_columns_besides_are_shown() -> None:
    window, frame = pushed(5, 10, ("twice",))
    assert window.frame()["twice"].tolist() == (frame["close"] * 2).tolist()


USES = {
    "column": lambda f: f["close"],
    "attribute": lambda f: f.close,
    "rolling": lambda f: f["close"].rolling(3).mean(),
    "iloc": lambda f: f.iloc[-3:],
    "loc": lambda f: f.loc[f.index[2] :, ["open", "close"]],
    "arithmetic": lambda f: f * 2 - f.shift(1),
    "compare": lambda f: f > 100,
    "concat": lambda f: pd.concat([f, f]),
    "frame": lambda f: pd.DataFrame(f),
    "array": lambda f: pd.DataFrame(np.asarray(f)),
    "assign": lambda f: f.assign(x=1.0),
    "resample": lambda f: f.resample("5min").last(),
    "describe": lambda f: f.describe(),
    "apply": lambda f: f.apply(np.log),
    "diff": lambda f: f.diff(),
    "ewm": lambda f: f.ewm(span=3).mean(),
    "merge": lambda f: f.merge(f, left_index=True, right_index=True),
    "reset": lambda f: f.reset_index(),
    "ufunc": lambda f: np.log(f),
    "transpose": lambda f: f.T,
    "query": lambda f: f.query("close > open"),
    "copy": lambda f: f.copy(),
    "iterate": lambda f: pd.DataFrame(f.itertuples()),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_it_is_used_like_any_frame(use) -> None:
    window, frame = pushed(12, 20)
    plain, lazy = use(frame), use(window.frame())
    check = pd.testing.assert_series_equal if plain.ndim == 1 else pd.testing.assert_frame_equal
    check(lazy, plain, check_freq=False)


def test_it_can_be_written_to() -> None:
    window, frame = pushed(12, 20)
    mine = window.frame()
    mine["rsi"] = 1.0
    mine.loc[mine.index[0], "close"] = 0.0
    named = window.frame()
    named.columns.name = named.index.name = "mine"
    assert (window.frame().columns.name, window.frame().index.name) == (None, "timestamp")
    assert mine.shape == (12, 6)
    assert isinstance(mine, pd.DataFrame)
    assert repr(mine)
    assert window.frame()["close"].tolist() == frame["close"].tolist()
