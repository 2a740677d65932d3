"""Rules: the thresholds of gates and drift, each a setting with its meaning.

Those that decide about promotions were chosen by simulation (``python -m bench.verdicts``): with
`z_promote` 2.4 on a window of 28 days, equal models swap about ten times a year over seven slots of
three rivals, and a newcomer that is better by a point of accuracy is found within 14 days in six
cases of ten, within 28 in nine. A longer window or a higher z means fewer swaps, and an old rival
that becomes better is found weeks later. `z_keep` ends what luck began: without it a learner that
knows nothing, once promoted, serves on for months (18 % of all slot-time), with it for weeks (5 %).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gates(_Part):
    """What a candidate must pass; JUDGING sections 5 and 7 of the design give the reasons."""

    z_promote: float = Field(2.4, ge=0, description="paired z against the champion to replace it")
    z_keep: float = Field(0.0, description="z of a champion's line below which it gives way")
    z_refresh: float = Field(-1.64, le=0, description="paired z for a refit of the same recipe")
    z_over_drift: float = Field(-0.5, description="paired z against a champion in DRIFT")
    z_ensemble: float = Field(-0.5, description="paired z of an ensemble against its best member")
    z_learnt: float = Field(1.64, ge=0, description="paired z of learnt weights against equal ones")
    skill_above: float = Field(0.0, description="the skill's lower 95 % bound must exceed this")
    ece_max: float = Field(0.02, gt=0, le=1, description="expected calibration error of a class")
    coverage_min: float = Field(0.87, gt=0, lt=1, description="of the nominal 90 % interval")
    coverage_max: float = Field(0.93, gt=0, lt=1, description="of the nominal 90 % interval")
    parity_max: float = Field(1e-4, gt=0, description="exported graph against the fitted model")
    tenure_turns: int = Field(2, ge=0, description="turns a champion serves before it can fall")
    keep_top: int = Field(3, ge=1, description="mature lines kept in a slot besides the baseline")
    ledger_days: float = Field(14, gt=0, description="days of ledger that speak with full weight")
    window_days: float = Field(28, gt=0, description="last days of the ledger that are judged")
    least_days: float = Field(
        1.5, ge=0, description="days of ledger below which nothing is promoted"
    )
    confidence_set: float = Field(0.1, gt=0, lt=1, description="level of the model confidence set")
    outside_turns: int = Field(2, ge=1, description="turns outside before a line is archived")
    rest_turns: int = Field(14, ge=0, description="turns that an archived recipe is not fitted")
    leaderboard: int = Field(5, ge=1, description="rows of the leaderboard across slots")


class DriftRules(_Part):
    """When the ledger says that a champion has lost its skill."""

    drop_hours: int = Field(72, ge=1, description="window of the drop rule")
    drop_min: float = Field(0.02, ge=0, description="smallest drop that matters")
    drop_share: float = Field(0.5, ge=0, description="or this share of the reference skill")
    drop_z: float = Field(3.2, gt=0, description="z of that drop")
    fade_days: int = Field(7, ge=1, description="window in which proven skill may not fade")
    fade_long_days: int = Field(14, ge=1, description="that window where the skill is small")
    fade_z: float = Field(1.645, gt=0, description="z of skill that counts as proven")
    fade_sure_z: float = Field(1.0, ge=0, description="a week tells if it expects so much more")
    fade_drop_z: float = Field(3.0, ge=0, description="z by which it must have fallen as well")
    sudden_hours: int = Field(24, ge=1, description="window of the sudden-drop rule")
    sudden_drop: float = Field(0.05, gt=0, description="drop within that window")
    sudden_z: float = Field(3.5, gt=0, description="z of that drop")
    warn_z: float = Field(1.0, description="z of skill over drop_hours below which to warn")
    harm_hours: int = Field(24, ge=1, description="window of the harm rule")
    harm_evidence: float = Field(150, gt=1, description="e-value at which to roll back at once")
    reference_days: float = Field(7.0, gt=0, description="ledger needed before any verdict")


class Api(_Part):
    """How the REST API answers."""

    port: int = Field(8000, ge=1, le=65535, description="that it listens on")
    rate: float = Field(20.0, gt=0, description="requests a second that one client may keep up")
    burst: int = Field(60, ge=1, description="requests that one client may make at once")
    body_max: int = Field(65_536, ge=256, description="bytes of a request's body")
    wait_s: float = Field(300.0, ge=0, description="that a request waits for what it started")
    model_hours: float = Field(24.0, gt=0, description="age at which a forecaster is outdated")
    jobs_keep: int = Field(1000, ge=10, description="finished jobs and predictions kept")


class Predictions(_Part):
    """How the prediction engine answers; `orchestration.engine.config` says what each means."""

    kind: str = Field("price", description="kind of model that answers")
    symbol: str = Field("", description="of candles that do not say whose they are")
    timeframe: str = Field("", description="bars that models read; else the candles'")
    bundles: dict[str, str] = Field({}, description="by strategy, the model that answers it")
    ensembles: bool = Field(False, description="a slot's ensemble answers, where one is on")
    regime_aware: bool = Field(True, description="confidences by regime, where they were learnt")
    cache: bool = Field(True, description="answers are kept")
    cache_rows: int = Field(10_000, ge=1, le=10_000_000, description="answers kept at most")
    record: bool = Field(True, description="each answer goes into the ledger")
