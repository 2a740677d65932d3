"""A small exchange on loopback that speaks Binance's spot candle endpoints, and can misbehave.

Real HTTP, so that what is tested is ccxt itself with its own parsing and error handling. Candles
are a pure function of time. Like the real one it includes the bar that has not closed yet, cuts
pages at 1,000 rows and answers an unknown symbol with status 400 and code -1121.
"""

from __future__ import annotations

import json
import math
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd

INTERVALS = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "1d": 86_400_000}


def candle(open_ms: int, step: int) -> tuple[float, float, float, float, float]:
    """Return open, high, low, close, volume of the bar that opens then: any time, no state."""
    index = open_ms // step
    first = 100 + 10 * math.sin(index / 50) + (index % 7) / 100
    last = 100 + 10 * math.sin((index + 1) / 50) + ((index + 1) % 7) / 100
    first, last = round(first, 2), round(last, 2)
    high, low = round(max(first, last) + 0.05, 2), round(min(first, last) - 0.05, 2)
    return first, high, low, last, round(1 + index % 13 + 0.25, 3)


def expected(start: int, end: int, step: int = 60_000) -> pd.DataFrame:
    """Return what a faultless client must end up with."""
    opens = range(start, end - step + 1, step)
    stamps = pd.to_datetime(list(opens), unit="ms", utc=True).astype("datetime64[ms, UTC]")
    return pd.DataFrame(
        [candle(t, step) for t in opens],
        index=pd.DatetimeIndex(stamps, name="timestamp"),
        columns=["open", "high", "low", "close", "volume"],
    )


@dataclass
class Exchange:
    """The state of the emulator.

    ``faults`` is consumed by the candle endpoint, one a request, ``other_faults`` by the listing
    and the clock; ``always`` is what the candle endpoint does after that. See `_misbehave`.
    """

    now: int
    first_bar: int = 0
    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    holes: tuple[tuple[int, int], ...] = ()
    faults: list[str] = field(default_factory=list)
    other_faults: list[str] = field(default_factory=list)
    always: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def __enter__(self) -> Exchange:
        handler = type("Handler", (_Handler,), {"exchange": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def klines(self, query: dict[str, str]) -> list[list[object]]:
        step = INTERVALS[query["interval"]]
        limit = min(int(query.get("limit", 500)), 1000)
        start = max(int(query.get("startTime", self.now - limit * step)), self.first_bar)
        opens: list[int] = []
        t = -(-start // step) * step
        while t <= self.now and len(opens) < limit:
            if not any(a <= t < b for a, b in self.holes):
                opens.append(t)
            t += step
        return [self._row(t, step) for t in opens]

    def _row(self, t: int, step: int) -> list[object]:
        o, h, low, c, v = candle(t, step)
        if t + step > self.now:  # still moving
            h, c, v = h + 1.0, h + 0.5, v / 10
        return [t, str(o), str(h), str(low), str(c), str(v), t + step - 1, "0", 7, "0", "0", "0"]


class _Handler(BaseHTTPRequestHandler):
    exchange: Exchange
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        routes = {
            "/api/v3/exchangeInfo": self._info,
            "/api/v3/time": lambda _: self._json({"serverTime": self.exchange.now}),
        }
        if parts.path == "/api/v3/klines":
            self._klines(query)
        elif parts.path not in routes:
            self._json({"code": -1000, "msg": "no such path"}, 404)
        elif not (
            self.exchange.other_faults and self._misbehave(self.exchange.other_faults.pop(0), [])
        ):
            routes[parts.path](query)

    def _klines(self, query: dict[str, str]) -> None:
        with self.exchange.lock:
            self.exchange.requests.append(query)
            fault = self.exchange.faults.pop(0) if self.exchange.faults else self.exchange.always
        if query["symbol"] not in self.exchange.symbols:
            self._json({"code": -1121, "msg": "Invalid symbol."}, 400)
        elif fault == "early":  # rows from before the window, as some exchanges send
            begin = int(query.get("startTime", 0)) - 600_000
            self._json(self.exchange.klines(query | {"startTime": str(begin)}))
        elif not self._misbehave(fault, self.exchange.klines(query)):
            self._json(self.exchange.klines(query))

    def _misbehave(self, fault: str, rows: list[list[object]]) -> bool:
        """Answer wrongly if the fault says so; else leave it to the caller."""
        bodies: dict[str, Any] = {
            "short": rows[: max(1, len(rows) // 3)],
            "empty": [],
            "duplicates": rows[:5] + rows[:5] + rows[5:],
            "shuffled": rows[len(rows) // 2 :] + rows[: len(rows) // 2],
            "object": {"klines": "none today"},
            "numbers": [1, 2, 3],
            "texts": ["a", "b"],
            "timeless": [[None, *row[1:]] for row in rows],
        }
        if fault in bodies:
            self._json(bodies[fault])
        elif fault == "timeout":
            time.sleep(0.6)
            self.close_connection = True
        elif fault == "reset":
            self.close_connection = True
        elif fault in {"429", "418", "500", "502", "503", "504"}:
            self._send("<html>no</html>", int(fault), "text/html")
        elif fault.startswith("429:"):
            self._send("{}", 429, "application/json", {"Retry-After": fault[4:]})
        elif fault == "html":
            self._send("<!DOCTYPE html><p>Checking your browser</p>", 200, "text/html")
        elif fault == "cut":
            self._send(json.dumps(rows)[: -40 - len(rows)], 200, "application/json")
        else:
            return False
        return True

    def _info(self, _: dict[str, str]) -> None:
        self._json(
            {
                "timezone": "UTC",
                "serverTime": self.exchange.now,
                "rateLimits": [],
                "exchangeFilters": [],
                "symbols": [_listing(name) for name in self.exchange.symbols],
            }
        )

    def _json(self, body: Any, status: int = 200) -> None:
        self._send(json.dumps(body), status, "application/json;charset=UTF-8")

    def _send(
        self, text: str, status: int, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""


def _listing(name: str) -> dict[str, object]:
    base, quote = name.removesuffix("USDT"), "USDT"
    return {
        "symbol": name,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": "0.01",
                "maxPrice": "1e6",
                "tickSize": "0.01",
            },
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9000", "stepSize": "0.001"},
        ],
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
    }
