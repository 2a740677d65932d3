"""An expression over bars: a node of the feature graph that knows unit, look-back, settling, hash.

Nodes are immutable and share their parts. Two nodes with the same `digest` mean the same numbers
and are computed once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from features.engine.kernels import elementwise as e
from features.errors import UnitError
from features.units import SCALE_FREE, Unit

Number = int | float
_SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "greater": ">",
            "greater_equal": ">=", "equal": "==", "both": "&"}  # fmt: skip
# Bump when the meaning of an operation changes: the hashes of all features change with it.
_LANGUAGE = 1


@dataclass(frozen=True, eq=False)
class Expr:
    """One operation on other expressions.

    Parameters
    ----------
    word : str
        Its name in the language; ``const`` and inputs have a code of -1.
    code : int
        Number of the kernel.
    args : tuple of Expr
        What it works on, at most three.
    unit : Unit
        Unit of the result.
    reach : int
        Bars before the current one that it reads of its arguments.
    seed : int
        Bars before its first value, besides `reach`, that a recursion is started with.
    forget : int
        Bars until what a recursion was started with has shrunk to 1e-9.
    sessions : int
        Days until the start of a session lies inside any history.
    alpha : float
        Smoothing of a recursion, or the value of a constant.
    """

    word: str
    code: int
    args: tuple[Expr, ...]
    unit: Unit
    reach: int = 0
    seed: int = 0
    forget: int = 0
    sessions: int = 0
    alpha: float = 0.0

    @cached_property
    def lookback(self) -> int:
        """Bars before the first value."""
        return max((a.lookback for a in self.args), default=0) + self.reach + self.seed

    @cached_property
    def settle_bars(self) -> int:
        """Bars until the start of the history no longer matters, sessions aside."""
        inner = max((a.settle_bars for a in self.args), default=0)
        return inner + self.reach + self.seed + self.forget + self._shrinking

    @cached_property
    def memory(self) -> int:
        """Bars in which what recursions hold shrinks to 1e-9, one after the other."""
        return max((a.memory for a in self.args), default=0) + self.forget

    @cached_property
    def _shrinking(self) -> int:
        """Bars more, where something is measured by an average that may itself have shrunk.

        In a quiet market it is down to 1e-9 of what it was before it is cleared, as small as what
        is left of the start by then; and the root of what is left is larger than it is.
        """
        shrunken = {"ratio": 1, "sqrt": 0}.get(self.word)
        return 0 if shrunken is None else self.args[shrunken].memory

    @cached_property
    def settle_days(self) -> int:
        """Days of history needed besides `settle_bars`, for sums since midnight and the like."""
        return max((a.settle_days for a in self.args), default=0) + self.sessions

    @cached_property
    def digest(self) -> str:
        """Content hash of the definition: equal for equal definitions, whatever their name."""
        numbers = (self.reach, self.seed, self.forget, self.sessions, self.alpha)
        parts = [str(_LANGUAGE), self.word, repr(numbers), *(a.digest for a in self.args)]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]

    @cached_property
    def text(self) -> str:
        """The definition, written out."""
        if self.word == "const":
            return f"{self.alpha:g}"
        if self.word in _SYMBOLS:
            return f"({self.args[0].text}{_SYMBOLS[self.word]}{self.args[1].text})"
        bars = self.reach + self.seed + (self.word != "lag")
        numbers = [str(bars)] if self.reach + self.seed else []
        inner = ",".join([*(a.text for a in self.args), *numbers])
        return f"{self.word}({inner})" if inner else self.word

    def __add__(self, other: Operand) -> Expr:
        """Return the sum; both sides in the same unit."""
        return same_unit("add", e.ADD, self, other)

    def __radd__(self, other: Operand) -> Expr:
        """Return the sum; both sides in the same unit."""
        return same_unit("add", e.ADD, other, self)

    def __sub__(self, other: Operand) -> Expr:
        """Return the difference; both sides in the same unit."""
        return same_unit("subtract", e.SUBTRACT, self, other)

    def __rsub__(self, other: Operand) -> Expr:
        """Return the difference; both sides in the same unit."""
        return same_unit("subtract", e.SUBTRACT, other, self)

    def __mul__(self, other: Operand) -> Expr:
        """Return the product, in the product of the units."""
        right = as_expr(other)
        return Expr("multiply", e.MULTIPLY, (self, right), self.unit * right.unit)

    def __rmul__(self, other: Operand) -> Expr:
        """Return the product, in the product of the units."""
        return as_expr(other) * self

    def __truediv__(self, other: Operand) -> Expr:
        """Return the quotient; `features.language.ratio` is for divisors that may be zero."""
        right = as_expr(other)
        return Expr("divide", e.DIVIDE, (self, right), self.unit / right.unit)

    def __neg__(self) -> Expr:
        """Return the negative."""
        return Expr("negate", e.NEGATE, (self,), self.unit)

    def __gt__(self, other: Operand) -> Expr:
        """Return 1 where greater, 0 elsewhere."""
        return compare("greater", e.GREATER, self, other)

    def __ge__(self, other: Operand) -> Expr:
        """Return 1 where greater or equal, 0 elsewhere."""
        return compare("greater_equal", e.GREATER_EQUAL, self, other)

    def __lt__(self, other: Operand) -> Expr:
        """Return 1 where less, 0 elsewhere."""
        return compare("greater", e.GREATER, other, self)

    def __le__(self, other: Operand) -> Expr:
        """Return 1 where less or equal, 0 elsewhere."""
        return compare("greater_equal", e.GREATER_EQUAL, other, self)

    def __and__(self, other: Expr) -> Expr:
        """Return 1 where both are true, 0 elsewhere."""
        return Expr("both", e.BOTH, scale_free("and", self, other), SCALE_FREE)


Operand = Expr | Number


def const(value: Number, unit: Unit = SCALE_FREE) -> Expr:
    """Return a constant."""
    return Expr("const", -1, (), unit, alpha=float(value))


def as_expr(value: Operand, unit: Unit = SCALE_FREE) -> Expr:
    """Return `value` as an expression; the number 0 takes any unit, others have none."""
    if isinstance(value, Expr):
        return value
    return const(value, unit if value == 0 else SCALE_FREE)


def together(word: str, *values: Operand) -> tuple[Expr, ...]:
    """Return values that must share one unit.

    Raises
    ------
    UnitError
        They do not.
    """
    unit = next((v.unit for v in values if isinstance(v, Expr)), SCALE_FREE)
    nodes = tuple(as_expr(v, unit) for v in values)
    if any(node.unit != unit for node in nodes):
        found = " and ".join(f"[{node.unit}]" for node in nodes)
        raise UnitError(
            f"{word} of {found}: {', '.join(node.text for node in nodes)}; "
            "divide one by something of its own unit first"
        )
    return nodes


def scale_free(word: str, *values: Expr) -> tuple[Expr, ...]:
    """Return values that must have no unit.

    Raises
    ------
    UnitError
        One has.
    """
    for value in values:
        if not value.unit.scale_free:
            raise UnitError(
                f"{word} of [{value.unit}]: {value.text}; it means something for ratios only, "
                "so divide by something of the same unit first"
            )
    return values


def same_unit(word: str, code: int, *values: Operand) -> Expr:
    """Return an operation whose arguments and result share one unit."""
    nodes = together(word, *values)
    return Expr(word, code, nodes, nodes[0].unit)


def compare(word: str, code: int, *values: Operand) -> Expr:
    """Return an operation on values of one unit whose result has none."""
    return Expr(word, code, together(word, *values), SCALE_FREE)
