"""Features named ``ta:…``: each indicator probed once a process, its columns by name."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache

from features.catalogue.feature import Feature
from features.errors import RefusedFeature, UnknownFeature
from features.foreign.column import Call, column_of, window_for
from features.foreign.findings import Probe
from features.foreign.library import bind, resolve, version
from features.foreign.probe import probe
from features.foreign.words import PREFIX, Words, parse

GROUP = "pandas-ta"
_NUMBERS = re.compile(r"(_-?\d+(\.\d+)?)+$")


def feature(name: str) -> Feature | None:
    """Return the feature that a name with the prefix ``ta:`` means; None for other names.

    Raises
    ------
    UnknownFeature
        No such indicator, argument or column, or several columns and none was chosen.
    RefusedFeature
        The probe refuses it; the message has the numbers.
    """
    if not name.startswith(PREFIX):
        return None
    words = parse(name)
    found = verdicts(words)
    column = _choose(name, words, found)
    probed = _checked(name, words, found[column])
    # One window for all columns, so that one call computes them.
    window = window_for(max(p.settle or 0 for p in found.values()))
    call = Call(f"{_text(words)} over {window}", _content(words), window, bind(words))
    holes = f", none on {probed.missing} of {probed.bars} trial bars" if probed.missing else ""
    text = f"{column} of pandas-ta's {_text(words)}{holes}"
    return Feature(column_of(name, call, column, probed), text, GROUP)


def expand(name: str) -> tuple[str, ...]:
    """Return the names of the columns that a name means: itself, if it is one column.

    An indicator of several columns gives all that may be features; one of them has to.
    """
    if not name.startswith(PREFIX):
        return (name,)
    words = parse(name)
    found = verdicts(words)
    if words.column or len(found) == 1:
        return (name,)
    refusals = {column: verdict.refusal() for column, verdict in found.items()}
    kept = [column for column, refused in refusals.items() if refused is None]
    short = short_names(found)
    if not kept:
        _checked(f"{name}.{short[next(iter(found))]}", words, next(iter(found.values())))
    return tuple(f"{name}.{short[column]}" for column in kept)


def _checked(name: str, words: Words, probed: Probe) -> Probe:
    refused = replace(probed, name=name).refusal()
    if refused is None:
        return probed
    if probed.leak is None and probed.drift is None:  # holes, which a number can fill
        named = tuple({**dict(words.named), "fillna": 0}.items())
        filled = _text(Words(words.indicator, words.positional, tuple(sorted(named))))
        raise RefusedFeature(f"{refused}, such as {filled}")
    raise refused


def verdicts(words: Words) -> dict[str, Probe]:
    """Return what the probe says of each column, by the library's name of the column."""
    return _verdicts(_text(words), words.indicator)


@lru_cache(maxsize=1024)
def _verdicts(text: str, indicator: str) -> dict[str, Probe]:
    return probe(bind(parse(text)), indicator)


def _choose(name: str, words: Words, found: dict[str, Probe]) -> str:
    if not words.column:
        if len(found) == 1:
            return next(iter(found))
        raise UnknownFeature(
            f"{name!r} has {len(found)} columns; name one: {_listing(name, found)}"
        )
    names = {
        **{short: column for column, short in short_names(found).items()},
        **{c: c for c in found},
    }
    if words.column in names:
        return names[words.column]
    near = get_close_matches(words.column, names, n=1, cutoff=0.4)
    hint = f"did you mean .{near[0]}? " if near else ""
    raise UnknownFeature(
        f"{_text(words)} has no column {words.column!r}; {hint}it has "
        f"{_listing(_text(words), found)}"
    )


def short_names(found: dict[str, Probe]) -> dict[str, str]:
    """Return the columns without the numbers at their end, where that tells them apart."""
    stems = {column: _NUMBERS.sub("", column) for column in found}
    counts = list(stems.values())
    return {column: s if s and counts.count(s) == 1 else column for column, s in stems.items()}


def _listing(name: str, found: dict[str, Probe]) -> str:
    return ", ".join(f"{name}.{short}" for short in short_names(found).values())


def _text(words: Words) -> str:
    """Return the call in one spelling, whatever the order and blanks it was asked for in."""
    named = resolve(words)
    inner = ", ".join(f"{key}={value!r}" for key, value in sorted(named.items()))
    return f"{PREFIX}{words.indicator}({inner})" if inner else f"{PREFIX}{words.indicator}"


def _content(words: Words) -> str:
    text = f"pandas-ta-classic {version()} {_text(words)}"
    return hashlib.sha256(text.encode()).hexdigest()
