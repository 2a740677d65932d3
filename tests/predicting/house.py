"""A home with small models, hourly candles of a simulated market, and a clock that stands still."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from features.program import FeatureProgram
from market.source import open_source
from models.common.registry import PredictionModelRegistry
from models.common.schema import FeatureSchema
from models.common.slot import Slot
from tests.models import tiny

NAMES = ("return_1", "rsi_14", "close_location")
HOUR = 3_600_000
SYMBOL = "BTC-USDT"
START, END = "2025-03-01T00:00Z", "2025-05-30T00:00Z"
NOW_S = pd.Timestamp(END).timestamp() + 30


def clock() -> float:
    """Return half a minute after the last candle closed."""
    return NOW_S


def schema(timeframe: str = "1h", names: tuple[str, ...] = NAMES) -> FeatureSchema:
    program = FeatureProgram(names, timeframe)
    return FeatureSchema(names, program.hashes, program.units)


def serve(
    home: Path,
    kind: str = "price",
    version: str = "v1",
    *,
    scope: str = "majors",
    timeframe: str = "1h",
    bias: float = 0.0,
    **more: object,
) -> Slot:
    """Write a tiny version and make it champion; return its slot."""
    tiny.bundle(
        home / "models", kind, version, scope=scope, timeframe=timeframe, bias=bias, novelty=1.0,
        schema=schema(timeframe), **more,  # type: ignore[arg-type]
    )  # fmt: skip
    slot = Slot(scope, kind, timeframe)
    PredictionModelRegistry(home / "models").promote(slot, version)
    return slot


def candles(symbol: str = SYMBOL, timeframe: str = "1h", start: str = START) -> pd.DataFrame:
    """Return candles that say whose they are."""
    frame = open_source("simulated:seed=5").fetch(symbol, timeframe, start, END)
    frame.attrs = {"symbol": symbol, "timeframe": timeframe, "simulated": True}
    return frame
