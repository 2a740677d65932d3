"""Features of one's own: an expression or a function, added by name without touching the project.

::

    from features.inputs import c
    from features.language import ema
    from features.own import add

    add("ema_gap", ema(c, 9) / ema(c, 21) - 1, "Fast average relative to the slow one")

From then on the name is known wherever a feature can be named. Other processes find it when the
module that adds it is named in ``TIDEWHEEL_FEATURES`` (`features.foreign.modules`).
"""

from __future__ import annotations

from features.catalogue import FEATURES
from features.catalogue.feature import OWN
from features.catalogue.lookup import check_name
from features.errors import FeatureError
from features.expression import Expr
from features.foreign import functions
from features.foreign.answers import Function


def add(
    name: str,
    definition: Expr | Function,
    text: str,
    *,
    window: int | None = None,
    twin: str = "",
    source: str | None = None,
    replace: bool = False,
) -> None:
    """Add a feature.

    Parameters
    ----------
    name : str
        Its name: letters, digits and underscores.
    definition : Expr or callable
        An expression in the words of `features.language`: look-back, settling length, unit and
        hash are derived. Or a function that is given candles (columns ``open high low close
        volume``, indexed by open time) and returns a Series of the same length: it is probed when
        it is first asked for, and refused if it looks ahead, never settles or reads more bars
        than it declares.
    text : str
        One sentence for people.
    window : int
        For a function: bars that a value depends on, the current one included. A value is computed
        of these and at most a block of bars before them, in history as in live.
    twin : str
        For an expression in price or volume units: the scale-free feature for models.
    source : str, optional
        For a function: the text that stands for its definition, by default its source code. The
        hash is made of it, so a model refuses another version.
    replace : bool
        Whether another feature of one's own may have had this name.

    Raises
    ------
    FeatureError
        The name is taken or no word, or the window is missing.
    """
    if isinstance(definition, Expr):
        if functions.is_declared(name):
            raise FeatureError(f"{name} is a function already; choose another name, or remove it")
        if window is not None or source is not None:
            raise FeatureError(
                f"{name} is an expression: its window is derived; leave window and source out"
            )
        FEATURES.add(name, definition, text, twin=twin, replace=replace)
        return
    if not callable(definition):
        raise FeatureError(
            f"{name} is {type(definition).__name__}; add an expression or a function of candles"
        )
    if window is None:
        raise FeatureError(
            f"{name} is a function; say window=…, the bars that a value depends on, the current "
            "one included"
        )
    if twin:
        raise FeatureError(f"{name} is a function, which names no twin; return a ratio instead")
    declared = functions.declare(name, definition, text, window, source)
    if not functions.is_declared(name):
        check_name(name, FEATURES)
    functions.keep(declared, replaces=replace)


def remove(name: str) -> None:
    """Forget a feature of one's own; a name that is none is no error."""
    FEATURES.remove(name)
    functions.forget(name)


def names() -> list[str]:
    """Return the names of all features of one's own, expressions first."""
    listed = functions.names()
    return [name for name in FEATURES if FEATURES[name].group == OWN] + listed


def every_name() -> list[str]:
    """Return the names of the catalogue, then those of one's own."""
    functions.load()
    return list(dict.fromkeys([*FEATURES, *functions.names()]))
