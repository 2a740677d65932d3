"""Units of features, checked like types when an expression is written."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    price: int = 0
    volume: int = 0
    time: int = 0

    def __mul__(self, other: Unit) -> Unit:
        """Return the unit of a product."""
        return Unit(self.price + other.price, self.volume + other.volume, self.time + other.time)

    def __truediv__(self, other: Unit) -> Unit:
        """Return the unit of a quotient."""
        return Unit(self.price - other.price, self.volume - other.volume, self.time - other.time)

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
        if self.price % 2 or self.volume % 2 or self.time % 2:
            raise UnitError(f"no square root of [{self}]: take it of a square, such as a variance")
        return Unit(self.price // 2, self.volume // 2, self.time // 2)

    def __str__(self) -> str:
        """Return how the unit is written in tables: ``price``, ``price·volume``, ``–``."""
        powers = {"price": self.price, "volume": self.volume, "time": self.time}
        above = "·".join(f"{name}{_POWERS.get(p, f'^{p}')}" for name, p in powers.items() if p > 0)
        below = "·".join(
            f"{name}{_POWERS.get(-p, f'^{-p}')}" for name, p in powers.items() if p < 0
        )
        if not below:
            return above or "–"
        return f"{above or '1'}/{below}"


SCALE_FREE = Unit()
PRICE = Unit(price=1)
VOLUME = Unit(volume=1)
TIME = Unit(time=1)
