"""The indicators of pandas-ta-classic as functions of candles, with look-ahead switched off."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from features.errors import LooksAhead, RefusedFeature, UnknownFeature
from features.foreign.answers import Function
from features.foreign.words import Words

_INPUTS = MappingProxyType(
    {"open_": "open", "open": "open", "high": "high", "low": "low", "close": "close",
     "volume": "volume", "source": "close"}
)  # fmt: skip
"""Parameters that take a column of the candles."""

# Whether TA-Lib is installed must not change a number, and nothing may look ahead.
_FIXED: Mapping[str, bool] = MappingProxyType({"talib": False, "lookahead": False})
_KEYWORDS = re.compile(r"""kwargs(?:\.(?:get|pop|setdefault)\(|\[)\s*["'](\w+)["']""")
_FILLS = ("fillna", "fill_method")
_FORWARD = "ffill"
_NEAR = 3
_BARS = re.compile(r"(.*_)?(length|fast|slow|signal|period)")
# Where its warnings are said to come from: from itself, or from who calls it.
_MODULE = re.compile(r"pandas_ta_classic|features\.foreign\.library")
_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
# Of the library's own comparisons of columns: those take columns of other calculations.
_SIGNALS = frozenset(
    {"signal_indicators", "cross_series", "cross_values", "xserie", "xserie_a", "xserie_b",
     "xa", "xb"}
)  # fmt: skip


@cache
def library() -> Any:
    """Return the library; importing it takes a third of a second, so it waits until asked for."""
    found = importlib.import_module("pandas_ta_classic")
    found.utils._core.logger.addFilter(lambda record: not _quiet.get())
    return found


def version() -> str:
    """Return the version of the library."""
    return str(library().__version__)


def indicators() -> tuple[str, ...]:
    """Return the names of all indicators, by category."""
    return tuple(name for names in library().Category.values() for name in names)


def resolve(words: Words) -> dict[str, Any]:
    """Return the arguments by name.

    Raises
    ------
    UnknownFeature
        No such indicator, or no such argument of it.
    RefusedFeature
        It needs something that candles do not have, or would look ahead.
    """
    signature = _signature(words.indicator)
    own = [p.name for p in signature.parameters.values() if _is_own(p)]
    named = dict(zip(own, words.positional, strict=False)) | dict(words.named)
    known = {*own, *_keywords(words.indicator)}
    unknown = [name for name in named if name not in known]
    surplus = len(words.positional) > len(own)
    twice = [name for name in own[: len(words.positional)] if name in dict(words.named)]
    if unknown or surplus or twice:
        wrong = ", ".join(unknown or twice) or f"{len(words.positional)} arguments without a name"
        raise UnknownFeature(
            f"ta:{words.indicator} does not take {wrong}; it is {_shown(words.indicator)}"
        )
    for name, value in named.items():
        # The library takes its default instead, and says nothing.
        if _BARS.fullmatch(name) and isinstance(value, int | float) and value < 1:
            raise UnknownFeature(
                f"ta:{words.indicator} cannot be had over {name}={value!r} bars; take 1 or more"
            )
    if named.get("fill_method") not in (None, _FORWARD):
        raise LooksAhead(
            f"ta:{words.indicator} with fill_method={named['fill_method']!r} takes values from "
            f"later bars; take {_FORWARD!r}, or fillna with a number"
        )
    return named


def bind(words: Words) -> Function:
    """Return the indicator with these arguments as a function of candles.

    Raises
    ------
    UnknownFeature, RefusedFeature
        As `resolve` does.
    """
    arguments = resolve(words)
    function = getattr(library(), words.indicator)
    parameters = _signature(words.indicator).parameters
    columns = {name: _INPUTS[name] for name in parameters if name in _INPUTS}
    keywords = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    fixed = {
        name: value
        for name, value in _FIXED.items()
        if name in parameters or (keywords and name == "lookahead")
    }

    def compute(candles: pd.DataFrame) -> pd.DataFrame:
        # Without its zone, which is UTC: periods of the calendar know none.
        index = pd.DatetimeIndex(candles.index).tz_localize(None)
        series = {name: candles[c].set_axis(index) for name, c in columns.items()}
        with quiet():
            answer = function(**series, **arguments, **fixed)
        return _frame(answer, words.indicator, candles.index)

    return compute


@contextmanager
def quiet() -> Iterator[None]:
    """Let the library say nothing: of short histories, of which the probe makes many.

    In this thread only. Nothing is restored that belongs to the process: of two threads that
    overlap, the latter would restore the silence of the former.
    """
    if not any(kind[0] == "ignore" and kind[3] == _MODULE for kind in warnings.filters):
        warnings.filterwarnings("ignore", module=_MODULE.pattern)
    before = _quiet.set(True)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        _quiet.reset(before)


def _frame(answer: Any, indicator: str, index: pd.Index) -> pd.DataFrame:
    """Return the answer beside its candles; ichimoku answers with a second, future table."""
    if isinstance(answer, tuple):
        answer = answer[0]
    if answer is None:
        raise RefusedFeature(
            f"ta:{indicator} gives nothing for {len(index)} candles: they are too few, it needs "
            "another column, or it cannot do without what comes later"
        )
    if isinstance(answer, pd.Series):
        answer = answer.to_frame(indicator)
    if not isinstance(answer, pd.DataFrame):
        raise RefusedFeature(
            f"ta:{indicator} gives {type(answer).__name__} and no column; see {_shown(indicator)}"
        )
    return answer.set_axis(index) if len(answer) == len(index) else answer


@cache
def _signature(indicator: str) -> inspect.Signature:
    names = indicators()
    if indicator not in names:
        near = get_close_matches(indicator, names, n=_NEAR, cutoff=0.5)
        hint = f"did you mean {' or '.join(f'ta:{name}' for name in near)}?" if near else ""
        raise UnknownFeature(
            f"pandas-ta has no indicator {indicator!r} among its {len(names)}; "
            f"{hint or 'docs/own_features.md lists them'}"
        )
    signature = inspect.signature(getattr(library(), indicator))
    lacking = [
        p.name
        for p in signature.parameters.values()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in _INPUTS
    ]
    if lacking:
        raise RefusedFeature(
            f"ta:{indicator} needs {', '.join(lacking)} beside the candles, columns of another "
            "calculation; write it as a function of your own (features.own.add)"
        )
    return signature


def _is_own(parameter: inspect.Parameter) -> bool:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = parameter.name in _INPUTS or parameter.name in _FIXED
    return parameter.kind in kinds and not taken and "Series" not in str(parameter.annotation)


@cache
def _keywords(indicator: str) -> frozenset[str]:
    """Return what an indicator reads of its keywords without naming it in its signature."""
    source = inspect.getsource(getattr(library(), indicator))
    read = set(_KEYWORDS.findall(source)) | (set(_FILLS) if "apply_fill" in source else set())
    return frozenset(read - set(_FIXED) - _SIGNALS)


def _shown(indicator: str) -> str:
    """Return how an indicator is asked for, with what it takes."""
    parameters = _signature(indicator).parameters.values()
    own = [
        p.name if p.default in (None, p.empty) else f"{p.name}={p.default!r}"
        for p in parameters
        if _is_own(p)
    ]
    return f"ta:{indicator}({', '.join([*own, *sorted(_keywords(indicator))])})"
