"""The features that models see by default, derived on real candles by a rule.

::

    python -m bench.model_set <folder of candles> [--write]

The rule takes the catalogue in its order, which goes from the price to what is composed of it, and
leaves a feature out for the first of these reasons that holds:

1. it is in price or volume units;
2. it names the day: a feature of the clock that does not come round within a week;
3. it is there for the baselines, whose margin learners start from;
4. it needs more than two days of 1m to settle, so that a live model would wait for it;
5. it is not finite or does not vary on one of the files;
6. it is a pattern (-1, 0, 1) met less than once in 500 bars;
7. it goes together with an earlier one that was kept: |rho| > 0.95, mean over the symbols, on 1m
   and on 5m.

rho is Pearson's, which asks for the same size as well as the same order. Spearman's would drop a
move in average true ranges beside the move itself (0.96 by order, 0.82 by size), and with it how
large the move is for its time.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.catalogue import FEATURES, GROUPS
from features.description import describe
from features.joined import with_benchmark
from features.program import FeatureProgram
from market.candles import COLUMNS, as_candles

SYMBOLS = ("BTC-USDT", "ETH-USDT", "XRP-USDT")
BENCHMARK = "BTC-USDT"
TIMEFRAMES = ("1m", "5m")
TWO_DAYS = 2880  # bars of 1m
RARE = 1 / 500
ALIKE = 0.95
NEAR = 0.002  # of the threshold: other candles may decide otherwise
NAMES = tuple(name for group in GROUPS for name in group.features)
FOR_BASELINES = frozenset(
    ("momentum_z_12", "quarter_hour", *(name for name in NAMES if name.startswith("log_rv_")))
)
OUT = Path(__file__).parents[1] / "features" / "model_set.py"

Matrix = NDArray[np.float64]


@dataclass
class Derived:
    """What the rule gives.

    Attributes
    ----------
    model, benchmark
        Names kept, of candles alone and of candles beside a benchmark's.
    dropped
        By name, the reason.
    data
        Sentences that name the candles.
    close
        Pairs near the threshold, which other candles may decide otherwise.
    """

    model: list[str] = field(default_factory=list)
    benchmark: list[str] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    close: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Measured:
    """Features on one file of candles, by column.

    Attributes
    ----------
    finite, varies, signs : bool [F]
        Whether all values are finite, not all the same, and only -1, 0 or 1.
    met : float [F]
        Share of values that are not 0.
    rho : float [F, F]
        Pearson's correlation, absolute.
    """

    finite: NDArray[np.bool_]
    varies: NDArray[np.bool_]
    signs: NDArray[np.bool_]
    met: Matrix
    rho: Matrix

    @classmethod
    def of(cls, values: Matrix) -> Measured:
        """Measure settled values [n, F]."""
        rows = np.ascontiguousarray(values.T)  # by feature: each of them lies together
        finite = np.isfinite(rows).all(axis=1)
        centred = np.where(finite[:, None], rows, 0.0)
        centred -= centred.mean(axis=1, keepdims=True)
        size = np.sqrt((centred**2).sum(axis=1))
        scaled = centred / np.where(size > 0, size, 1.0)[:, None]
        return cls(
            finite=finite,
            varies=rows.min(axis=1) < rows.max(axis=1),
            signs=((rows == 0) | (np.abs(rows) == 1)).all(axis=1),
            met=(rows != 0).mean(axis=1),
            rho=np.abs(scaled @ scaled.T),
        )


Files = Mapping[tuple[str, str], Measured]  # by symbol and timeframe


def outright(name: str) -> str | None:
    """Return why a feature is out whatever the candles say, or None."""
    told = describe(name)
    if told.unit != "–":
        return f"in units of {told.unit}: models read {told.twin}"
    if told.inputs == ("timestamp",) and not _comes_round(name):
        return "names the day: it does not come round within a week"
    if name in FOR_BASELINES:
        return "there for the baselines"
    if told.settle > TWO_DAYS:
        return f"takes {told.settle:,} bars of 1m to settle"
    return None


def derive(folder: Path) -> Derived:
    """Return what the rule gives on the candles in `folder`."""
    found = Derived()
    for name in NAMES:
        if "sentiment" in describe(name).inputs:
            found.dropped[name] = "sentiment: there is no record of it to derive from"
        elif reason := outright(name):
            found.dropped[name] = reason
    names = [name for name in NAMES if name not in found.dropped]
    beside = [name for name in names if "benchmark" in describe(name).inputs]
    alone = [name for name in names if name not in beside]
    files = {(s, t): _candles(folder, s, t) for t in TIMEFRAMES for s in SYMBOLS}
    for (symbol, timeframe), candles in files.items():
        first, last = (f"{day:%Y-%m-%d}" for day in (candles.index[0], candles.index[-1]))
        found.data.append(f"{symbol} {timeframe} {first} … {last}")
    measured = {key: _measure(alone, key[1], candles) for key, candles in files.items()}
    found.model = keep(alone, measured, [], found)
    both = [*found.model, *beside]
    measured = {
        (s, t): _measure(both, t, with_benchmark(candles, files[BENCHMARK, t]))
        for (s, t), candles in files.items()
        if s != BENCHMARK
    }
    found.benchmark = keep(beside, measured, found.model, found)
    return found


def keep(names: Sequence[str], measured: Files, before: Sequence[str], found: Derived) -> list[str]:
    """Return the names that stay; the columns of `measured` are `before`, then `names`."""
    columns = {name: j for j, name in enumerate([*before, *names])}
    frames = [
        np.mean([one.rho for key, one in measured.items() if key[1] == timeframe], axis=0)
        for timeframe in TIMEFRAMES
    ]
    rho = np.minimum(*frames)
    kept: list[str] = []
    for name in names:
        j = columns[name]
        nearest = max((*before, *kept), key=lambda k: rho[j, columns[k]], default=name)
        i = columns[nearest]
        told = f"{nearest}: rho " + " ".join(
            f"{timeframe} {frame[j, i]:.3f}"
            for timeframe, frame in zip(TIMEFRAMES, frames, strict=True)
        )
        reason = _unfit(j, measured)
        if reason is None and abs(rho[j, i] - ALIKE) < NEAR:
            found.close.append(f"{name} and {told}")
        if reason is None and i != j and rho[j, i] > ALIKE:
            reason = f"goes with {told}"
        if reason is None:
            kept.append(name)
        else:
            found.dropped[name] = reason
    return kept


def _unfit(j: int, measured: Files) -> str | None:
    for (symbol, timeframe), one in measured.items():
        if not one.finite[j]:
            return f"not finite on {symbol} {timeframe}"
        if not one.varies[j]:
            return f"does not vary on {symbol} {timeframe}"
    met = float(np.mean([one.met[j] for one in measured.values()]))
    if all(one.signs[j] for one in measured.values()) and met < RARE:
        return f"met once in {1 / met:,.0f} bars" if met else "never met"
    return None


def _measure(names: Sequence[str], timeframe: str, candles: pd.DataFrame) -> Measured:
    program = FeatureProgram(names, timeframe)
    return Measured.of(np.asarray(program.run(candles, dtype=np.float64))[program.settle :])


def _candles(folder: Path, symbol: str, timeframe: str) -> pd.DataFrame:
    return as_candles(pd.read_parquet(folder / f"{symbol}_{timeframe}.parquet"))


def _comes_round(name: str) -> bool:
    """Return whether a feature of the clock repeats itself from week to week."""
    hours = pd.date_range("2024-01-01", periods=24 * 7 * 60, freq="h", tz="UTC", name="timestamp")
    still = as_candles(pd.DataFrame(1.0, index=hours, columns=list(COLUMNS)))
    values = FeatureProgram([name], "1h").run(still, dtype=np.float64)[:, 0]
    return bool((values[24 * 7 :] == values[: -24 * 7]).all())


def module(found: Derived, today: str) -> str:
    """Return the text of `features/model_set.py`."""
    data = textwrap.fill("; ".join(found.data), 96)
    return f'''"""The default inputs of models: scale-free, always finite, without near-duplicates.

