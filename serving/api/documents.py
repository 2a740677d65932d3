"""What the answers look like: models of pydantic, which OpenAPI shows and every answer keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    """An answer; it may hold more than is promised here."""

    model_config = ConfigDict(extra="allow")


class Turn(Document):
    """One turn of the wheel."""

    turn_id: str = Field(examples=["2025-05-28T0000Z_majors_1m"])
    status: str = Field(examples=["completed"])
    started_at: datetime = Field(examples=["2025-05-28T00:00:04.123456Z"])
    finished_at: datetime | None = Field(examples=["2025-05-28T00:01:12.654321Z"])
    stages: dict[str, float] = Field(examples=[{"fetch": 1.2}], description="seconds of each")


class Rank(Document):
    """A champion's row of the leaderboard: the lower bound of its skill ranks, never the mean."""

    kind: str = Field(examples=["volatility"])
    champion: str | None = Field(examples=["2025-05-28T0000Z_1m_lightgbm"])
    skill: float | None = Field(examples=[0.113], description="1 - loss / loss of the baseline")
    lower: float | None = Field(examples=[0.101], description="lower 95 % bound of the skill")
    n: int | None = Field(examples=[8640], description="rows of the ledger that it rests on")
    simulated: bool = Field(examples=[True], description="whether the market is simulated")


class Drift(Document):
    """The latest verdict on a slot, by its ledger."""

    slot_key: str = Field(examples=["majors/direction/1m"])
    status: str = Field(examples=["OK"], description="OK, WARN, DRIFT, HARM, LEARNING, …")
    sentence: str = Field(examples=["skill +0.4 % over 72 h, z +2.1"])
    simulated: bool = Field(examples=[True])


class Decision(Document):
    """Who was made champion, kept or archived, by whom and why."""

    at: str = Field(examples=["2025-05-28T00:00:00+00:00"])
    slot: str = Field(examples=["majors/direction/1m"])
    by: str = Field(examples=["turn"])
    action: str = Field(examples=["kept"])
    champion: str | None = Field(examples=["2025-05-28T0000Z_1m_logistic"])
    sentence: str = Field(examples=["no line is proven to be better"])


class Version(Document):
    """One version of a slot, with how it did on the holdout of its own turn."""

    slot: str = Field(examples=["majors/direction/1m"])
    version: str = Field(examples=["2025-05-28T0000Z_1m_logistic"])
    status: str = Field(examples=["champion"])
    role: str | None = Field(examples=["champion"])
    skill: float | None = Field(examples=[0.004])
    lower: float | None = Field(examples=[0.001])
    upper: float | None = Field(examples=[0.007])
    n: int | None = Field(examples=[8640])
    simulated: bool | None = Field(examples=[True])


class Promotion(BaseModel):
    """What is to serve, and why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: str = Field(
        min_length=1, max_length=200, examples=["2025-05-28T0000Z_1m_logistic"],
        description="a version of the slot, or a beginning that fits one of them",
    )  # fmt: skip
    reason: str = Field("", max_length=1000, examples=["it knows the new tick size"])
    by: str = Field("api", min_length=1, max_length=100, examples=["desk"])
    force: bool = Field(False, description="promote what is not proven all the same")


class Moved(Document):
    """What a promotion came to; `moved` is false where it served already."""

    slot: str = Field(examples=["majors/direction/1m"])
    champion: str = Field(examples=["2025-05-28T0000Z_1m_logistic"])
    before: str | None = Field(examples=["2025-05-27T1200Z_1m_baseline"])
    moved: bool
    sentence: str


class Degraded(BaseModel):
    """One thing that is not as it should be."""

    what: str = Field(examples=["turns"])
    sentence: str = Field(examples=["the last turn ended 31 h ago"])


class Health(BaseModel):
    """The server is alive; `degraded` says what does not work or is late."""

    status: Literal["ok", "degraded"]
    degraded: list[Degraded]
    source: str = Field(examples=["simulated:seed=7"])
    simulated: bool


class Performance(Document):
    """R², RMSE and MAE of one-bar log returns, each beside the random walk's on the same bars."""

    train_r2: float | None = Field(examples=[0.0051])
    val_r2: float | None = Field(examples=[0.0004], description="on later bars than those fitted")
    val_r2_random_walk: float | None = Field(examples=[-0.0001])
    val_rmse: float | None = Field(examples=[0.000512])
    val_rmse_random_walk: float | None = Field(examples=[0.000513])


