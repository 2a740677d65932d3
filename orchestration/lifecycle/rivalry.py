"""A prepared version beside the one that serves, on the bars that neither of them has seen.

Both were judged beside a baseline, but on different bars; only the same bars tell which is better.
They are those after the later of the two trainings, up to the later of the two moments of training:
all that either was judged on, and no candle that was not there when they were made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import hashes
from features.errors import FeatureError
from market.errors import MarketError
from market.source import open_source
from market.timeframes import instant_ms, utc
from ml_pipeline.errors import JudgingError, PanelError
from ml_pipeline.panel import Panel
from ml_pipeline.rows import all_finite
from ml_pipeline.scoring import row_losses
from ml_pipeline.skill import Verdict, judge
from ml_pipeline.tasks import EVENT_THRESHOLD, TASKS
from models.common.bundle import Bundle
from models.common.errors import ModelError
from models.common.registry import PredictionModelRegistry
from orchestration.lifecycle.training import history_of
from orchestration.settings import Settings

Json = dict[str, Any]
_FIGURES = ("skill", "lower", "upper", "z", "n", "times", "effective_n")


def against_champion(bundle: Bundle, settings: Settings, live: PredictionModelRegistry) -> Json:
    """Compare a verified bundle with the champion of its slot.

    Parameters
    ----------
    settings
        Whose candles, seed and gates; the source must be the one that both learnt from.
    live
        The folder that serves: its link says who the champion is.

    Returns
    -------
    dict
        ``champion`` (None where nothing serves), ``sentence``, ``worse`` (z at most the gate
        ``z_refresh``: provably worse) and, where it could be judged, ``skill`` (part of the
        champion's loss that is saved), ``lower``, ``upper``, ``z``, ``n``, ``times``,
        ``effective_n``, ``since`` and ``until``.
    """
    slot = bundle.slot
    champion = live.linked(slot)
    if champion is None:
        return _told(None, f"nothing serves {slot} yet")
    if champion == bundle.version_id:
        return _told(champion, "it serves already")
    try:
        verdict, panel = _judged(bundle, live.read(live.folder(slot, champion)), settings)
    except _NotComparable as error:
        return _told(champion, f"not compared with the champion {champion}: {error}")
    except JudgingError as error:
        return _told(champion, f"too few bars that neither it nor {champion} has seen: {error}")
    except (ModelError, MarketError, PanelError, FeatureError) as error:
        return _told(champion, f"not compared with the champion {champion}: {error}")
    worse = verdict.z <= settings.gates.z_refresh
    word = "; it is provably worse" if worse else ""
    sentence = (
        f"against the champion {champion}: z {verdict.z:+.2f} on {verdict.n:,} bars that neither "
        f"has seen, skill {verdict.skill:+.2%}, 95 % interval {verdict.lower:+.2%} to "
        f"{verdict.upper:+.2%}{word}"
    )
    figures = {name: float(value) for name, value in verdict.as_dict().items() if name in _FIGURES}
    span = {
        name: utc(int(ms)).isoformat()
        for name, ms in (("since", panel.ts[0]), ("until", panel.ts[-1]))
    }
    return {**_told(champion, sentence), "worse": worse, **figures, **span}


class _NotComparable(Exception):  # noqa: N818 - it says what happened
    """The two learnt on different markets, or one cannot be asked any more."""


def _told(champion: str | None, sentence: str) -> Json:
    return {"champion": champion, "sentence": sentence, "worse": False}


def _judged(bundle: Bundle, other: Bundle, settings: Settings) -> tuple[Verdict, Panel]:
    source = open_source(settings.source)
    for one in (bundle, other):
        if one.metadata.get("source") != source.name:
            raise _NotComparable(
                f"{one.version_id} learnt from {one.metadata['source']}, this home reads "
                f"{source.name}"
            )
        changed = hashes.changed(one.schema.hashes)
        if changed:
            raise _NotComparable(
                f"features of {one.version_id} mean something else now ({', '.join(changed[:5])})"
            )
    both, timeframe = (bundle, other), bundle.slot.timeframe
    start, end = (
        max(instant_ms(one.metadata[name]) for one in both)
        for name in ("trained_through", "created_ts")
    )
    columns = tuple(dict.fromkeys([*bundle.schema.names, *other.schema.names]))
    if end <= start:
        raise JudgingError("there is none")
    history = history_of(settings, end, source)
    rows = history.panel(bundle.metadata["training"]["symbols"], timeframe, columns, start, end)
    task = TASKS[bundle.kind]
    panel = rows.rows(all_finite(task.y(rows, bundle.metadata["head"])))
    verdict = judge(
        panel.ts,
        panel.symbol,
        _losses(bundle, bundle, panel),
        _losses(other, bundle, panel),
        task.horizon_bars(timeframe),
        settings.seed,
    )
    return verdict, panel


def _losses(one: Bundle, judged: Bundle, panel: Panel) -> NDArray[np.float64]:
    """Return the loss of each row; an event is what it is for the bundle that is judged."""
    head, same = one.metadata["head"], judged.metadata["head"]
    event = {key: same[key] for key in (EVENT_THRESHOLD,) if key in same}
    raw = one.runner.run(panel.columns(one.schema.names)).astype(np.float64)
    one.head.check(raw)
    return row_losses(TASKS[one.kind], {**head, **event}, raw, panel)
