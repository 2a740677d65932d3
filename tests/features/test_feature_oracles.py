"""Every feature equals what TA-Lib, pandas-ta-classic or a slow and plain definition gives."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import numpy as np
import pytest

from features.catalogue import FEATURES
from features.program import FeatureProgram
from tests.features.oracles import (
    cross,
    levels,
    micro,
    momentum,
    pattern,
    price,
    regime,
    rolling,
    sentiment,
    time,
    trend,
    volatility,
    volume,
)
from tests.features.oracles.common import MARKETS, SETTLED, Exempt, Market, Oracle, computed

GROUPS: dict[str, ModuleType] = {
    "price": price, "trend": trend, "momentum": momentum, "volatility": volatility,
    "volume": volume, "rolling": rolling, "pattern": pattern, "levels": levels, "time": time,
    "micro": micro, "regime": regime, "cross": cross, "sentiment": sentiment,
}  # fmt: skip
KINDS = {"TALIB": 2, "CLASSIC": 2, "PLAIN": 3}
"""How many of its group's markets each kind meets."""
LEAST_ROWS = 250
LEAST_CHANGES = 5


def markets(module: ModuleType, kind: str) -> tuple[Market, ...]:
    """Return the candles that a group's oracles of this kind meet; a group may have its own."""
    return getattr(module, "MARKETS", MARKETS)[: KINDS[kind]]


CASES = [
    pytest.param(module, kind, name, market, id=f"{name}-{kind.lower()}-{market.name}")
    for module in GROUPS.values()
    for kind in KINDS
    for name in getattr(module, kind)
    for market in markets(module, kind)
]
EXCEPTIONS = [
    pytest.param(module, kind, name, id=f"{name}-{kind.lower()}")
    for module in GROUPS.values()
    for kind, name in module.EXCEPTIONS
]


@cache
def said_by(oracle: Oracle, market: Market) -> np.ndarray:
    """Return what an oracle says; asked once."""
    return np.asarray(oracle(market), dtype=np.float64)


def disagreement(oracle: Oracle, name: str, market: Market, exempt: Exempt) -> str:
    """Return where feature and oracle part, or nothing."""
    program = FeatureProgram([name])
    start = program.lookback if exempt.start is None else exempt.start
    start = program.settle if start == SETTLED else start
    ours, theirs = computed(market, name), said_by(oracle, market)
    assert len(theirs) == len(ours)
    ours, theirs = ours[start:], theirs[start:]
    assert len(theirs) >= LEAST_ROWS, f"{len(theirs)} rows from bar {start} on prove little"
    missing = np.flatnonzero(~np.isfinite(theirs))
    if len(missing):
        return f"the oracle has no number at {len(missing)} bars, first {start + missing[0]}"
    limit = exempt.tolerance * (np.abs(theirs) + np.abs(theirs).mean())
    apart = np.flatnonzero(~(np.abs(ours - theirs) <= limit))
    if len(apart) <= (1 - exempt.share) * len(theirs):
        return ""
    t = apart[0]
    return f"{len(apart)} of {len(ours)} bars differ, first {start + t}: {ours[t]} {theirs[t]}"


def changes(oracle: Oracle, name: str, market: Market) -> int:
    """Return how many values are not the usual one: an oracle that never changes proves nothing."""
    said = said_by(oracle, market)[FeatureProgram([name]).lookback :]
    _, counts = np.unique(said[np.isfinite(said)], return_counts=True)
    return int(counts.sum() - counts.max())


def exemptions(module: ModuleType, kind: str, name: str) -> tuple[Exempt, ...]:
    """Return what is excepted from full agreement, for some markets or for all."""
    exempt = module.EXCEPTIONS.get((kind, name), ())
    return exempt if isinstance(exempt, tuple) else (exempt,)


@pytest.mark.parametrize(("module", "kind", "name", "market"), CASES)
def test_a_feature_equals_its_oracle(module, kind, name, market) -> None:
    there = (e for e in exemptions(module, kind, name) if market.name in e.markets)
    exempt, oracle = next(there, Exempt("")), getattr(module, kind)[name]
    said = disagreement(oracle, name, market, exempt)
    if exempt.differs:
        assert said, f"{name} agrees after all; drop the exception"
    else:
        assert not said, said
    assert changes(oracle, name, market) >= LEAST_CHANGES or name in module.RARE


@pytest.mark.parametrize(("module", "kind", "name"), EXCEPTIONS)
def test_an_exception_is_still_needed(module, kind, name) -> None:
    oracle = getattr(module, kind)[name]
    for exempt in exemptions(module, kind, name):
        assert exempt.reason
        there = [market for market in markets(module, kind) if market.name in exempt.markets]
        assert any(disagreement(oracle, name, market, Exempt("")) for market in there)


@pytest.mark.parametrize("module", GROUPS.values(), ids=list(GROUPS))
def test_what_is_called_rare_is_rare(module) -> None:
    for name, reason in module.RARE.items():
        tables = [(kind, getattr(module, kind)) for kind in KINDS]
        seen = [
            changes(table[name], name, market)
            for kind, table in tables
            if name in table
            for market in markets(module, kind)
        ]
        assert reason
        assert min(seen) < LEAST_CHANGES, name


def test_every_feature_has_an_oracle() -> None:
    proven = {
        FEATURES.aliases.get(name, name)
        for module in GROUPS.values()
        for kind in KINDS
        for name in getattr(module, kind)
        if not any(exempt.differs for exempt in exemptions(module, kind, name))
    }
    assert [name for name in FEATURES if name not in proven] == []
    for group, module in GROUPS.items():
        named = {n for kind in KINDS for n in getattr(module, kind)} | set(module.RARE)
        assert {n: FEATURES[n].group for n in named} == dict.fromkeys(named, group)


def patterns(name: str) -> set[str]:
    """Return the families that a name may belong to."""
    parts = name.split("_")
    numbers = [i for i, part in enumerate(parts) if part.isdecimal()]
    return {"_".join([*parts[:i], "{n}", *parts[i + 1 :]]) for i in numbers}


@pytest.mark.parametrize(("module", "group"), [(m, g) for g, m in GROUPS.items()])
def test_every_family_is_tried_at_a_number_that_is_not_listed(module, group) -> None:
    tried = {n for kind in KINDS for n in getattr(module, kind)} - set(FEATURES)
    families = {pattern for pattern, own in FEATURES.families.items() if own.group == group}
    assert families <= {pattern for name in tried for pattern in patterns(name)}
