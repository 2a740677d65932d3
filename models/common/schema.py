"""Feature schema: which columns a model reads, in which order, defined how, in which unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.common.errors import SchemaError

DTYPE = "float32"
# How a column without a unit may be written. Everything else is a price, a volume or a mixture.
SCALE_FREE = frozenset({"", "-", "–", "1", "none", "scale-free"})
# Raw candle columns: whatever unit they are declared in, a model must not see them.
RAW = frozenset({"open", "high", "low", "close", "volume"})


@dataclass(frozen=True)
class FeatureSchema:
    """The columns of a model's input matrix.

    Parameters
    ----------
    names : tuple of str
        Column names; their order is the order of the matrix.
    hashes : mapping of str to str
        Content hash of each column's definition: tells when a name has come to mean another thing.
    units : mapping of str to str
        Unit of each column. Only scale-free ones (``"–"``) are allowed: a model that has learnt a
        price level is wrong on the next one.
    twins : mapping of str to str
        Columns in price or volume units that somebody may hold in their place, and by each the
        column of the model that is its scale-free twin. Only for what errors say.

    Raises
    ------
    SchemaError
        No columns, a name twice, a hash or unit missing, or a column in price or volume units.
    """

    names: tuple[str, ...]
    hashes: Mapping[str, str]
    units: Mapping[str, str]
    twins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.names:
            raise SchemaError("a model needs at least one feature column; the schema lists none")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise SchemaError(f"columns listed twice: {_listing(twice)}; list each once")
        for what, table in (("hash", self.hashes), ("unit", self.units)):
            lacking = [name for name in self.names if name not in table]
            if lacking:
                raise SchemaError(f"{len(lacking)} columns have no {what}: {_listing(lacking)}")
        self._refuse_units()

    def _refuse_units(self) -> None:
        raw = [
            f"{name} [{self.units[name] or 'raw'}]"
            for name in self.names
            if name in RAW or self.units[name] not in SCALE_FREE
        ]
        if raw:
            raise SchemaError(
                f"{len(raw)} columns are in price or volume units: {_listing(raw)}; "
                "use their scale-free twins (close_to_sma_20 for sma_20), which "
                "`tidewheel features show <name>` tells"
            )

    def __len__(self) -> int:
        return len(self.names)

    def as_dict(self) -> dict[str, Any]:
        """Return the schema as it is stored in ``feature_schema.json``."""
        return {
            "dtype": DTYPE,
            "order": "as listed",
            "features": [
                {"name": name, "hash": self.hashes[name], "unit": self.units[name]}
                for name in self.names
            ],
            "twins": dict(self.twins),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> FeatureSchema:
        """Return the schema stored as `stored`, the inverse of `as_dict`.

        Raises
        ------
        SchemaError
            When a field is missing or of the wrong type, or the columns are not allowed.
        """
        if stored.get("dtype") != DTYPE:
            raise SchemaError(f"dtype is {stored.get('dtype')!r}; models read {DTYPE}")
        rows = stored.get("features")
        if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
            raise SchemaError("features must be a list of {name, hash, unit}, all text")
        twins = stored.get("twins", {})  # bundles of version 0.1.0 have none
        if not isinstance(twins, dict) or not all(isinstance(t, str) for t in twins.values()):
            raise SchemaError("twins must be a mapping of text to text")
        return cls(
            names=tuple(row["name"] for row in rows),
            hashes={row["name"]: row["hash"] for row in rows},
            units={row["name"]: row["unit"] for row in rows},
            twins=twins,
        )


def _is_row(row: object) -> bool:
    fields = ("name", "hash", "unit")
    return isinstance(row, dict) and all(isinstance(row.get(field), str) for field in fields)


def _listing(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
