"""What a program remembers, as bytes: a line of JSON, then float64 numbers, with a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.errors import BadState

_MAGIC = "tidewheel-features-1"


def pack(
    names: Sequence[str], timeframe: str, hashes: Mapping[str, str], numbers: NDArray[np.float64]
) -> bytes:
    """Return the bytes of a state."""
    body = np.ascontiguousarray(numbers, dtype="<f8").tobytes()
    head = {
        "format": _MAGIC,
        "names": list(names),
        "timeframe": timeframe,
        "hashes": dict(hashes),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return json.dumps(head, sort_keys=True).encode() + b"\n" + body


def unpack(stored: bytes) -> tuple[list[str], str, dict[str, str], NDArray[np.float64]]:
    """Return names, timeframe, hashes and numbers of a packed state.

    Raises
    ------
    BadState
        Not a packed state, or a damaged one.
    """
    line, _, body = stored.partition(b"\n")
    try:
        head = json.loads(line)
    except ValueError as error:
        raise BadState(f"{len(stored)} bytes do not begin with a state's head: {error}") from error
    if not isinstance(head, dict) or head.get("format") != _MAGIC:
        raise BadState(f"not a state of format {_MAGIC}; run the program over history again")
    if head["sha256"] != hashlib.sha256(body).hexdigest():
        raise BadState(
            f"the {len(body)} bytes of numbers do not match their checksum: the state was damaged; "
            "run the program over history again"
        )
    return head["names"], head["timeframe"], head["hashes"], np.frombuffer(body, dtype="<f8")


def check(stored: Mapping[str, str], current: Mapping[str, str], found: int, expected: int) -> None:
    """Refuse a state that was made with other definitions.

    Raises
    ------
    BadState
        Names the features that changed.
    """
    changed = [name for name in current if stored.get(name) != current[name]]
    if changed or found != expected:
        raise BadState(
            f"the state holds {found} numbers where {expected} are needed, and these features are "
            f"defined otherwise now: {', '.join(changed) or 'none'}; run over history again"
        )
