"""Who may ask, how often and how much: token, rate and size, looked at before anything is read."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.settings import Settings
from serving.api.problems import problem_of

OPEN = ("/health", "/docs", "/openapi.json")
"""Paths that need no token: they tell nothing but whether the server is well and what it takes."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CLIENTS = 10_000


class Buckets:
    """A token bucket for each client: `burst` at once, `rate` a second after that.

    The clients heard of last are remembered, `_CLIENTS` of them: memory is bounded.
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str) -> float:
        """Take one; return 0, or the seconds until there is one."""
        now = self._clock()
        with self._lock:
            left, at = self._left.pop(client, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._rate)
            wait = 0.0 if left >= 1 else (1 - left) / self._rate
            self._left[client] = (left if wait else left - 1, now)
            if len(self._left) > _CLIENTS:
                self._left.popitem(last=False)
        return wait


class Guard:
    """The outermost layer of the app."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._token = settings.api_token
        self._most = settings.api.body_max
        self._buckets = Buckets(settings.api.rate, settings.api.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        looks = (self._too_often, self._elsewhere, self._stranger, self._too_long)
        refusal = next((found for look in looks if (found := look(request))), None)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, self._measured(receive), send)

    def _too_often(self, request: Request) -> ASGIApp | None:
        client = request.client.host if request.client else "?"
        wait = self._buckets.take(client)
        if not wait:
            return None
        seconds = max(1, round(wait + 0.5))
        return problem_of(
            request, 429, f"{client} asks too often", f"ask again in {seconds} s, and less often; "
            "settings api.rate and api.burst say how often", slug="too-many-requests",
            numbers={"retry_after_s": seconds}, headers={"Retry-After": str(seconds)},
        )  # fmt: skip

    def _elsewhere(self, request: Request) -> ASGIApp | None:
        """Without a token, refuse what a web page elsewhere makes a browser ask of loopback."""
        if self._token is not None or (request.url.hostname or "") in _LOOPBACK:
            return None
        return problem_of(
            request, 403, f"the request is for the host {request.url.hostname}", "ask for "
            "127.0.0.1 or localhost, or set TIDEWHEEL_API_TOKEN on the server", slug="other-host",
        )  # fmt: skip

    def _stranger(self, request: Request) -> ASGIApp | None:
        if self._token is None or request.url.path in OPEN:
            return None
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        same = secrets.compare_digest(given.strip().encode(), self._token.encode())
        if same and scheme.lower() == "bearer":
            return None
        return problem_of(
            request, 401, "the token is missing or not the one of this server",
            "send the header Authorization: Bearer <TIDEWHEEL_API_TOKEN>", slug="unauthorized",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip

    def _too_long(self, request: Request) -> ASGIApp | None:
        told = request.headers.get("content-length", "0")
        if told.isdigit() and int(told) <= self._most:
            return None
        return problem_of(
            request, 413, f"a body of {told} bytes; {self._most} are taken", "send a shorter one",
            numbers={"bytes": told, "most": self._most},
        )  # fmt: skip

    def _measured(self, receive: Receive) -> Receive:
        """Count a body that did not say how long it is; end it where it is too long."""
        heard = 0

        async def counted() -> Message:
            nonlocal heard
            message = await receive()
            heard += len(message.get("body", b""))
            return {"type": "http.disconnect"} if heard > self._most else message

        return counted