Written by ``python -m bench.model_set``, which states the rule; derived on {today} from

{data}.

Do not edit: a test derives it again.
"""

from __future__ import annotations

MODEL_SET: tuple[str, ...] = (
{_listing(found.model)}
)  # fmt: skip
"""Names of the default model inputs, in the order of the catalogue: of candles alone."""

BENCHMARK_SET: tuple[str, ...] = (
{_listing(found.benchmark)}
)  # fmt: skip
"""What candles beside those of a benchmark add: derived on ETH and XRP beside BTC."""
'''


def _listing(names: Iterable[str]) -> str:
    def lines() -> Iterator[str]:
        for group, members in groupby(names, key=lambda name: FEATURES[name].group):
            yield f"    # {group}"
            yield textwrap.fill(
                " ".join(f'"{name}",' for name in members),
                100,
                initial_indent="    ",
                subsequent_indent="    ",
            )

    return "\n".join(lines())


def main() -> None:
    """Derive the set, print what was left out and why, and write it if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="holds BTC-USDT_1m.parquet and so on")
    parser.add_argument("--write", action="store_true", help="write features/model_set.py")
    asked = parser.parse_args()
    found = derive(asked.folder)
    for name, reason in found.dropped.items():
        print(f"{name:<26} {reason}")
    print(f"\n{len(found.model)} of candles alone, {len(found.benchmark)} beside a benchmark")
    for pair in found.close:
        print(f"near the threshold: {pair}")
    from features.model_set import BENCHMARK_SET, MODEL_SET

    now, stored = {*found.model, *found.benchmark}, {*MODEL_SET, *BENCHMARK_SET}
    print(f"new: {', '.join(sorted(now - stored)) or 'none'}")
    print(f"gone: {', '.join(sorted(stored - now)) or 'none'}")
    if asked.write:
        OUT.write_text(module(found, f"{datetime.now(UTC):%Y-%m-%d}"))
        print(f"wrote {OUT.name}")


if __name__ == "__main__":
    main()
