"""From expressions to a flat program: shared parts once, each with the history its readers need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features import executor as x
from features.expression import Expr
from features.inputs import INPUTS
from features.kernels.memory import STATES

_Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """A compiled program; shared by every copy that runs it, never changed.

    Parameters
    ----------
    table : int64 [K, FIELDS]
        Instructions in the order of execution, see the constants in `features.executor`.
    alphas : float64 [K]
        Smoothing of each instruction.
    first, depth : int64 [S]
        For each column ("slot") of the buffer: where its new bars start, and how many old ones
        are kept before them.
    constants : tuple of (int, float)
        Slots that always hold one value.
    columns, ready : int64 [F]
        Slot of each output, and the bar at which it becomes valid.
    size : int
        Length of the buffer.
    """

    table: _Integers
    alphas: NDArray[np.float64]
    first: _Integers
    depth: _Integers
    constants: tuple[tuple[int, float], ...]
    columns: _Integers
    ready: _Integers
    size: int

    def new_buffer(self) -> NDArray[np.float64]:
        """Return an empty buffer: not a number where nothing was seen, constants filled in."""
        buffer = np.full(self.size, np.nan)
        for slot, value in self.constants:
            start = self.first[slot] - self.depth[slot]
            buffer[start : self.first[slot] + x.PIECE] = value
        return buffer

    def new_states(self) -> NDArray[np.float64]:
        """Return the state of recursions that have seen nothing."""
        return np.zeros(max(1, len(self.table)) * STATES)

    def window(self, place: int) -> _Integers:
        """Return the places in the buffer that hold history when `place` bars were written."""
        spans = zip(self.first, self.depth, strict=True)
        return np.concatenate([np.arange(f - d, f, dtype=np.int64) for f, d in spans]) + place


def compile_plan(outputs: Sequence[Expr]) -> Plan:
    """Return the program that computes `outputs`, in this order."""
    nodes = _in_order(outputs)
    slots = {node.digest: slot for slot, node in enumerate(nodes)}
    work = [node for node in nodes if node.code >= 0]
    depth = np.zeros(len(nodes), dtype=np.int64)
    for node in work:
        for arg in node.args:
            slot = slots[arg.digest]
            depth[slot] = max(depth[slot], node.reach)
    extent = depth + x.PIECE
    return Plan(
        table=np.array([_instruction(node, slots) for node in work], dtype=np.int64).reshape(
            len(work), x.FIELDS
        ),
        alphas=np.array([node.alpha for node in work], dtype=np.float64),
        first=np.cumsum(extent) - extent + depth,
        depth=depth,
        constants=tuple((slots[n.digest], n.alpha) for n in nodes if n.word == "const"),
        columns=np.array([slots[node.digest] for node in outputs], dtype=np.int64),
        ready=np.array([node.lookback for node in outputs], dtype=np.int64),
        size=int(extent.sum()),
    )


def _instruction(node: Expr, slots: dict[str, int]) -> list[int]:
    # Operations with fewer than three arguments get the first one again: kernels ignore it.
    args = [slots[arg.digest] for arg in node.args]
    args += [args[0]] * (3 - len(args))
    start = max(arg.lookback for arg in node.args)
    out = slots[node.digest]
    return [node.code, out, *args, node.reach, node.seed, node.forget, start]


def _in_order(outputs: Sequence[Expr]) -> list[Expr]:
    """Return inputs first, then every part once, each after its own parts."""
    seen = {node.digest: node for node in INPUTS}
    for output in outputs:
        stack = [(output, False)]
        while stack:
            node, expanded = stack.pop()
            if node.digest in seen:
                continue
            if expanded:
                seen[node.digest] = node
            else:
                stack.append((node, True))
                stack.extend((arg, False) for arg in reversed(node.args))
    return list(seen.values())
