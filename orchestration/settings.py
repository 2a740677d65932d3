"""Settings: one documented file, the environment above it, arguments above both."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from market.symbols import parse_symbol, parse_symbols
from market.timeframes import parse_timeframe
from ml_pipeline.recipe_words import check_recipes, check_windows
from models.common.slot import KINDS
from orchestration.rules import Api, DriftRules, Gates, Predictions

CONFIG_VARIABLE = "TIDEWHEEL_CONFIG"
DEFAULT_CONFIG = "tidewheel.toml"
SECRETS = ("database_url", "mlflow_tracking_uri", "api_token")
_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):([^@\s]+)@")


class SettingsError(ValueError):
    """A setting is unknown, malformed or out of range; the message names it and its remedy."""


def _default_home() -> Path:
    return Path(os.environ.get("TIDEWHEEL_HOME", "var"))


class Settings(BaseSettings):
    """All that a turn can be told, validated and frozen.

    Read with `load_settings`. Every field can be set in ``tidewheel.toml``, by the environment
    variable ``TIDEWHEEL_<FIELD>`` (``TIDEWHEEL_GATES__Z_PROMOTE`` inside a table), or by argument.
    """

    model_config = SettingsConfigDict(
        env_prefix="TIDEWHEEL_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    home: Path = Field(default_factory=_default_home, description="folder of all that is kept")
    source: str = Field("simulated", min_length=1, description="where candles come from")
    symbols: Annotated[tuple[str, ...], NoDecode] = ("BTC-USDT", "ETH-USDT", "XRP-USDT")
    timeframe: str = Field("1m", description="bar length")
    days: float = Field(14, ge=1, le=3650, description="history that a turn works on")
    seed: int = Field(0, ge=0, lt=2**32, description="of every random draw")
    kinds: Annotated[tuple[str, ...], NoDecode] = KINDS
    recipes: Annotated[tuple[str, ...], NoDecode] = ("default",)
    benchmark: str = Field("BTC-USDT", description="symbol that features compare with")
    runner: Literal["threads", "processes", "dask", "ray"] = "threads"
    runner_address: str | None = Field(None, description="scheduler of an existing cluster")
    workers: int = Field(2, ge=1, le=1024, description="fits that run beside each other")
    fit_timeout_s: float = Field(900, gt=0, description="hard limit of one fit")
    tune_seconds: float = Field(0, ge=0, description="search of each recipe; 0 does without")
    backfill_days: float = Field(0, ge=0, le=3650, description="filled in before a ledger begins")
    pictures: bool = Field(True, description="whether each version's pictures are drawn")
    retrain_seconds: float = Field(0, ge=0, description="search of what is retrained; 0: none")
    retrain_rest_turns: int = Field(2, ge=0, description="turns between two tries to retrain")
    fetch_retries: int = Field(3, ge=0, le=100, description="after a failed fetch")
    database_url: str | None = Field(None, repr=False, description="SQLite file by default")
    mlflow_tracking_uri: str | None = Field(None, repr=False, description="SQLite by default")
    mlflow_artifacts: str | None = Field(None, description="folder or object-store URL")
    staging: Path | None = Field(None, description="folder where `tidewheel live` trains")
    ledger_keep_days: float = Field(
        400, ge=60, description="of ledger; no verdict looks back so far"
    )
    backups_keep: int = Field(5, ge=1, le=1000, description="backups of live bundles by slot")
    close_positions_hook: str | None = Field(
        None, min_length=1, description="command or module:function that closes positions"
    )
    close_positions_timeout_s: float = Field(60, gt=0, description="that it may take")
    host: str = Field("127.0.0.1", min_length=1, description="that the servers bind to")
    prefect_port: int = Field(4200, ge=1, le=65535)
    mlflow_port: int = Field(5000, ge=1, le=65535)
    api_token: str | None = Field(None, min_length=16, repr=False, description="of the REST API")
    api: Api = Api()
    gates: Gates = Gates()
    drift: DriftRules = DriftRules()
    prediction: Predictions = Predictions()
    # Of a replay alone, so that no file or variable can set it.
    _moment: datetime | None = PrivateAttr(None)

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @field_validator("symbols", mode="before")
    @classmethod
    def _symbols(cls, value: object) -> tuple[str, ...]:
        return parse_symbols(_words(value))

    @field_validator("benchmark", mode="before")
    @classmethod
    def _benchmark(cls, value: object) -> str:
        return parse_symbol(str(value))

    @field_validator("timeframe", mode="before")
    @classmethod
    def _timeframe(cls, value: object) -> str:
        return parse_timeframe(str(value))

    @field_validator("kinds", mode="before")
    @classmethod
    def _kinds(cls, value: object) -> tuple[str, ...]:
        asked = _words(value)
        unknown = [kind for kind in asked if kind not in KINDS]
        if unknown or not asked:
            raise ValueError(f"unknown kinds {unknown}; choose from {', '.join(KINDS)}")
        return tuple(kind for kind in KINDS if kind in asked)

    @field_validator("recipes", mode="before")
    @classmethod
    def _recipes(cls, value: object, info: ValidationInfo) -> tuple[str, ...]:
        asked = check_recipes(_words(value) or ["default"])
        if {"kinds", "timeframe", "days"} <= set(info.data):  # else one of them is at fault
            known = info.data
            check_windows(asked, known["kinds"], known["timeframe"], known["days"])
        return asked

    @property
    def moment(self) -> datetime | None:
        """The moment that a replay takes for now; None where the clock says what is now."""
        return self._moment

    def at(self, moment: datetime) -> Settings:
        """Return these settings for a replay: records bear `moment`, and MLflow is left alone."""
        other = self.model_copy()
        other._moment = moment
        return other

    @property
    def candles_dir(self) -> Path:
        """Folder of the candle store."""
        return self.home / "candles"

    @property
    def models_dir(self) -> Path:
        """Folder of the bundles that run."""
        return self.home / "models"

    @property
    def mlflow_dir(self) -> Path:
        """Folder of MLflow's own database and artifacts."""
        return self.home / "mlflow"

    @property
    def prefect_dir(self) -> Path:
        """Folder of the Prefect server's database."""
        return self.home / "prefect"

    @property
    def work_dir(self) -> Path:
        """Folder of what a turn makes on its way: panels, pictures, unjudged bundles."""
        return self.home / "work"

    @property
    def spool_dir(self) -> Path:
        """Folder where live predictions wait for a database that was down."""
        return self.home / "spool"

    @property
    def staging_dir(self) -> Path:
        """Folder where models are prepared before they are deployed."""
        return (self.staging or self.home / "staging").expanduser().resolve()

    @property
    def backups_dir(self) -> Path:
        """Folder of the backups of live bundles."""
        return self.home / "backups"

    @property
    def store_url(self) -> str:
        """Database URL of the store."""
        return self.database_url or f"sqlite:///{self.home / 'tidewheel.db'}"

    @property
    def tracking_uri(self) -> str:
        """Tracking and registry URI of MLflow, absolute."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.mlflow_dir / 'mlflow.db'}"

    @property
    def artifact_root(self) -> str | None:
        """Where MLflow keeps artifacts; None leaves it to the MLflow server that is used."""
        if self.mlflow_artifacts or self.tracking_uri.startswith("http"):
            return self.mlflow_artifacts
        return str(self.mlflow_dir / "artifacts")

    def as_dict(self) -> dict[str, Any]:
        """Return all settings as plain values fit for JSON, passwords masked."""
        shown: dict[str, Any] = self.model_dump(mode="json")
        for name in SECRETS:
            if shown[name]:
                shown[name] = "***" if name == "api_token" else mask_password(shown[name])
        return shown

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Rank the sources: arguments, then environment, then file."""
        return init_settings, env_settings, _settings_file(settings_cls)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings: `overrides` beat the environment, which beats the file.

    The file is the one that ``TIDEWHEEL_CONFIG`` names, otherwise ``tidewheel.toml`` in the current
    folder when there is one. An override that is None counts as not given.

    Raises
    ------
    SettingsError
        Anything in them is unknown, malformed or out of range, or the named file is missing.

    Examples
    --------
    >>> load_settings(symbols="btcusdt", timeframe="5min").timeframe
    '5m'
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def mask_password(url: str) -> str:
    """Return `url` with its password replaced by stars.

    Examples
    --------
    >>> mask_password("postgresql://tide:secret@db/tidewheel")
    'postgresql://tide:***@db/tidewheel'
    """
    return _PASSWORD.sub(r"\1:***@", url)


