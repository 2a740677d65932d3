"""What there is to say about a feature: the source of its listing, its page and its document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from features.catalogue import FEATURES
from features.catalogue.feature import OWN, Feature
from features.catalogue.lookup import find
from features.definition import INPUT_NAMES, Definitions
from features.errors import RefusedFeature, UnknownFeature
from features.expression import Expr
from features.foreign import modules as modules  # lets names of one's own be found
from features.foreign.column import Column
from features.foreign.indicators import GROUP as INDICATORS
from features.inputs import BAR, EXTRAS
from features.model_set import MODEL_SET
from features.own import names as own_names
from market.timeframes import bars_per_day, parse_timeframe, timeframe_ms

REFUSED = "refused"
"""Stands for the unit of a feature of one's own that may not be one."""
_OWN_MODULE = "a module of your own"
_UNITS_OF_TIME = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))


@dataclass(frozen=True)
class Description:
    """Everything about one feature.

    Attributes
    ----------
    name, group, text
        Its name, its group, its sentence.
    definition
        Written out, with the names of listed features and of parts.
    parts
        By name, the definitions of the parts that it mentions.
    inputs
        Columns of a candle that it reads.
    unit
        ``–`` is scale-free; `REFUSED` if it may not be a feature, and `text` says why.
    lookback
        Bars before the first value; None if it is refused.
    settle
        Bars of `timeframe` until the start of the history no longer matters; None as above.
    settle_time
        The same as a time, such as ``4 h 54 min``.
    timeframe
        What bars are counted in.
    in_model_set
        Whether models see it by default.
    twin
        The scale-free feature that models read instead, if it has a unit.
    same_as
        The listed name of the same definition, if there is an earlier one.
    family
        Pattern of the family that it belongs to, such as ``sma_{n}``.
    alias_of
        The listed name, if this one is another word for it.
    source
        Module that defines it.
    hash
        Of its definition: equal for equal ones, whatever their name.
    """

    name: str
    group: str
    text: str
    definition: str
    parts: dict[str, str]
    inputs: tuple[str, ...]
    unit: str
    lookback: int | None
    settle: int | None
    settle_time: str
    timeframe: str
    in_model_set: bool
    twin: str | None
    same_as: str | None
    family: str | None
    alias_of: str | None
    source: str
    hash: str


def describe(name: str, timeframe: str = "1m") -> Description:
    """Return what there is to say about a feature, listed or of a family.

    Raises
    ------
    UnknownFeature
        With the nearest names.
    """
    return _described(name, find(name, FEATURES), parse_timeframe(timeframe), definitions())


def listing(
    timeframe: str = "1m",
    *,
    group: str | None = None,
    unit: str | None = None,
    model_set: bool = False,
) -> list[Description]:
    """Return the descriptions of all listed features, in the order of the catalogue.

    Features of one's own come last; one that is refused says why in place of its meaning.

    Parameters
    ----------
    timeframe : str
        What bars are counted in.
    group, unit : str, optional
        Only these; ``scale-free`` or ``-`` stand for the unit ``–``.
    model_set : bool
        Only what models see by default.

    Raises
    ------
    UnknownFeature
        A group or unit that no listed feature has.
    """
    timeframe = parse_timeframe(timeframe)
    own = own_names()  # imports the modules that add to the catalogue
    names = dict.fromkeys([*FEATURES, *own])
    write = definitions()
    every = [_listed(name, timeframe, write) for name in names]
    unit = "–" if unit in ("scale-free", "-") else unit
    for word, asked, known in (
        ("group", group, dict.fromkeys(one.group for one in every)),
        ("unit", unit, dict.fromkeys(one.unit for one in every)),
    ):
        if asked is not None and asked not in known:
            raise UnknownFeature(
                f"no listed feature has the {word} {asked!r}; choose from {', '.join(known)}"
            )
    return [
        one
        for one in every
        if group in (None, one.group)
        and unit in (None, one.unit)
        and (one.in_model_set or not model_set)
    ]


def span(ms: int) -> str:
    """Return a length of time in its two largest units, such as ``4 h 54 min``; rounded up."""
    largest = next((i for i, (_, size) in enumerate(_UNITS_OF_TIME) if ms >= size), 3)
    used = _UNITS_OF_TIME[largest : largest + 2]
    rest = -(-ms // used[-1][1]) * used[-1][1]
    told = []
    for word, size in used:
        count, rest = divmod(rest, size)
        told += [f"{count} {word}"] if count else []
    return " ".join(told) or "0"


def definitions() -> Definitions:
    """Return what writes definitions with the names that there are now."""
    return Definitions.of(FEATURES)


def _listed(name: str, timeframe: str, write: Definitions) -> Description:
    try:
        return _described(name, find(name, FEATURES), timeframe, write)
    except RefusedFeature as error:
        return Description(
            name=name, group=OWN, text=f"refused: {error}", definition="", parts={}, inputs=(),
            unit=REFUSED, lookback=None, settle=None, settle_time="", timeframe=timeframe,
            in_model_set=False, twin=None, same_as=None, family=None, alias_of=None,
            source=_OWN_MODULE, hash="",
        )  # fmt: skip


def _described(name: str, feature: Feature, timeframe: str, write: Definitions) -> Description:
    node = feature.expression
    listed = FEATURES.aliases.get(name, name)
    member = FEATURES.family_of(listed)
    settle = node.settle_bars + node.settle_days * bars_per_day(timeframe)
    return Description(
        name=name,
        group=feature.group,
        text=feature.text,
        definition=write.text(node),
        parts=write.parts_of(node),
        inputs=tuple(_inputs(node)),
        unit=str(node.unit),
        lookback=node.lookback,
        settle=settle,
        settle_time=span(settle * timeframe_ms(timeframe)),
        timeframe=timeframe,
        in_model_set=listed in MODEL_SET,
        twin=feature.twin or None,
        same_as=write.same_as(listed, node),
        family=member[0].pattern if member else None,
        alias_of=None if listed == name else listed,
        source=_source(feature),
        hash=node.digest,
    )


def _source(feature: Feature) -> str:
    """Return where a definition stands."""
    if feature.group == INDICATORS:
        return "pandas-ta-classic"
    if feature.group == OWN:
        return _OWN_MODULE
    return f"features/catalogue/{feature.group}.py"


def _inputs(expression: Expr) -> Iterator[str]:
    """Yield the columns of a candle that an expression reads, in their order there."""
    seen: set[str] = set()
    read: set[str] = set()
    stack = [expression]
    while stack:
        node = stack.pop()
        if node.digest in seen:
            continue
        seen.add(node.digest)
        if isinstance(node, Column):
            read |= {part.word for part in BAR[1:]}  # it is given whole candles
        elif not node.args:
            read.add(node.word)
        stack += node.args
    for node in (*BAR, *EXTRAS):
        if node.word in read:
            yield "timestamp" if node.word == "ts" else INPUT_NAMES.get(node.word, node.word)