class ForecasterFacts(Document):
    """A trained forecaster."""

    name: str = Field(examples=["BTC_USDT_1m_300steps_multi_ohlc"])
    type: str = Field(examples=["multi_ohlc"])
    symbol: str = Field(examples=["BTC_USDT"])
    timeframe: str = Field(examples=["1m"])
    n_steps_ahead: int = Field(examples=[300])
    model_size_kb: float = Field(examples=[2048.5])
    trained_at: datetime = Field(examples=["2025-05-28T08:00:00Z"])
    bars: int = Field(examples=[43200])
    simulated: bool = Field(examples=[True])
    performance: Performance


class Step(Document):
    """One bar to come; open, high and low are null where only closes are forecast."""

    step: int = Field(examples=[1])
    minutes_ahead: int = Field(examples=[1])
    timestamp: datetime = Field(examples=["2025-05-28T10:31:00Z"], description="when it closes")
    predicted_open: float | None = Field(examples=[42152.0])
    predicted_high: float | None = Field(examples=[42180.0])
    predicted_low: float | None = Field(examples=[42140.0])
    predicted_close: float = Field(examples=[42165.0])
    predicted_return: float = Field(examples=[0.000345], description="since the current price")
    confidence: float = Field(examples=[0.52], description="probability that the sign is right")
    lower: float = Field(examples=[42101.0], description="lower end of the interval of the close")
    upper: float = Field(examples=[42229.0], description="upper end")


class ModelInfo(Document):
    """Which forecaster answered."""

    name: str = Field(examples=["BTC_USDT_1m_300steps_multi_ohlc"])
    type: str = Field(examples=["multi_ohlc"])
    trained_at: datetime = Field(examples=["2025-05-28T08:00:00Z"])
    n_steps_ahead: int = Field(examples=[300])


class Forecast(Document):
    """The bars to come after the last closed one."""

    timestamp: datetime = Field(examples=["2025-05-28T10:30:00Z"], description="its close")
    current_price: float = Field(examples=[42150.5])
    symbol: str = Field(examples=["BTC_USDT"])
    timeframe: str = Field(examples=["1m"])
    simulated: bool = Field(examples=[True])
    interval: float = Field(examples=[0.9], description="what lower … upper promise to cover")
    predictions: list[Step]
    model_info: ModelInfo


class Started(BaseModel):
    """Something goes on in the background."""

    status: str = Field(examples=["running"])
    prediction_id: str = Field(examples=["5f0c7c1e9d1a4f6c8c0a3a2a1b0c9d8e"])
    message: str = Field(examples=["Prediction started. Check status at /api/predictions/5f0c…"])


class Job(Document):
    """Background work, or a forecast that was kept: how far it is and what came of it."""

    id: str = Field(examples=["5f0c7c1e9d1a4f6c8c0a3a2a1b0c9d8e"])
    kind: str = Field(examples=["predict"], description="predict, train or saved")
    symbol: str = Field(examples=["BTC_USDT"])
    timeframe: str = Field(examples=["1m"])
    status: str = Field(examples=["completed"], description="queued, running, completed or failed")
    stage: str = Field(examples=["train"])
    progress: float = Field(examples=[1.0], description="0 … 1")
    reason: str | None = Field(examples=[None], description="why it failed")
    problem: dict[str, Any] | None = Field(
        examples=[None], description="of a failure: error, remedy and numbers, where they are known"
    )
    created_at: datetime = Field(examples=["2025-05-28T10:30:00Z"])
    finished_at: datetime | None = Field(examples=["2025-05-28T10:30:02Z"])
    result: dict[str, Any] | None = Field(examples=[{"current_price": 42150.5}])
