"""Units of features, checked like types when an expression is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from features.errors import UnitError

_POWERS = {1: "", 2: "²", 3: "³", 4: "⁴"}


@dataclass(frozen=True)
class Unit:
    """Exponents of the three things a bar is measured in.

    Parameters
    ----------
    price : int
        Exponent of the quote currency per coin.
    volume : int
        Exponent of the number of coins.
    time : int
        Exponent of milliseconds.
    benchmark : int
        Exponent of the benchmark's price: a coin's price plus another coin's means nothing.
    """

    price: int = 0
    volume: int = 0
    time: int = 0
    benchmark: int = 0

    @property
    def powers(self) -> dict[str, int]:
        """The exponents by name."""
        return asdict(self)

    def __mul__(self, other: Unit) -> Unit:
        """Return the unit of a product."""
        return Unit(**{name: power + other.powers[name] for name, power in self.powers.items()})

    def __truediv__(self, other: Unit) -> Unit:
        """Return the unit of a quotient."""
        return Unit(**{name: power - other.powers[name] for name, power in self.powers.items()})

    @property
    def scale_free(self) -> bool:
        """Whether a price or volume quoted in other units leaves the number as it is."""
        return self == SCALE_FREE

    def root(self) -> Unit:
        """Return the unit of a square root.

        Raises
        ------
        UnitError
            The unit is not a square.
        """
        if any(power % 2 for power in self.powers.values()):
            raise UnitError(f"no square root of [{self}]: take it of a square, such as a variance")
        return Unit(**{name: power // 2 for name, power in self.powers.items()})

    def __str__(self) -> str:
        """Return how the unit is written in tables: ``price``, ``price·volume``, ``–``."""
        above = _written({name: power for name, power in self.powers.items() if power > 0})
        below = _written({name: -power for name, power in self.powers.items() if power < 0})
        if not below:
            return above or "–"
        return f"{above or '1'}/{below}"


def _written(powers: Mapping[str, int]) -> str:
    return "·".join(f"{name}{_POWERS.get(p, f'^{p}')}" for name, p in powers.items())


SCALE_FREE = Unit()
PRICE = Unit(price=1)
VOLUME = Unit(volume=1)
TIME = Unit(time=1)
BENCHMARK = Unit(benchmark=1)
