"""What the answers look like: models of pydantic, which OpenAPI shows and every answer keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

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
