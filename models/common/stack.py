"""Stack: an ensemble's learnt combination of outputs, as a few numbers in JSON.

::

    b + Σ cᵢ zᵢ                  in the space in which the kind's errors add up

z is p − ½ of a probability (its log-odds if ``logistic``), a log return, or ln RV². Models of
other kinds may be inputs too: of a price its expected return in standard deviations, of a
volatility ln RV² over the next hour, each less its ``centre``, so that one which is missing changes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.common.blending import EDGE, PROBABILITIES
from models.common.errors import EnsembleError
from models.common.heads import Floats


@dataclass(frozen=True, eq=False)
class Stack:
    """A learnt combination.

    Parameters
    ----------
    inputs : tuple of str
        Names of the models, those of other kinds among them.
    coefficients : float array [M] or [M, K]
        One an input, or one an input and output. Those of the stack's own kind are >= 0.
    intercept : float or array [K]
        Added to all; a price's to its return only.
    kind : str
        What the stack answers; may be empty where all inputs are of one kind.
    logistic : bool
        Whether probabilities are added as log-odds, as a logistic regression does.
    centres : mapping of str to float
        By input of another kind, its usual value. Inputs of the stack's own kind have none.

    Raises
    ------
    EnsembleError
        When there are more or fewer coefficients than inputs, or one is no number.
    """

    inputs: tuple[str, ...]
    coefficients: Floats
    intercept: Floats = field(default_factory=lambda: np.zeros(1))
    kind: str = ""
    logistic: bool = False
    centres: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table = self.coefficients
        if table.ndim not in (1, 2) or len(table) != len(self.inputs) or not len(table):
            raise EnsembleError(
                f"{len(self.inputs)} inputs need as many coefficients, got shape {table.shape}"
            )
        numbers = (table, self.intercept, np.array(list(self.centres.values()), dtype=np.float64))
        if not all(np.isfinite(array).all() for array in numbers):
            raise EnsembleError("a stack's coefficients, intercept and centres must be finite")
        unknown = sorted(set(self.centres) - set(self.inputs))
        if unknown:
            raise EnsembleError(f"centres of {', '.join(unknown)}, which are no inputs")

    @property
    def table(self) -> Floats:
        """The coefficients as [M, K] or [M, 1]."""
        return self.coefficients.reshape(len(self.inputs), -1)

    def of(self, name: str) -> Floats:
        """Return the coefficients [K] or [1] of one input."""
        found: Floats = self.table[self.inputs.index(name)]
        return found

    def foreign(self, name: str, kind: str, raw: Floats) -> Floats:
        """Return what the model `name` of another kind adds, [N, K] or [N, 1].

        Parameters
        ----------
        name, kind
            The model, and its kind.
        raw : float array [N, K']
            Its raw outputs.
        """
        return (_signal(kind, raw, self.logistic) - self.centres.get(name, 0.0)) * self.of(name)

    def as_dict(self) -> dict[str, Any]:
        """Return the stack as JSON keeps it."""
        return {
            "inputs": list(self.inputs),
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept.tolist(),
            "kind": self.kind,
            "logistic": self.logistic,
            "centres": dict(self.centres),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Stack:
        """Return the stack stored as `stored`: ``inputs`` and ``coefficients``, and what it may.

        Raises
        ------
        EnsembleError
            When a part is missing or impossible.
        """
        unknown = sorted(set(stored) - {*cls.__dataclass_fields__})
        if unknown:
            raise EnsembleError(f"a stack has no {', '.join(unknown)}")
        try:
            return cls(
                inputs=tuple(str(name) for name in stored["inputs"]),
                coefficients=np.asarray(stored["coefficients"], dtype=np.float64),
                intercept=np.atleast_1d(np.asarray(stored.get("intercept", 0.0), dtype=np.float64)),
                kind=str(stored.get("kind", "")),
                logistic=bool(stored.get("logistic", False)),
                centres={str(k): float(v) for k, v in dict(stored.get("centres", {})).items()},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EnsembleError(f"this is no stack: {error!r}") from error


def _signal(kind: str, raw: Floats, logistic: bool) -> Floats:
    """Return one number a row [N, 1] of a model's outputs."""
    first: Floats = raw[:, :1]
    if kind in PROBABILITIES:
        if not logistic:
            return first - 0.5
        p = np.clip(first, EDGE, 1 - EDGE)
        return np.asarray(np.log(p / (1 - p)))
    return first / raw[:, 1:2] if kind == "price" else first
