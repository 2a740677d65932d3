"""Choosing: the strategy that a person names, made with the parameters that a person gives."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import json
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import strategies
from orchestration.service.errors import BadStrategy
from strategies.base_strategy import BaseStrategy

EXAMPLES = strategies.__name__
_DIGITS = 16


@dataclass(frozen=True)
class Chosen:
    """A strategy's class and what it is made with.

    Attributes
    ----------
    kind
        The class.
    parameters
        Its constructor's arguments.
    code
        Digest of the module that it stands in, without comments and layout.
    """

    kind: type[BaseStrategy]
    parameters: Mapping[str, Any]
    code: str

    @property
    def name(self) -> str:
        """What its signals are signed with."""
        return str(getattr(self.kind, "name", self.kind.__name__))

    def made(self) -> BaseStrategy:
        """Return a new strategy.

        Raises
        ------
        BadStrategy
            It does not take these parameters.
        """
        try:
            inspect.signature(self.kind).bind(**self.parameters)
        except TypeError as error:
            raise BadStrategy(
                f"{self.kind.__name__}: {error}; it takes {_takes(self.kind)}"
            ) from error
        return self.kind(**self.parameters)

    def facts(self) -> dict[str, Any]:
        """Return what makes it this idea and no other."""
        told = {name: _plain(value) for name, value in sorted(self.parameters.items())}
        return {"class": self.kind.__qualname__, "code": self.code, "parameters": told}


def chosen(word: str, parameters: Sequence[str] = ()) -> Chosen:
    """Return the strategy that a word names.

    Parameters
    ----------
    word
        An example (``ml_enhanced``), ``package.module:Class``, ``path/file.py`` or
        ``path/file.py:Class``.
    parameters
        Each like ``threshold=0.6``: JSON, or else text.

    Raises
    ------
    BadStrategy
        Nothing of that name is there, or no strategy; the message says what is.
    """
    place, _, wanted = word.partition(":")
    module = _module(place)
    kind = _class_of(module, place, wanted)
    return Chosen(kind, dict(_parameter(text) for text in parameters), _digest(module))


def examples() -> dict[str, type[BaseStrategy]]:
    """Return the strategies that come with the house, by the name of their module."""
    found = {}
    for info in pkgutil.iter_modules(strategies.__path__):
        path = Path(strategies.__path__[0]) / f"{info.name}.py"
        if path.is_file() and "(BaseStrategy)" in path.read_text(encoding="utf-8"):
            kinds = _classes(importlib.import_module(f"{EXAMPLES}.{info.name}"))
            if kinds:
                found[info.name] = kinds[0]
    return found


def _module(place: str) -> ModuleType:
    if place.endswith(".py"):
        return _of_file(Path(place).expanduser())
    if "." in place:
        return _imported(place)
    known = examples()
    for module, kind in known.items():
        if place in (module, getattr(kind, "name", module), kind.__name__):
            return sys.modules[kind.__module__]
    raise BadStrategy(
        f"no strategy {place!r}; there are {', '.join(known)}, and of your own: "
        "path/to/file.py:Class or package.module:Class"
    )


def _of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise BadStrategy(f"there is no file {path}; name one that holds a strategy")
    name = f"tidewheel_strategy_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadStrategy(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for their module there
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError) as error:
        raise BadStrategy(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _imported(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ImportError as error:
        raise BadStrategy(f"module {place} cannot be imported: {error}") from error


def _class_of(module: ModuleType, place: str, wanted: str) -> type[BaseStrategy]:
    if wanted:
        kind = getattr(module, wanted, None)
        if not (isinstance(kind, type) and issubclass(kind, BaseStrategy)):
            raise BadStrategy(f"{place} has no strategy {wanted!r}{_there(module)}")
        return kind
    kinds = _classes(module)
    if len(kinds) != 1:
        raise BadStrategy(
            f"{place} holds {len(kinds)} strategies{_there(module)}; name one: {place}:Class"
        )
    return kinds[0]


def _there(module: ModuleType) -> str:
    names = ", ".join(kind.__name__ for kind in _classes(module))
    return f" (there are {names})" if names else " (a strategy is a subclass of BaseStrategy)"


def _classes(module: ModuleType) -> list[type[BaseStrategy]]:
    return [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, BaseStrategy)
        and kind.__module__ == module.__name__
        and not inspect.isabstract(kind)
    ]


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise BadStrategy(f"{text!r} is no parameter; write it as name=value")
    try:
        return name.strip(), json.loads(value)
    except json.JSONDecodeError:
        return name.strip(), value


def _digest(module: ModuleType) -> str:
    """Return the digest of a module's code: another threshold in it is another idea."""
    tree = ast.dump(ast.parse(inspect.getsource(module)))
    return hashlib.sha256(tree.encode()).hexdigest()[:_DIGITS]


def _takes(kind: type[BaseStrategy]) -> str:
    return ", ".join(str(p) for p in inspect.signature(kind).parameters.values()) or "none"


def _plain(value: Any) -> Any:
    return (
        value if isinstance(value, str | int | float | bool | list | dict | None) else repr(value)
    )
