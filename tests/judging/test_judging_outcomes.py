"""Outcomes resolve the ledger: nothing before its time, and no label under another name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.outcomes import KNOWN_AT, OUTCOMES, outcomes
from ml_pipeline.targets import horizon_bars, labels, labels_of

Maker = Callable[..., pd.DataFrame]


@pytest.mark.parametrize("kind", OUTCOMES)
def test_outcomes_are_the_labels_under_their_public_names(candles: Maker, kind: str) -> None:
    c = candles(700)
    found = outcomes(kind, c, "1m")
    assert tuple(found.columns) == (*OUTCOMES[kind], KNOWN_AT)
    assert found.index.equals(c.index)
    passed = found[KNOWN_AT].notna().to_numpy()
    for label, column in zip(labels_of(kind), OUTCOMES[kind], strict=True):
        expected = np.where(passed, labels(c, "1m")[label.name], np.nan)
        np.testing.assert_array_equal(found[column], expected)


@pytest.mark.parametrize("kind", OUTCOMES)
def test_an_outcome_appears_when_its_last_bar_has_closed_and_never_changes(
    candles: Maker, kind: str
) -> None:
    c = candles(700)
    h = horizon_bars(kind, "1m")
    early, late = outcomes(kind, c.iloc[:400], "1m"), outcomes(kind, c, "1m")
    known = early[KNOWN_AT].notna()
    assert int(known.sum()) == 400 - h
    assert early[~known].isna().all(axis=None)
    pd.testing.assert_frame_equal(early[known], late.loc[early.index][known])
    now = c.index[399] + pd.Timedelta("1min")
    assert early[KNOWN_AT].max() == now
    assert early[KNOWN_AT].iloc[0] == c.index[0] + (h + 1) * pd.Timedelta("1min")


def test_a_gap_is_void_not_waiting(candles: Maker) -> None:
    c = candles(700)
    found = outcomes("price", c.drop(c.index[300]), "1m")
    void = found["log_return"].isna() & found[KNOWN_AT].notna()
    assert list(found.index[void]) == list(c.index[240:300])


def test_no_candles_no_outcomes(candles: Maker) -> None:
    found = outcomes("volatility", candles(0), "1m")
    assert found.empty
    assert tuple(found.columns) == ("rv_1h", "rv_4h", KNOWN_AT)
