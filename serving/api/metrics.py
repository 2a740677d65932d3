"""What Prometheus reads: counted as it happens, or looked up in the store when it asks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.service.resources import store_of
from orchestration.settings import Settings
from orchestration.store.errors import RecordError

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_STATES = {"OK": 0, "LEARNING": 0, "WARN": 1, "DRIFT": 2, "HARM": 3}


class Meters:
    """The meters of one app.

    Attributes
    ----------
    registry
        What `/metrics` prints.
    predictions
        Forecasts that were answered, by symbol, timeframe and whether they came from memory.
    """

    def __init__(self, settings: Settings) -> None:
        self.registry = CollectorRegistry()
        self.predictions = Counter(
            "tidewheel_predictions", "forecasts answered", ["symbol", "timeframe", "cached"],
            registry=self.registry,
        )  # fmt: skip
        self.requests = Histogram(
            "tidewheel_request_seconds", "seconds that a request took", ["route", "status"],
            registry=self.registry, buckets=_BUCKETS,
        )  # fmt: skip
        self.registry.register(_Records(settings))


class Timed:
    """A layer of the app that takes the time of each request, by its route and not its address."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app, self._meters = app, meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how long it took."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            seconds = time.perf_counter() - began
            self._meters.requests.labels(route, str(status)).observe(seconds)


class _Records(Collector):
    """What the store knows, at the moment of asking."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: the store may be down when the app is made."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of the last turn; only whether it answers where the store does not."""
        up = GaugeMetricFamily("tidewheel_database_up", "1 where the store answers")
        try:
            found = list(self._of_store())
        except RecordError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from found

    def _of_store(self) -> Iterator[Metric]:
        store = store_of(self._settings)
        age = GaugeMetricFamily("tidewheel_last_turn_age_seconds", "since the last turn ended")
        skill = GaugeMetricFamily(
            "tidewheel_champion_skill", "1 - loss / baseline's loss, on the ledger", labels=_SLOT
        )
        lower = GaugeMetricFamily(
            "tidewheel_champion_skill_lower", "lower 95 % bound of it", labels=_SLOT
        )
        ended = [turn for turn in store.list_turns(10) if turn.finished_at]
        if ended and ended[0].finished_at:
            age.add_metric([], (datetime.now(UTC) - ended[0].finished_at).total_seconds())
            for row in ended[0].summary.get("slots", ()):
                names = [row["slot"], str(row.get("champion"))]
                _add(skill, names, row, "skill")
                _add(lower, names, row, "lower")
        yield from (age, skill, lower)
        drift = GaugeMetricFamily(
            "tidewheel_drift_state", "0 OK or LEARNING, 1 WARN, 2 DRIFT, 3 HARM", labels=["slot"]
        )
        for row in store.latest_drift():
            if row["status"] in _STATES:
                drift.add_metric([row["slot_key"]], _STATES[row["status"]])
        yield drift


_SLOT = ["slot", "version"]


def _add(family: GaugeMetricFamily, names: list[str], row: Mapping[str, Any], field: str) -> None:
    if row.get(field) is not None:
        family.add_metric(names, float(row[field]))
