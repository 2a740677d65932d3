"""JSON as the store writes it: numpy and paths understood, NaN and infinity as null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from pathlib import PurePath
from typing import Any

import numpy as np

from orchestration.store.errors import BadRecord


def plain(value: Any) -> Any:
    """Return `value` made of nothing but dict, list, str, int, float, bool and None.

    Numbers that are not finite become None: neither JSON nor Postgres has them.

    Raises
    ------
    BadRecord
        For a value that has no plain form; the message names its type.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(entry) for entry in value]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    raise BadRecord(f"a value of type {type(value).__name__} cannot be stored as JSON")


def encode(value: Any) -> str:
    """Return the JSON text of `value`, without blanks."""
    return json.dumps(plain(value), separators=(",", ":"), allow_nan=False, ensure_ascii=False)
