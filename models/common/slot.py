"""Slot: kind × scope × timeframe, the place that one champion fills."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.common.errors import BadName

KINDS = ("direction", "risk", "price", "momentum", "volatility")
"""The kinds that a turn trains."""
FORECASTS = ("autoregressive", "multi_ohlc")
"""Forecasters of many steps: in the registry like the others, trained when somebody asks."""
EVERY_KIND = (*KINDS, *FORECASTS)
SEED_NAMES = {
    "direction": "direction_predictor",
    "risk": "risk_scorer",
    "price": "price_predictor",
    "momentum": "momentum_classifier",
    "volatility": "volatility_regressor",
}
FORECAST_NAMES = {kind: f"{kind}_predictor" for kind in FORECASTS}
DEFAULT_SCOPE = "majors"

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_TIMEFRAME = re.compile(r"[1-9][0-9]*[mhdw]")


def check_word(word: str, what: str) -> str:
    """Return `word` if it may name a folder of the registry.

    Letters, digits, ``. _ + -``, not starting with a dot: such a name can neither climb out of
    the models folder nor hide in it.

    Raises
    ------
    BadName
        For anything else, `..` and path separators included.
    """
    if not _WORD.fullmatch(word):
        raise BadName(
            f"{word!r} cannot be a {what}: use letters, digits and . _ + -, "
            "beginning with a letter or digit"
        )
    return word


@dataclass(frozen=True, order=True)
class Slot:
    """The place that one champion fills.

    Parameters
    ----------
    scope : str
        What the model was trained on: ``"majors"``, one symbol (``"BTC-USDT"``) or symbols
        joined by ``+``.
    kind : str
        One of `EVERY_KIND`.
    timeframe : str
        Canonical bar length, such as ``"1m"``.

    Raises
    ------
    BadName
        When a part cannot be what it is given as.

    Examples
    --------
    >>> Slot("majors", "direction", "1m").key
    'majors/direction/1m'
    """

    scope: str
    kind: str
    timeframe: str

    def __post_init__(self) -> None:
        check_word(self.scope, "scope")
        if self.kind not in EVERY_KIND:
            raise BadName(f"{self.kind!r} is no kind of model: use one of {', '.join(EVERY_KIND)}")
        if not _TIMEFRAME.fullmatch(self.timeframe):
            raise BadName(f"{self.timeframe!r} is no timeframe: write it like 1m, 5m, 1h or 1d")

    @property
    def key(self) -> str:
        """The slot in one word: ``scope/kind/timeframe``."""
        return f"{self.scope}/{self.kind}/{self.timeframe}"

    def __str__(self) -> str:
        return self.key

    @classmethod
    def parse(cls, key: str) -> Slot:
        """Return the slot that `key` names, the inverse of `Slot.key`.

        Raises
        ------
        BadName
            When `key` is not ``scope/kind/timeframe``.
        """
        parts = key.split("/")
        if len(parts) != 3:
            raise BadName(f"{key!r} is no slot: write it as scope/kind/timeframe")
        return cls(*parts)


def version_name(time: datetime, timeframe: str, recipe: str) -> str:
    """Return the name of the version that `recipe` makes in the turn at `time`.

    Parameters
    ----------
    time : datetime
        The turn's time, in UTC and aware of it.
    timeframe : str
        Canonical bar length.
    recipe : str
        Short name of the recipe, such as ``"xgboost"`` or ``"baseline"``.

    Returns
    -------
    str
        Such as ``"2025-05-28T0000Z_1m_xgboost"``: versions of a slot sort by time.

    Raises
    ------
    BadName
        When `time` is not in UTC or `recipe` cannot be part of a name.
    """
    if time.utcoffset() != timedelta(0):
        raise BadName(f"a version is named by its time in UTC, not {time!r}")
    return check_word(f"{time:%Y-%m-%dT%H%MZ}_{timeframe}_{recipe}", "version")
