"""Columns in price or volume units, and the scale-free twins that models read instead of them.

A model that has learnt a price level is wrong at the next one. The catalogue names for each such
feature the one that tells a model the same in ratios: ``close_to_sma_20`` for ``sma_20``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from features.catalogue import FEATURES
from features.catalogue.feature import Feature
from features.catalogue.lookup import Catalogue, find


@dataclass(frozen=True)
class Exchange:
    """Columns that a model can read, made of any.

    Parameters
    ----------
    columns : tuple of str
        Scale-free features, each definition once.
    exchanged : mapping of str to str
        By the column that was asked for, the one that stands for it.
    """

    columns: tuple[str, ...]
    exchanged: Mapping[str, str]


def with_units(
    names: Iterable[str], features: Mapping[str, Feature] = FEATURES
) -> dict[str, Feature]:
    """Return the features among `names` that are in price or volume units.

    Raises
    ------
    UnknownFeature
        A name that nobody defined.
    """
    found = {name: find(name, features) for name in names}
    return {name: f for name, f in found.items() if not f.expression.unit.scale_free}


def refusal(refused: Mapping[str, Feature]) -> str:
    """Return the sentence that refuses these columns by name, each with its unit and twin."""
    told = [
        f"{name} [{feature.expression.unit}], take {feature.twin}"
        if feature.twin
        else f"{name} [{feature.expression.unit}], which names no twin: divide it by a price or "
        "volume, or leave it out"
        for name, feature in refused.items()
    ]
    return (
        f"models read no columns in price or volume units, and {len(told)} are: {'; '.join(told)}"
    )


def exchange(names: Sequence[str], features: Mapping[str, Feature] = FEATURES) -> Exchange:
    """Return `names` with every column that has a unit exchanged for its twin.

    A column whose definition is there already is not repeated. One that names no twin stays, so
    that `with_units` finds it.

    Raises
    ------
    UnknownFeature
        A name that nobody defined.
    """
    twins = {name: f.twin for name, f in with_units(names, features).items() if f.twin}
    # Those asked for by name come first, so that a twin does not displace the name a caller uses.
    kept: dict[str, str] = {}
    for name in [*(n for n in names if n not in twins), *twins.values()]:
        kept.setdefault(find(name, features).expression.digest, name)
    stands = {n: kept[find(twins.get(n, n), features).expression.digest] for n in names}
    exchanged = {name: stands[name] for name in names if name in twins}
    return Exchange(tuple(dict.fromkeys(stands[name] for name in names)), exchanged)


def raw_names(columns: Iterable[str], catalogue: Catalogue = FEATURES) -> dict[str, str]:
    """Return, by the features in price or volume units that `columns` are twins of, the column.

    What a caller may hand to a model by mistake, so that the model can say what it reads instead.
    """
    asked = list(columns)
    found = {raw: f.twin for raw, f in catalogue.items() if f.twin in asked}
    for family in catalogue.families.values():
        if family.twin:
            shape = re.compile(re.escape(family.twin).replace(r"\{n\}", "([1-9][0-9]*)"))
            met = [(column, shape.fullmatch(column)) for column in asked]
            found |= {family.name(int(m[1])): column for column, m in met if m}
    return found
