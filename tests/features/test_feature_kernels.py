"""Window statistics against exact fractions, on windows chosen to be awkward."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features import language as say
from features.catalogue import FEATURES
from features.catalogue.feature import Feature
from features.expression import Expr
from features.inputs import c, o, v
from features.program import FeatureProgram
from tests.features.walks import beside, frame, records, walk

Exact = Sequence[Fraction]
EPS = 2.0**-52
LENGTHS = (1, 2, 3, 4, 5, 17)
ROWS = 24  # bars of a case; the statistics of the last few are compared


# ---------------------------------------------------------------- exact definitions
def mean(x: Exact) -> Fraction:
    return sum(x, Fraction(0)) / len(x)


def power(x: Exact, k: int) -> Fraction:
    m = mean(x)
    return sum(((value - m) ** k for value in x), Fraction(0))


def covariance(x: Exact, y: Exact) -> Fraction:
    mx, my = mean(x), mean(y)
    products = ((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return sum(products, Fraction(0)) / (len(x) - 1)


def correlation(x: Exact, y: Exact) -> float:
    scale = covariance(x, x) * covariance(y, y)
    return float(covariance(x, y)) / root(scale) if scale else 0.0


def root(x: Fraction) -> float:
    """Return a square root without leaving the range of floats."""
    bits = (x.numerator.bit_length() - x.denominator.bit_length()) // 2
    return math.ldexp(math.sqrt(x / Fraction(4) ** bits), bits)


def slope(x: Exact) -> Fraction:
    t = [Fraction(i) for i in range(len(x))]
    return covariance(t, x) / covariance(t, t)


def r_squared(x: Exact) -> Fraction:
    t = [Fraction(i) for i in range(len(x))]
    spread = covariance(x, x)
    return covariance(t, x) ** 2 / (covariance(t, t) * spread) if spread else Fraction(0)


def skew(x: Exact) -> float:
    n, m2 = len(x), power(x, 2) / len(x)
    if not m2:
        return 0.0
    return math.sqrt(n * (n - 1)) / (n - 2) * float(power(x, 3) / n / m2) / root(m2)


def kurtosis(x: Exact) -> Fraction:
    n, m2 = len(x), power(x, 2)
    if not m2:
        return Fraction(0)
    lead = Fraction(n * (n + 1) * (n - 1), (n - 2) * (n - 3))
    return lead * power(x, 4) / m2**2 - Fraction(3 * (n - 1) ** 2, (n - 2) * (n - 3))


def mean_deviation(x: Exact) -> Fraction:
    m = mean(x)
    return mean([abs(value - m) for value in x])


def median(x: Exact) -> Fraction:
    ordered = sorted(x)
    return (ordered[(len(x) - 1) // 2] + ordered[len(x) // 2]) / 2


def rank(x: Exact) -> Fraction:
    others = x[:-1]
    halves = sum(2 * (other < x[-1]) + (other == x[-1]) for other in others)
    return Fraction(halves, 2 * len(others))


def since(x: Exact, best: Callable[[Exact], Fraction]) -> int:
    return list(reversed(x)).index(best(x))


def absolute(x: Exact) -> float:
    """Return the largest value: the size of rounding in sums."""
    return float(max(abs(value) for value in x))


def distance(x: Exact) -> float:
    """Return the largest difference to the oldest value: what sums are taken of."""
    return float(max(abs(value - x[0]) for value in x))


Bound = Callable[[Exact, float], float]
"""From the window and the exact result to the error that is allowed, in rounding units."""

NONE: Bound = lambda x, y: 0.0  # noqa: E731
SIZE: Bound = lambda x, y: 2 * len(x) * absolute(x)  # noqa: E731
OWN: Bound = lambda x, y: 8 * len(x) ** 2 * abs(y)  # noqa: E731

# Word, shortest window, exact definition, bound of the error in units of EPS.
STATISTICS: dict[str, tuple[Callable[[Expr, int], Expr], int, Callable, Bound]] = {
    "lag": (lambda x, n: say.lag(x, n - 1), 2, lambda x: x[0], NONE),
    "total": (say.total, 1, lambda x: sum(x, Fraction(0)), lambda x, y: len(x) ** 2 * absolute(x)),
    "mean": (say.mean, 1, mean, SIZE),
    "variance": (say.variance, 2, lambda x: covariance(x, x), OWN),
    "highest": (say.highest, 1, max, NONE),
    "lowest": (say.lowest, 1, min, NONE),
    "since_highest": (say.since_highest, 1, lambda x: since(x, max), NONE),
    "since_lowest": (say.since_lowest, 1, lambda x: since(x, min), NONE),
    "rank": (say.rank, 2, rank, lambda x, y: 1.0),
    "slope": (say.slope, 2, slope, lambda x, y: 8 * len(x) * distance(x)),
    "r_squared": (say.r_squared, 2, r_squared, lambda x, y: 16 * len(x) ** 2),
    "mean_deviation": (say.mean_deviation, 1, mean_deviation, SIZE),
    "median": (say.median, 1, median, lambda x, y: abs(y)),
}
SHAPES = {
    "skew": (say.skew, 3, skew),
    "kurtosis": (say.kurtosis, 4, kurtosis),
}
COLUMNS = {"c": c, "move": c - o}


def cases() -> dict[str, Expr]:
    """Return every statistic over every column and number of bars."""
    words = {word: (say_it, least) for word, (say_it, least, _, _) in STATISTICS.items()}
    words |= {word: (say_it, least) for word, (say_it, least, _) in SHAPES.items()}
    found = {
        f"{word} {column} {n}": say_it(x, n)
        for word, (say_it, least) in words.items()
        for column, x in COLUMNS.items()
        for n in LENGTHS
        if n >= least
    }
    pairs = {f"covariance {n}": say.covariance(c, v, n) for n in LENGTHS if n > 1}
    return found | pairs | {f"correlation {n}": say.correlation(c, v, n) for n in LENGTHS if n > 1}


CASES = cases()
PROGRAM = FeatureProgram(CASES, features={k: Feature(x, k) for k, x in CASES.items()})

ticks = st.integers(1, 6).map(lambda k: k * 0.01 + 100)
ulps = st.integers(0, 3).map(lambda k: 0.1 * (1 + k * EPS))
cheap = st.floats(1e-9, 1.1e-9)
wide = st.floats(-9, 9).map(lambda e: 10.0**e)
spiky = st.sampled_from([1.0, 1.0, 1.0, 1.0, 1.01, 1e12, 1e-12])
level = st.floats(1e-6, 1e6)
prices = st.one_of(
    *(st.lists(kind, min_size=ROWS, max_size=ROWS) for kind in (ticks, ulps, cheap, wide, spiky)),
    level.map(lambda x: [x] * ROWS),
    st.tuples(level, level).map(lambda x: [x[0]] * (ROWS - 3) + [x[1]] * 3),
)
coins = st.lists(
    st.sampled_from([0.0, 0.0, 1.0, 3.5, 1e-8, 1e9]) | st.floats(1e-9, 100),
    min_size=ROWS,
    max_size=ROWS,
)


def run(closes: list[float], opens: list[float], volumes: list[float]) -> dict[str, np.ndarray]:
    """Return every case's values; the same bars pushed one by one must give the same."""
    a, b = np.array(opens), np.array(closes)
    candles = frame(a, np.maximum(a, b), np.minimum(a, b), b, np.array(volumes))
    values = PROGRAM.run(candles, dtype=np.float64)
    PROGRAM.reset()
    for row, bar in zip(values, records(candles), strict=True):
        assert PROGRAM.push(bar).tobytes() == row.astype(np.float32).tobytes()
    return dict(zip(PROGRAM.names, values.T, strict=True))


