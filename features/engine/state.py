"""What a program remembers, as bytes: a line of JSON, then float64 numbers, with a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import BadState

_FORMAT = "tidewheel-features-2"
_HEAD = {"names", "timeframe", "hashes", "plan", "sha256"}


@dataclass(frozen=True)
class Kept:
    """What was packed.

    Parameters
    ----------
    names : list of str
    timeframe : str
    hashes : dict of str to str
        Definition of each feature.
    plan : str
        Digest of the program that the numbers belong to.
    numbers : float64 array
    """

    names: list[str]
    timeframe: str
    hashes: dict[str, str]
    plan: str
    numbers: NDArray[np.float64]

    def check(self, hashes: Mapping[str, str], plan: str, expected: int) -> None:
        """Refuse what was kept of other definitions, or by another version of the compiler.

        Raises
        ------
        BadState
            Names the features that changed.
        """
        changed = [name for name in hashes if self.hashes.get(name) != hashes[name]]
        if changed or plan != self.plan or len(self.numbers) != expected:
            raise BadState(
                f"the state holds {len(self.numbers)} numbers of plan {self.plan} where {expected} "
                f"of plan {plan} are needed, and these features are defined otherwise now: "
                f"{', '.join(changed) or 'none'}; run over history again"
            )


def pack(
    names: Sequence[str],
    timeframe: str,
    hashes: Mapping[str, str],
    plan: str,
    numbers: NDArray[np.float64],
) -> bytes:
    """Return the bytes of a state."""
    body = np.ascontiguousarray(numbers, dtype="<f8").tobytes()
    head = {
        "format": _FORMAT,
        "names": list(names),
        "timeframe": timeframe,
        "hashes": dict(hashes),
        "plan": plan,
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return json.dumps(head, sort_keys=True).encode() + b"\n" + body


def unpack(stored: bytes) -> Kept:
    """Return what was packed.

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
    if not isinstance(head, dict) or head.get("format") != _FORMAT or _HEAD - head.keys():
        raise BadState(f"not a state of format {_FORMAT}; run the program over history again")
    if head["sha256"] != hashlib.sha256(body).hexdigest():
        raise BadState(
            f"the {len(body)} bytes of numbers do not match their checksum: the state was damaged; "
            "run the program over history again"
        )
    numbers = np.frombuffer(body, dtype="<f8")
    return Kept(head["names"], head["timeframe"], head["hashes"], head["plan"], numbers)
