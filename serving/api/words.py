"""What a request may say of symbol, bar length and so on, as OpenAPI tells it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

SYMBOL_PATTERN = r"^[A-Za-z0-9]{2,10}[-_/](USDT|USDC|USD|EUR|BTC|ETH|usdt|usdc|usd|eur|btc|eth)$"

Symbol = Annotated[
    str,
    Field(
        pattern=SYMBOL_PATTERN,
        max_length=20,
        examples=["BTC_USDT"],
        description="trading pair: BTC_USDT, BTC-USDT or BTC/USDT",
    ),
]
Timeframe = Annotated[
    Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"],
    Field(examples=["1m"], description="bar length"),
]
ModelType = Annotated[
    Literal["multi_ohlc", "autoregressive"],
    Field(examples=["multi_ohlc"], description="whole candles, or closes alone"),
]


def _whole(value: object) -> object:
    """Return 300 for 300.0: to JSON they are one number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Wish(_Body):
    """A forecast that is wanted."""

    symbol: Symbol
    timeframe: Timeframe
    auto_train: bool = Field(True, description="train first where there is no model of late")


class Training(_Body):
    """A forecaster that is wanted."""

    symbol: Symbol
    timeframe: Timeframe
    n_steps_ahead: Whole = Field(300, ge=1, le=1000, examples=[300])
    days_history: float = Field(30, gt=0, le=1000, examples=[30])
    model_type: ModelType = "multi_ohlc"