def window(x: np.ndarray, t: int, n: int) -> Exact:
    return [Fraction(float(value)) for value in x[t - n + 1 : t + 1]]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(prices, prices, coins)
def test_statistics_are_the_exact_ones_but_for_rounding(closes, opens, volumes) -> None:
    values = run(closes, opens, volumes)
    columns = {"c": np.array(closes), "move": np.array(closes) - np.array(opens)}
    for word, (_, least, exactly, bound) in STATISTICS.items():
        for column, x in columns.items():
            for n in LENGTHS:
                for t in (ROWS - 4, ROWS - 1) if n >= least else ():
                    exact = exactly(bars := window(x, t, n))
                    error = abs(Fraction(float(values[f"{word} {column} {n}"][t])) - exact)
                    assert error <= EPS * bound(bars, float(exact)), (word, column, n, t)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(prices, prices)
def test_shapes_are_the_exact_ones_where_the_window_is_wide(closes, opens) -> None:
    values = run(closes, opens, [0.0] * ROWS)
    columns = {"c": np.array(closes), "move": np.array(closes) - np.array(opens)}
    for word, (_, least, exactly) in SHAPES.items():
        for column, x in columns.items():
            for n in (n for n in LENGTHS if n >= least):
                bars, ours = window(x, ROWS - 1, n), values[f"{word} {column} {n}"][-1]
                if not (spread := root(power(bars, 2) / n)):
                    assert ours == 0
                    continue
                # Distances are taken to a rounded mean: what that costs grows as windows narrow.
                limit = EPS * 200 * n**2 * (1 + absolute(bars) / spread)
                assert abs(ours) <= 4 * n**2, "what is left of rounding stays within bounds"
                if limit < 1e-2:
                    assert abs(ours - float(exactly(bars))) <= limit, (word, column, n)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(prices, coins)
def test_comoments_are_the_exact_ones_but_for_rounding(closes, volumes) -> None:
    values = run(closes, closes, volumes)
    x, y = np.array(closes), np.array(volumes)
    for n in (n for n in LENGTHS if n > 1):
        a, b = window(x, ROWS - 1, n), window(y, ROWS - 1, n)
        limit = EPS * 16 * n**2
        size = root(covariance(a, a)) * root(covariance(b, b))
        ours = values[f"covariance {n}"][-1]
        assert abs(ours - float(covariance(a, b))) <= limit * size, n
        ours = values[f"correlation {n}"][-1]
        assert abs(ours - correlation(a, b)) <= limit, n
        assert -1 <= ours <= 1
        if not size:
            assert ours == 0


def test_the_live_bar_keeps_every_bit_before_rows_are_rounded() -> None:
    """Rows are float32; what a program remembers of the last hundred bars is not."""
    listed = {name: feature.expression for name, feature in FEATURES.items()}
    kept = {name: Feature(say.lag(x, 100), name) for name, x in (CASES | listed).items()}
    candles = beside(walk(2400, seed=14, outages=[(700, 800)]), seed=14)
    at_once, by_bar = (FeatureProgram(kept, features=kept) for _ in range(2))
    at_once.run(candles)
    for bar in records(candles, by_bar.inputs):
        by_bar.push(bar)
    assert by_bar.to_bytes() == at_once.to_bytes()
