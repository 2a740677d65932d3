"""Expected returns: what ways to compare squared errors find against no change, on real prices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.verdicts.outcomes import Floats
from bench.verdicts.report import Sheet
from bench.verdicts.weeks import HOURS, WINDOW, errors, hourly, windows, z_of

HOUR = 12  # bars
KNOWN = 0.005
"""Share of the variance of a usual hour that a drawn forecast knows."""
BACK = -0.1
"""What a toy says: so much of the last hour's move. In calm hours it is right, in storms wrong."""


def returns(close: Floats, seeds: int) -> Sheet:
    """Return z that a day earns, by four weeks, of drawn forecasts and of the toy."""
    said = close[2 * HOUR :] - close[HOUR:-HOUR], close[HOUR:-HOUR] - close[: -2 * HOUR]
    came, toy = said[0], BACK * said[1]
    size = 1.4826 * np.median(np.abs(came))
    cases: dict[str, list[tuple[Floats, Floats]]] = {
        f"knows {KNOWN:.1%}": [],
        "as good as nought": [],
    }
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 17])
        drawn = np.sqrt(KNOWN) * size * (errors(rng, (1, *came.shape), 1.0, 0.5) - 0.5)
        for knows, pairs in zip((1.0, 0.5), cases.values(), strict=True):
            pairs.append((came + knows * drawn, drawn))
    plain = np.square(came)
    lost = float(np.square(came - toy).mean() / plain.mean() - 1)
    cases[f"a tenth of the last hour back, S {-lost:+.2%}"] = [(came, toy)]
    rows: dict[str, list[str]] = {}
    for pairs in cases.values():
        found: dict[str, list[float]] = {}
        for y, forecast in pairs:
            for way, z in _ways(y, forecast):
                found.setdefault(way, []).append(z)
        for way, values in found.items():
            rows.setdefault(way, []).append(f"{np.mean(values) / np.sqrt(WINDOW):+.2f}")
    return Sheet(
        "returns",
        "z that a day earns: expected returns of the next hour against no change",
        ("z of", *cases),
        [(way, *cells) for way, cells in rows.items()],
    )


def _ways(y: Floats, said: Floats) -> Iterator[tuple[str, float]]:
    """Yield each way with its mean z over four weeks, taken every week."""
    theirs, own = np.square(y), np.square(y - said)
    both = theirs + own
    relative = np.divide(theirs - own, both, out=np.zeros_like(both), where=both > 0)
    yield "squared errors", _z(theirs - own)
    yield "differences cut at their 95 %", _z(theirs - own, 0.95)
    yield "relative differences", _z(relative)


def _z(d: Floats, share: float = 1.0) -> float:
    series = hourly(d[None])[0]
    ends = np.arange(WINDOW * HOURS, len(series) + 1, 7 * HOURS)
    own = windows(series, WINDOW * HOURS, ends)
    most = np.quantile(np.abs(own), share, axis=-1, keepdims=True)
    return float(z_of(np.clip(own, -most, most), WINDOW * HOURS, 1).mean())
