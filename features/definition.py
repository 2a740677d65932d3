"""Definitions as people read them: an expression in the words of the language, with shared names.

What is written is what one would type: in a Python session with the words of `features.language`,
the inputs and the listed features as names, the text gives the same expression again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.catalogue import parts
from features.catalogue.feature import Feature
from features.expression import Expr
from features.inputs import DAY, HOUR, QUARTER_HOUR

_OPERATORS = {
    "add": ("+", 3), "subtract": ("-", 3), "multiply": ("*", 4), "divide": ("/", 4),
    "both": ("&", 2), "greater": (">", 1), "greater_equal": (">=", 1),
}  # fmt: skip
_COMPARISON, _NEGATIVE, _ATOM = 1, 5, 6
_FLIPPED = {">": "<", ">=": "<="}
INPUT_NAMES: Mapping[str, str] = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
"""What the inputs of expressions are called in candles, where the two differ."""
# What a word of an expression is called in the language, where the two differ.
_CALLED = {"sqrt": "root", "abs": "magnitude", "sin": "sine", "cos": "cosine",
           "month": "month_of_year"}  # fmt: skip
_SPANS = {DAY.alpha: "DAY", HOUR.alpha: "HOUR", QUARTER_HOUR.alpha: "QUARTER_HOUR"}
_AVERAGES = ("ema", "rma")

PARTS: Mapping[str, Expr] = {
    name: part for name, part in vars(parts).items() if isinstance(part, Expr) and part.args
}
"""Expressions that features share without being features, by name."""


@dataclass(frozen=True)
class Definitions:
    """Writes definitions with the names of features and of the parts they share.

    Parameters
    ----------
    names : mapping of str to str
        By the digest of an expression, the feature or part that it is written as.
    digits : int
        Significant digits of constants; 17 say them exactly.
    """

    names: Mapping[str, str]
    digits: int = 6

    @classmethod
    def of(cls, features: Mapping[str, Feature], digits: int = 6) -> Definitions:
        """Return definitions with the names of `features`; of equal ones, the first."""
        names: dict[str, str] = {}
        for name, feature in features.items():
            names.setdefault(feature.expression.digest, name)
        for name, part in PARTS.items():
            names.setdefault(part.digest, name)
        return cls(names, digits)

    def text(self, expression: Expr) -> str:
        """Return the definition of `expression`, which is not written as its own name."""
        return self._written(expression)[0]

    def same_as(self, name: str, expression: Expr) -> str | None:
        """Return the first listed name of the same definition, if it is another one."""
        first = self.names.get(expression.digest)
        return None if first == name else first

    def parts_of(self, expression: Expr) -> dict[str, str]:
        """Return the parts that the text of `expression` mentions, with their definitions."""
        found: dict[str, str] = {}
        stack = list(expression.args)
        while stack:
            node = stack.pop(0)
            name = self.names.get(node.digest, "")
            if name in PARTS:
                found.setdefault(name, self.text(node))
            if not name or name in PARTS:
                stack += node.args
        return found

    def _part(self, node: Expr, above: int) -> str:
        """Return how `node` is written inside an operation that binds as tightly as `above`."""
        if node.digest in self.names:
            return self.names[node.digest]
        written, binds = self._written(node)
        return written if binds >= above else f"({written})"

    def _written(self, node: Expr) -> tuple[str, int]:
        if node.word == "const":
            return self._constant(node)
        if node.word in _OPERATORS:
            return self._operation(node)
        if node.word == "negate":
            return f"-{self._part(node.args[0], _NEGATIVE)}", _NEGATIVE
        if not node.args:
            # The feature `sentiment` is the column with its gaps filled: `sent` is the column.
            name = "sent" if node.word == "sentiment" else node.word
            return INPUT_NAMES.get(name, name), _ATOM
        return self._call(node), _ATOM

    def _constant(self, node: Expr) -> tuple[str, int]:
        if not node.unit.scale_free and node.alpha in _SPANS:
            return _SPANS[node.alpha], _ATOM
        number = f"{node.alpha:.{self.digits}g}".replace("e-0", "e-")
        return number, _ATOM if node.alpha >= 0 else _NEGATIVE

    def _operation(self, node: Expr) -> tuple[str, int]:
        sign, binds = _OPERATORS[node.word]
        left, right = node.args
        if binds == _COMPARISON:
            return self._comparison(sign, left, right), binds
        if node.word == "multiply" and left.digest == right.digest:
            return f"square({self._part(left, 0)})", _ATOM
        if node.word == "subtract" and _is_lag(right) and right.args[0].digest == left.digest:
            return f"change({self._part(left, 0)}, {right.reach})", _ATOM
        # The right side binds tighter: a - (b - c) is not (a - b) - c.
        return f"{self._part(left, binds)} {sign} {self._part(right, binds + 1)}", binds

    def _comparison(self, sign: str, left: Expr, right: Expr) -> str:
        """Return a comparison with the simpler side first, as people write it."""
        x, y = (self._part(side, _COMPARISON + 1) for side in (left, right))
        if left.word == "const" or (right.word != "const" and _operations(x) > _operations(y)):
            return f"{y} {_FLIPPED[sign]} {x}"
        return f"{x} {sign} {y}"

    def _call(self, node: Expr) -> str:
        args = list(node.args)
        word = _CALLED.get(node.word, node.word)
        if word == "root" and args[0].word == "variance" and args[0].digest not in self.names:
            word, node = "deviation", args[0]
            args = list(node.args)
        if word == "ratio" and args[2].word == "const" and args[2].alpha == 0:
            args = args[:2]
        written = [self._part(arg, 0) for arg in args]
        if _is_lag(node):
            written.append(str(node.reach))
        elif node.word in _AVERAGES:
            written.append(str(node.seed + 1))
        elif node.reach:
            written.append(str(node.reach + 1))
        return f"{word}({', '.join(written)})"


def _operations(written: str) -> int:
    return written.count(" ") + written.count("(")


def _is_lag(node: Expr) -> bool:
    return node.word == "lag"