def _words(value: object) -> list[str]:
    """Read a list of words from a list, a comma-separated text or a JSON-like ``["A","B"]``."""
    if isinstance(value, str):
        parts = value.strip().strip("[]").split(",")
    elif isinstance(value, (list, tuple)):
        parts = [str(part) for part in value]
    else:
        raise ValueError(f"expected words separated by commas, got {value!r}")
    return [word for part in parts if (word := part.strip().strip("\"'"))]


def _settings_file(settings_cls: type[BaseSettings]) -> TomlConfigSettingsSource:
    named = os.environ.get(CONFIG_VARIABLE)
    path = Path(named or DEFAULT_CONFIG).expanduser()
    if named and not path.is_file():
        raise SettingsError(f"{CONFIG_VARIABLE} names {path}, which is not a file")
    try:
        source = TomlConfigSettingsSource(settings_cls, path)
    except ValueError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
    for name in SECRETS:
        told = str(source.toml_data.get(name, ""))
        if _PASSWORD.search(told) or (told and name == "api_token"):
            raise SettingsError(
                f"{path} holds a secret in {name}; secrets come only from the environment: "
                f"set TIDEWHEEL_{name.upper()} instead"
            )
    return source


def _sentence(error: ValidationError) -> str:
    """Say in one line what is wrong with each setting and where to read about it."""
    faults = []
    for fault in error.errors(include_url=False):
        name = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            faults.append(f"{name}: no such setting")
        elif fault["type"] == "value_error" or fault["loc"][0] in SECRETS:
            faults.append(f"{name}: {fault['msg'].removeprefix('Value error, ')}")
        else:
            faults.append(f"{name}: {fault['msg'].lower()}, got {fault['input']!r}")
    return f"{'; '.join(faults)}. docs/settings.md lists every setting"
