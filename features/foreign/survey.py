"""Every indicator of pandas-ta through the probe: which may be features, and why the others not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from features.errors import FeatureError, LooksAhead, NeverSettles
from features.foreign.indicators import short_names, verdicts
from features.foreign.library import indicators
from features.foreign.words import PREFIX, parse


@dataclass(frozen=True)
class Surveyed:
    """What became of one indicator with its default arguments.

    Parameters
    ----------
    name : str
        Of the indicator.
    kept : tuple of str
        Columns that may be features.
    scale_free : tuple of str
        Those of them that a model may read as they are.
    gaps : tuple of str
        Those of them that have no value where nothing moves.
    refused : dict of str to str
        By column, why not: ``never settles``, ``looks ahead`` or ``holes``; the whole indicator
        under its own name, with the error's words.
    exact : bool
        Whether no column kept changes by a single bit with what comes after it.
    """

    name: str
    kept: tuple[str, ...]
    scale_free: tuple[str, ...]
    gaps: tuple[str, ...]
    refused: dict[str, str]
    exact: bool


def survey(names: Iterable[str] | None = None) -> Iterator[Surveyed]:
    """Yield what the probe says of indicators, by default of all: that takes a minute."""
    for name in indicators() if names is None else names:
        try:
            found = verdicts(parse(PREFIX + name))
        except FeatureError as error:
            yield Surveyed(name, (), (), (), {name: str(error)}, True)
            continue
        short = short_names(found)
        refusals = {column: probed.refusal() for column, probed in found.items()}
        kept = [column for column, refused in refusals.items() if refused is None]
        yield Surveyed(
            name,
            tuple(short[column] for column in kept),
            tuple(short[column] for column in kept if found[column].scale_free),
            tuple(short[column] for column in kept if found[column].missing),
            {short[c]: _word(refused) for c, refused in refusals.items() if refused is not None},
            all(found[column].exact for column in kept),
        )


def _word(refused: FeatureError) -> str:
    if isinstance(refused, LooksAhead):
        return "looks ahead"
    return "never settles" if isinstance(refused, NeverSettles) else "holes"
