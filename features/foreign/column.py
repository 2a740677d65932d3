"""A column that a function computes: a leaf of the feature graph, probed before it is one."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property

from features.expression import Expr
from features.foreign.answers import Function
from features.foreign.findings import Probe
from features.units import Unit

BLOCK = 256
"""Fewest bars that are computed by one call."""
_MARGIN = 1.25  # other candles may take longer to forget their start than those of the probe
_LEAST = 32


@dataclass(frozen=True)
class Unknown(Unit):
    """The unit of what follows no power of prices and volumes, nor does what is made of it."""

    def __mul__(self, other: Unit) -> Unit:
        """Return the unit of a product: unknown as well."""
        return self

    def __rmul__(self, other: Unit) -> Unit:
        """Return the unit of a product: unknown as well."""
        return self

    def __truediv__(self, other: Unit) -> Unit:
        """Return the unit of a quotient: unknown as well."""
        return self

    def __rtruediv__(self, other: Unit) -> Unit:
        """Return the unit of a quotient: unknown as well."""
        return self

    def root(self) -> Unit:
        """Return the unit of a square root: unknown as well."""
        return self

    def __str__(self) -> str:
        """Return how it is written in tables."""
        return "unknown"


@dataclass(frozen=True)
class Call:
    """A function of candles, called once for all of its columns.

    Parameters
    ----------
    text : str
        What it is called; with `window`, all that makes the call.
    content : str
        Hash of the definition.
    window : int
        Bars before a block that the function is given with it.
    function : callable
        Candles in, columns out.
    """

    text: str
    content: str
    window: int
    function: Function = field(repr=False, compare=False)

    @property
    def block(self) -> int:
        """Bars of a block, see `features.foreign.windows`."""
        return max(BLOCK, self.window // 4)


@dataclass(frozen=True, eq=False)
class Column(Expr):
    """One column of a call, as an expression without parts.

    Parameters
    ----------
    call : Call
        What computes it.
    column : str
        Which column of the answer.
    probed : Probe
        What the probe measured.
    """

    call: Call = field(kw_only=True)
    column: str = field(kw_only=True)
    probed: Probe = field(kw_only=True)

    @cached_property
    def lookback(self) -> int:
        """Bars before the first value."""
        return self.probed.lookback

    @cached_property
    def settle_bars(self) -> int:
        """Bars until a whole window lies before the first bar of the block."""
        return self.call.window + self.call.block - 1

    @cached_property
    def digest(self) -> str:
        """Content hash of the definition, window included."""
        parts = ("column", self.call.content, self.column, str(self.call.window))
        return hashlib.sha256("|".join([*parts, str(self.call.block)]).encode()).hexdigest()[:16]

    @cached_property
    def text(self) -> str:
        """The definition, written out."""
        return self.word


def column_of(name: str, call: Call, column: str, probed: Probe) -> Column:
    """Return a probed column as an expression.

    Raises
    ------
    RefusedFeature
        The probe found that it may not be a feature.
    """
    unit = probed.check().unit
    return Column(
        name, -1, (), Unknown() if unit is None else unit, call=call, column=column, probed=probed
    )


def window_for(settle: int) -> int:
    """Return the bars to compute before a block for a column that settled after `settle` bars.

    A quarter more than was measured, rounded up to one of four sizes an octave.
    """
    wanted = max(_LEAST, math.ceil(_MARGIN * settle))
    step: int = 1 << (wanted.bit_length() - 3)
    return -(-wanted // step) * step
