"""The user's own functions of candles: declared by name, probed when they are first asked for."""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from numbers import Integral
from types import CellType

from features.catalogue.feature import OWN, Feature
from features.errors import FeatureError, RefusedFeature
from features.foreign.answers import Function
from features.foreign.column import Call, column_of
from features.foreign.findings import Probe
from features.foreign.probe import LENGTHS, probe

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
        Its definition: source text, and the plain values that it closes over or has as defaults.
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
_PROBED: dict[str, tuple[Declared, Probe]] = {}
_LOADERS: list[Callable[[], str]] = []


def declare(name: str, function: Function, text: str, window: int, source: str | None) -> Declared:
    """Return what was declared, with the source text of the function.

    Raises
    ------
    FeatureError
        The window is no number of bars, or there is no source text to tell versions by.
    """
    if not isinstance(window, Integral) or not 1 <= window <= _LONGEST:
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
    if known == declared:
        return
    if known is not None and known.content != declared.content and not replaces:
        raise FeatureError(
            f"{declared.name} is another function already; choose another name, or say replace=True"
        )
    _DECLARED[declared.name] = declared


def forget(name: str) -> None:
    """Let a declared function go."""
    _DECLARED.pop(name, None)
    _PROBED.pop(name, None)


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
    """Return what the probe says of a function, once for each that is declared.

    Raises
    ------
    RefusedFeature
        It fails, misbehaves, or gives several columns.
    """
    known = _PROBED.get(declared.name)
    # By the function, not by its text: what has the same text may behave otherwise.
    if known is not None and known[0] is declared:
        return known[1]
    lengths = sorted({*LENGTHS, max(LENGTHS[0], 4 * declared.window)})
    found = probe(declared.function, declared.name, lengths)
    if len(found) != 1:
        raise RefusedFeature(
            f"{declared.name} gives {len(found)} columns ({', '.join(found)}); a feature is "
            "one Series: add a function for each"
        )
    (probed,) = found.values()
    probed = replace(probed, name=declared.name)
    _PROBED[declared.name] = declared, probed
    return probed


def load() -> str:
    """Let modules that declare features be imported; return what there is to say of them."""
    return "".join(loader() for loader in _LOADERS)


def on_load(loader: Callable[[], str]) -> None:
    """Ask `loader` before a name counts as unknown."""
    _LOADERS.append(loader)


def hint() -> str:
    """Return what the error of an unknown name says about features of one's own."""
    try:
        told = [load()]
    except FeatureError as error:  # a module that fails is a reason too, and no second error
        told = [str(error)]
    if _DECLARED:
        shown = list(_DECLARED)[:_SHOWN]
        more = ", …" if len(_DECLARED) > _SHOWN else ""
        told.append(f"functions of your own here: {', '.join(shown)}{more}")
    return "".join(f"; {sentence}" for sentence in told if sentence)


def _source(name: str, function: Function) -> str:
    try:
        text = textwrap.dedent(inspect.getsource(function))
        return "\n".join([text, *_held(inspect.unwrap(function))])
    except (OSError, TypeError) as error:
        raise FeatureError(
            f"{name} has no source text, by which another version of it would be told; define it "
            "in a file, or say source='…' with a text that you change when it changes"
        ) from error


def _held(function: Function) -> Iterator[str]:
    """Yield the plain values that a function closes over or has as defaults.

    Its text does not tell them: ``lambda candles, n=n: …`` in a loop over n.
    """
    plain = getattr(function, "__func__", function)
    if not hasattr(plain, "__code__"):
        return
    cells = zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=True)
    defaults = [*enumerate(plain.__defaults__ or ()), *(plain.__kwdefaults__ or {}).items()]
    for name, value in [*((name, _content(cell)) for name, cell in cells), *defaults]:
        if _is_plain(value):
            yield f"# {name} = {value!r}"


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # nothing in it yet
        return object


def _is_plain(value: object) -> bool:
    """Return whether a value is written the same in every process."""
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return _is_plain([*value, *value.values()])
    return value is None or isinstance(value, bool | int | float | str)
