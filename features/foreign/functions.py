"""The user's own functions of candles: declared by name, probed when they are first asked for."""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace

from features.answers import Function
from features.catalogue.feature import OWN, Feature
from features.errors import FeatureError, RefusedFeature
from features.findings import Probe
from features.foreign.column import Call, column_of
from features.probe import LENGTHS, probe

_SHOWN = 8
_LONGEST = 20_000  # bars: two weeks of 1m; each value is computed from that many


@dataclass(frozen=True)
class Declared:
    """A function that was added as a feature.

    Parameters
    ----------
    name : str
    function : callable
        Candles in, a Series of the same length out.
    text : str
        One sentence for people.
    window : int
        Bars that a value depends on, the current one included.
    source : str
        Its source text, which is its definition.
    """

    name: str
    function: Function
    text: str
    window: int
    source: str

    @property
    def content(self) -> str:
        """Hash of the definition."""
        return hashlib.sha256(f"{self.window}|{self.source}".encode()).hexdigest()


_DECLARED: dict[str, Declared] = {}
_PROBED: dict[str, Probe] = {}
_LOADERS: list[Callable[[], str]] = []


def declare(name: str, function: Function, text: str, window: int, source: str | None) -> Declared:
    """Return what was declared, with the source text of the function.

    Raises
    ------
    FeatureError
        The window is no number of bars, or there is no source text to tell versions by.
    """
    if not 1 <= window <= _LONGEST:
        raise FeatureError(
            f"{name} declares a window of {window!r}; say how many bars a value depends on, the "
            f"current one included: 1 to {_LONGEST}"
        )
    return Declared(
        name, function, text, window, _source(name, function) if source is None else source
    )


def keep(declared: Declared, *, replaces: bool) -> None:
    """Take a declared function up.

    Raises
    ------
    FeatureError
        Another function has this name.
    """
    known = _DECLARED.get(declared.name)
    if known is not None and known.content != declared.content and not replaces:
        raise FeatureError(
            f"{declared.name} is another function already; choose another name, or say replace=True"
        )
    _DECLARED[declared.name] = declared


def forget(name: str) -> None:
    """Let a declared function go."""
    _DECLARED.pop(name, None)


def is_declared(name: str) -> bool:
    """Return whether a function has this name."""
    return name in _DECLARED


def names() -> list[str]:
    """Return the names of all declared functions."""
    load()
    return list(_DECLARED)


def feature(name: str) -> Feature | None:
    """Return the declared function called `name` as a feature; None if there is none.

    Raises
    ------
    RefusedFeature
        The probe refuses it, or it reads more bars than it declares; the message has the numbers.
    """
    if name not in _DECLARED:
        load()
    if name not in _DECLARED:
        return None
    declared = _DECLARED[name]
    probed = verdict(declared).check()
    if (probed.settle or 0) >= declared.window:
        raise RefusedFeature(
            f"{name} declares a window of {declared.window} bars, but a value still changes with "
            f"the bar {probed.settle} bars back; declare window={(probed.settle or 0) + 1} or more"
        )
    call = Call(name, declared.content, declared.window - 1, declared.function)
    return Feature(column_of(name, call, name, probed), declared.text, OWN)


def verdict(declared: Declared) -> Probe:
    """Return what the probe says of a function, once for each definition.

    Raises
    ------
    RefusedFeature
        It fails, misbehaves, or gives several columns.
    """
    key = f"{declared.name}|{declared.content}"
    if key not in _PROBED:
        lengths = sorted({*LENGTHS, max(LENGTHS[0], 4 * declared.window)})
        found = probe(declared.function, declared.name, lengths)
        if len(found) != 1:
            raise RefusedFeature(
                f"{declared.name} gives {len(found)} columns ({', '.join(found)}); a feature is "
                "one Series: add a function for each"
            )
        (probed,) = found.values()
        _PROBED[key] = replace(probed, name=declared.name)
    return _PROBED[key]


def load() -> str:
    """Let modules that declare features be imported; return what there is to say of them."""
    return "".join(loader() for loader in _LOADERS)


def on_load(loader: Callable[[], str]) -> None:
    """Ask `loader` before a name counts as unknown."""
    _LOADERS.append(loader)


def hint() -> str:
    """Return what the error of an unknown name says about features of one's own."""
    told = [load()]
    if _DECLARED:
        shown = list(_DECLARED)[:_SHOWN]
        more = ", …" if len(_DECLARED) > _SHOWN else ""
        told.append(f"functions of your own here: {', '.join(shown)}{more}")
    return "".join(f"; {sentence}" for sentence in told if sentence)


def _source(name: str, function: Function) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise FeatureError(
            f"{name} has no source text, by which another version of it would be told; define it "
            "in a file, or say source='…' with a text that you change when it changes"
        ) from error
