"""What the probe found out about a column, and whether it may be a feature."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import LooksAhead, NeverSettles, RefusedFeature
from features.units import Unit

SPARSE = 0.05
"""Share of bars that may lack a value: where a market is dead, 0 / 0 has none."""


@dataclass(frozen=True)
class Change:
    """Where a value moved that should have stood still.

    Parameters
    ----------
    bar : int
        Number of the bar whose value changed, counted from the start of the trial.
    cut : int
        What was changed about the candles: those from this bar on, or those before it.
    before, after : float
        The value, and what it became.
    """

    bar: int
    cut: int
    before: float
    after: float


@dataclass(frozen=True)
class Probe:
    """What the trials found out about one column.

    Parameters
    ----------
    name : str
        The column.
    lookback : int
        Bars before its first value.
    settle : int or None
        Bars after which another start of history changes nothing; None if it always does.
    unit : Unit or None
        How it follows prices and volumes quoted in other units; None if by no power of them.
    exact : bool
        Whether values are the same to the last bit whatever comes after them.
    missing, first_missing : int
        Bars without a finite value once settled, and the first of them (-1: none). A few are let
        pass: where nothing moves, a ratio may have no value.
    bars : int
        Length of the trial.
    leak : Change or None
        The first value that changed with its future.
    drift : Change or None
        The last value that changed with the start of history, if it never settles.
    """

    name: str
    lookback: int
    settle: int | None
    unit: Unit | None
    exact: bool
    missing: int
    first_missing: int
    bars: int
    leak: Change | None = None
    drift: Change | None = None

    @property
    def scale_free(self) -> bool:
        """Whether a model may read it: no unit of money or coins in it."""
        return self.unit is not None and self.unit.scale_free

    @property
    def unit_text(self) -> str:
        """The unit as tables write it; ``unknown`` where there is none."""
        return "unknown" if self.unit is None else str(self.unit)

    def refusal(self) -> RefusedFeature | None:
        """Return why the column may not be a feature, or None if it may."""
        if self.leak is not None:
            return LooksAhead(
                f"{self.name}: the value at bar {self.leak.bar} changed from "
                f"{self.leak.before:.6g} to {self.leak.after:.6g} when the bars from "
                f"{self.leak.cut} on were changed: it looks ahead; use only bars up to the one the "
                "value belongs to (no centred window, negative shift, back-fill or statistic of "
                "the whole column)"
            )
        if self.drift is not None:
            return NeverSettles(
                f"{self.name}: the value at bar {self.drift.bar} is {self.drift.before:.6g}, or "
                f"{self.drift.after:.6g} when history starts {self.drift.cut} bars later: it never "
                "forgets where history starts, so a live value is not the one trained on; take a "
                "difference or a window of it"
            )
        if self.missing > SPARSE * self.bars:
            return RefusedFeature(
                f"{self.name}: {self.missing} of {self.bars} bars have no finite value once "
                f"it has settled ({self.settle} bars), the first is bar {self.first_missing}; give "
                "such bars a value (a ratio needs one for a divisor of 0)"
            )
        return None

    def check(self) -> Probe:
        """Return the probe itself.

        Raises
        ------
        RefusedFeature
            The column may not be a feature; the message has the numbers.
        """
        refused = self.refusal()
        if refused is not None:
            raise refused
        return self
