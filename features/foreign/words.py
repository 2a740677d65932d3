"""The words ``ta:supertrend(length=10, multiplier=3).SUPERTd``, taken apart."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

from features.errors import UnknownFeature

PREFIX = "ta:"
_SHAPE = re.compile(r"ta:\s*([A-Za-z_]\w*)\s*(?:\((.*)\))?\s*(?:\.([^()]+))?", re.DOTALL)
_EXAMPLE = "write ta:rsi, ta:rsi(length=14) or ta:macd(fast=8, slow=21).MACDh"


@dataclass(frozen=True)
class Words:
    """What was asked for.

    Parameters
    ----------
    indicator : str
        Its name in the library.
    positional : tuple
        Arguments without a name, in order.
    named : tuple of (str, value)
        Arguments with a name, sorted.
    column : str
        The column chosen, or nothing.
    """

    indicator: str
    positional: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()
    column: str = ""


def parse(name: str) -> Words:
    """Return the parts of a name; arguments are literals, nothing is ever evaluated.

    Raises
    ------
    UnknownFeature
        The name has another shape, or an argument is no literal.
    """
    found = _SHAPE.fullmatch(name.strip())
    if found is None:
        raise UnknownFeature(f"{name!r} cannot be read; {_EXAMPLE}")
    indicator, arguments, column = found.groups()
    positional, named = _arguments(name, arguments or "")
    return Words(indicator, positional, named, (column or "").strip())


def _arguments(name: str, text: str) -> tuple[tuple[Any, ...], tuple[tuple[str, Any], ...]]:
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise UnknownFeature(f"the arguments of {name!r} cannot be read; {_EXAMPLE}") from error
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise UnknownFeature(f"{name!r} cannot be read; {_EXAMPLE}")
    named = {keyword.arg or "**": _literal(name, keyword.value) for keyword in call.keywords}
    if len(named) < len(call.keywords) or "**" in named:
        raise UnknownFeature(f"{name!r} gives an argument twice, or with stars; {_EXAMPLE}")
    return tuple(_literal(name, node) for node in call.args), tuple(sorted(named.items()))


def _literal(name: str, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise UnknownFeature(
            f"{name!r}: {ast.unparse(node)} is no number, text or list; {_EXAMPLE}"
        ) from error
