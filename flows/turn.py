"""One turn as seen from its flow: steps that may fail one by one, counted on the board."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture, as_completed
from prefect.states import Completed
from prefect.utilities.annotations import quote

from flows import artifacts
from flows.board import Board
from flows.words import in_words
from market.errors import BadAnswer, RateLimited, SourceDown, SourceTimeout
from orchestration.service import steps
from orchestration.service.errors import TurnFailed
from orchestration.service.refs import Begun
from orchestration.service.report import finish
from orchestration.service.resources import source_of
from orchestration.service.turn import close_failed
from orchestration.settings import Settings

Json = dict[str, Any]
Step = Task[..., Any]
Future = PrefectFuture[Any]
_TRANSIENT = (BadAnswer, RateLimited, SourceDown, SourceTimeout)


def worth_another_try(step: Step, run: TaskRun, state: State[Any]) -> bool:
    """Tell whether a failed fetch may succeed when asked again: a symbol unknown stays unknown."""
    return isinstance(state.result(raise_on_failure=False), _TRANSIENT)


def count(settings: Settings) -> int:
    """Return a turn's steps: per symbol one, per kind seven or eight, and three for all."""
    each = 7 + bool(settings.backfill_days)
    return len(settings.symbols) + each * len(settings.kinds) + 3


class Turn:
    """Takes the steps of one turn; a step that fails is recorded and the others go on.

    Each step waits for those before it on its branch (a symbol or kind), and the first of a branch
    for the trunk: that draws the graph which the Prefect UI shows.
    """

    def __init__(self, begun: Begun, settings: Settings) -> None:
        self.ref = begun.turn
        self.sentence = begun.sentence
        market = "simulated market" if source_of(settings).simulated else settings.source
        self.board = Board(count(settings), f"{self.ref.turn_id} · {market}")
        self._trunk: list[Any] = []
        self._branches: dict[str, list[Any]] = {}

    def spread(self, step: Step, subjects: Iterable[str]) -> dict[Future, str]:
        """Submit a step for several subjects, beside each other, in this order."""
        futures = {}
        for subject in subjects:
            self.board.begin(step.name, subject)
            futures[step.submit(*self._arguments(subject), wait_for=self._trunk)] = subject
        return futures

    def collect(self, step: Step, futures: Mapping[Future, str]) -> Iterator[str]:
        """Yield the subjects of a spread step as they succeed."""
        for future in as_completed(list(futures)):
            future.wait()  # fetches nothing: it keeps the state that carries the result
            if self._settle(step, futures[future], future.state):
                yield futures[future]

    def must(self, step: Step) -> None:
        """Take a step that needs all branches and without which there is no turn."""
        if not self._take(step, "", self._heads()):
            close_failed(self.ref)
            raise TurnFailed(self._message)
        self._trunk, self._branches = self._branches.pop(""), {}

    def chain(self, subject: str, *chained: Step) -> None:
        """Take steps of one subject in order; after a failure the rest of them is skipped."""
        for taken, step in enumerate(chained, start=1):
            before = self._branches.get(subject) or self._trunk
            if not self._take(step, subject, before):
                self.board.skip(len(chained) - taken)
                return

    def last(self, step: Step) -> None:
        """Take a step that looks at all branches."""
        self._take(step, "", self._heads() or self._trunk)

    def finish(self) -> State[Json]:
        """Report, show the result in the UI, and name the end of the flow."""
        summary = {**finish(self.ref), "changed": True, "sentence": self.sentence}
        artifacts.show(self.ref, summary)
        self.board.close()
        return end_of(summary)

    def _take(self, step: Step, subject: str, before: list[Any]) -> bool:
        self.board.begin(step.name, subject)
        state = step(*self._arguments(subject), wait_for=before, return_state=True)
        self._branches.pop(subject, None)
        return self._settle(step, subject, state)

    def _arguments(self, subject: str) -> list[Any]:
        # Quoted, since Prefect draws an edge from every task whose result shares an object, were it
        # only the text "risk", with a parameter.
        return [quote(self.ref), quote(subject)] if subject else [quote(self.ref)]

    def _settle(self, step: Step, subject: str, state: State[Any]) -> bool:
        answer = state.result(raise_on_failure=False)
        if state.is_completed():
            self._branches.setdefault(subject, []).append(_signal(state))
            self.board.end(step.name, subject, in_words(answer))
            return True
        self._message = steps.fail(self.ref, step.name, subject, answer).message
        self.board.fail(step.name, subject, self._message)
        return False

    def _heads(self) -> list[Any]:
        return [state for branch in self._branches.values() for state in branch]


def _signal(state: State[Any]) -> State[Any]:
    """Return the end of a step without its answer, for later steps to wait for.

    Prefect looks into all that a step waits for, and draws an edge from the step that last answered
    with the same object: the name of a kind lies in the answers of many.
    """
    return state.model_copy(update={"data": True})


def end_of(summary: Json) -> State[Json]:
    """Name the end of a flow by its summary: *Completed*, or *Completed with failures*."""
    failures = summary["failures"]
    if failures:
        said = [f"{f['stage']} {f['subject']}: {f['message']}" for f in failures]
        return Completed(name="Completed with failures", message=" | ".join(said), data=summary)
    return Completed(data=summary)


def nothing_to_do(sentence: str, summary: Json) -> State[Json]:
    """Name the end of a flow that found its work done, and say which turn did it."""
    idle = {**summary, "changed": False, "sentence": sentence}
    return Completed(name="Nothing to do", message=sentence, data=idle)
