"""From expressions to a flat program: shared parts once, each with the history its readers need."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.engine import executor as x
from features.engine import live
from features.engine.kernels.memory import FIRST as FIRST_MEMORY
from features.engine.kernels.memory import STATES
from features.engine.layout import Layout
from features.expression import Expr
from features.inputs import BAR, EXTRAS

_Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """A compiled program; shared by every copy that runs it, never changed.

    Parameters
    ----------
    table : int64 [K, executor.FIELDS]
        Instructions in the order of execution.
    alphas : float64 [K]
        Smoothing of each instruction.
    depth : int64 [S]
        How many old bars each column ("slot") keeps for those who read it. The first slots are
        those of a bar: its own and `inputs`.
    constants : tuple of (int, float)
        Slots that always hold one value.
    outputs, ready : int64 [F]
        Slot of each output, and the bar at which it becomes valid.
    inputs : tuple of str
        What a bar must bring besides time, prices and volume.
    given : tuple of Expr
        Parts without arguments that are no part of a bar: something else computes them, and their
        numbers come with each bar, after `inputs`.
    states : int
        How many numbers recursions keep.
    """

    table: _Integers
    alphas: NDArray[np.float64]
    depth: _Integers
    constants: tuple[tuple[int, float], ...]
    outputs: _Integers
    ready: _Integers
    inputs: tuple[str, ...]
    given: tuple[Expr, ...]
    states: int

    @cached_property
    def digest(self) -> str:
        """Hash of the arrangement: what one program remembers means nothing to another."""
        parts = (self.table, self.alphas, self.depth)
        return hashlib.sha256(b"|".join(part.tobytes() for part in parts)).hexdigest()[:16]

    @cached_property
    def wide(self) -> Layout:
        """Where pieces of history are worked on."""
        return Layout.of(self.depth, np.full_like(self.depth, x.PIECE))

    @cached_property
    def narrow(self) -> Layout:
        """What a program remembers: states, then slots; one place where nobody reads older ones."""
        room = np.where(self.depth > 0, live.LIVE_BARS, 1)
        return Layout.of(self.depth, room, offset=self.states)

    @cached_property
    def moves(self) -> _Integers:
        """For each slot, 1 where each bar goes one place further in the narrow layout."""
        return np.minimum(self.depth, 1)

    @cached_property
    def live(self) -> tuple[_Integers, _Integers, NDArray[np.float64], _Integers, _Integers]:
        """The program as `features.engine.live.execute_bar` takes it."""
        first, moves = self.narrow.first, self.moves
        table = np.empty((len(self.table), live.FIELDS), dtype=np.int64)
        pairs = {x.OUT: live.OUT, x.X: live.X, x.Y: live.Y, x.Z: live.Z}
        for column, at in pairs.items():
            table[:, at] = first[self.table[:, column]]
            table[:, at + 1] = moves[self.table[:, column]]
        same = {x.CODE: live.CODE, x.SEED: live.SEED, x.FORGET: live.FORGET, x.START: live.START,
                x.STATE: live.STATE}  # fmt: skip
        for column, at in same.items():
            table[:, at] = self.table[:, column]
        table[:, live.BARS] = self.table[:, x.REACH] + 1
        bar = np.arange(len(BAR) + len(self.inputs) + len(self.given))
        deep = np.flatnonzero(self.depth)
        return (
            np.stack([first[bar], moves[bar]], axis=1),
            table,
            self.alphas,
            np.stack([first[deep], self.depth[deep]], axis=1),
            np.stack([first[self.outputs], moves[self.outputs], self.ready], axis=1),
        )

    def new_memory(self) -> NDArray[np.float64]:
        """Return the memory of a program that has seen nothing."""
        memory = np.full(self.narrow.size, np.nan)
        memory[: self.states] = 0.0
        self._fill(self.narrow, memory)
        return memory

    def new_wide(self) -> NDArray[np.float64]:
        """Return room for pieces of history."""
        wide = np.empty(self.wide.size)
        self._fill(self.wide, wide)
        return wide

    def _fill(self, layout: Layout, memory: NDArray[np.float64]) -> None:
        for slot, value in self.constants:
            layout.fill(memory, slot, value)


def compile_plan(outputs: Sequence[Expr]) -> Plan:
    """Return the program that computes `outputs`, in this order."""
    nodes = _in_order(outputs)
    slots = {node.digest: slot for slot, node in enumerate(nodes)}
    work = [node for node in nodes if node.code >= 0]
    states = np.cumsum([STATES * (node.code >= FIRST_MEMORY) for node in work], dtype=np.int64)
    table = [
        _instruction(node, slots, int(end) - STATES) for node, end in zip(work, states, strict=True)
    ]
    return Plan(
        table=np.array(table, dtype=np.int64).reshape(len(work), x.FIELDS),
        alphas=np.array([node.alpha for node in work], dtype=np.float64),
        depth=_depths(work, slots, len(nodes)),
        constants=tuple((slots[n.digest], n.alpha) for n in nodes if n.word == "const"),
        outputs=np.array([slots[node.digest] for node in outputs], dtype=np.int64),
        ready=np.array([node.lookback for node in outputs], dtype=np.int64),
        inputs=tuple(node.word for node in EXTRAS if node.digest in slots),
        given=tuple(_given({node.digest: node for node in nodes})),
        states=int(states[-1]) if work else 0,
    )


def _instruction(node: Expr, slots: dict[str, int], state: int) -> list[int]:
    # Operations with fewer than three arguments get the first one again: kernels ignore it.
    args = [slots[arg.digest] for arg in node.args]
    args += [args[0]] * (3 - len(args))
    start = max(arg.lookback for arg in node.args)
    out = slots[node.digest]
    return [node.code, out, *args, node.reach, node.seed, node.forget, start, max(state, 0)]


def _depths(work: Sequence[Expr], slots: dict[str, int], count: int) -> _Integers:
    depth = np.zeros(count, dtype=np.int64)
    for node in work:
        for arg in node.args:
            slot = slots[arg.digest]
            depth[slot] = max(depth[slot], node.reach)
    return depth


def _in_order(outputs: Sequence[Expr]) -> list[Expr]:
    """Return a bar's parts first, then every other part once, each after its own parts."""
    parts: dict[str, Expr] = {}
    for output in outputs:
        stack = [(output, False)]
        while stack:
            node, expanded = stack.pop()
            if node.digest in parts:
                continue
            if expanded or not node.args:
                parts[node.digest] = node
            else:
                stack.append((node, True))
                stack.extend((arg, False) for arg in reversed(node.args))
    bar = [*BAR, *(node for node in EXTRAS if node.digest in parts), *_given(parts)]
    return list(({node.digest: node for node in bar} | parts).values())


def _given(parts: Mapping[str, Expr]) -> list[Expr]:
    known = {node.digest for node in (*BAR, *EXTRAS)}
    leaves = (node for node in parts.values() if node.code < 0 and node.word != "const")
    return [node for node in leaves if node.digest not in known]
