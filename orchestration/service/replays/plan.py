"""The plan of a replay: its moments, its home, and what makes it this replay and no other."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from market.symbols import scope_of
from market.timeframes import DAY_MS, instant_ms, parse_timeframe, timeframe_ms, utc
from ml_pipeline.competing import chosen, days_needed
from models.common.files import replace_file
from orchestration.service.errors import BadReplay, OtherReplay
from orchestration.service.refs import Json
from orchestration.settings import Settings

PLAN = "replay.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HASH = 8
MOST_DAYS = 3650
# Where things are kept and how many hands there are decide nothing.
_PLACES = (
    "home", "runner", "runner_address", "workers", "fetch_retries",
    "database_url", "mlflow_tracking_uri", "mlflow_artifacts", "staging", "backups_keep",
    "close_positions_hook", "close_positions_timeout_s", "host", "prefect_port", "mlflow_port",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """One replay.

    Attributes
    ----------
    settings
        Of the replay's own home; `Settings.at` gives them their moment.
    live
        Of the home that it belongs to: its candles are read, and its MLflow gets one run.
    name
        Of its folder, ``<home>/replays/<name>``.
    first_ms, end_ms
        Turns happen in [first, end), epoch milliseconds.
    every_ms, predict_ms
        From turn to turn, and from prediction to prediction between them; 0 predicts at turns only.
    """

    settings: Settings
    live: Settings
    name: str
    first_ms: int
    end_ms: int
    every_ms: int
    predict_ms: int = 0

    @property
    def turns(self) -> tuple[int, ...]:
        """Moments of the turns, epoch milliseconds."""
        return tuple(range(self.first_ms, self.end_ms, self.every_ms))

    def between(self, turn_ms: int) -> tuple[int, ...]:
        """Return the moments after a turn at which predictions are made; the very end among them.

        At a turn itself the turn predicts.
        """
        until = min(turn_ms + self.every_ms, self.end_ms)
        step = self.predict_ms or self.every_ms
        found = tuple(range(turn_ms + step, until, step))
        return (*found, until) if until == self.end_ms else found

    @property
    def folder(self) -> Path:
        """The replay's home."""
        return self.settings.home

    def parameters(self) -> Json:
        """Return what decides how it goes: the same here is the same everywhere."""
        told = self.settings.model_dump(mode="json", exclude=set(_PLACES))
        return {
            "from": utc(self.first_ms).isoformat(),
            "to": utc(self.end_ms).isoformat(),
            "every_s": self.every_ms // 1000,
            "predict_every_s": self.predict_ms // 1000,
            **told,
        }

    def settle(self) -> None:
        """Write the plan into the replay's home, or refuse where another one lies there.

        Raises
        ------
        OtherReplay
            A replay of that name was begun with other parameters.
        """
        path, wanted = self.folder / PLAN, self.parameters()
        if not path.exists():
            replace_file(path, _text(wanted))
            return
        there = json.loads(path.read_bytes())
        other = [
            f"{name}: {there.get(name)!r} then, {wanted.get(name)!r} now"
            for name in sorted(there.keys() | wanted.keys())
            if there.get(name) != wanted.get(name)
        ]
        if other:
            raise OtherReplay(
                f"the replay {self.name} was begun with other parameters ({'; '.join(other)}); "
                "give this one another --name, or start over with --fresh"
            )


def plan(
    settings: Settings,
    first: datetime | str | int,
    end: datetime | str | int,
    every: str = "12h",
    predict_every: str | None = None,
    *,
    train_days: float | None = None,
    pictures: bool = False,
    name: str | None = None,
) -> Plan:
    """Return the plan of a replay.

    Parameters
    ----------
    settings
        Of the home that it belongs to.
    first, end
        Turns happen in [first, end). A text without a zone, such as ``2025-05-20``, is UTC.
    every, predict_every
        Lengths such as ``12h`` and ``1h`` that divide a day into whole parts.
    train_days
        History is then so long that the longest recipe of each kind trains on so many days;
        otherwise the setting `days` says it.
    pictures
        Whether each version gets its pictures; they are part of the bundles' bytes.
    name
        Of its folder; by default made of the parameters.

    Raises
    ------
    BadReplay
        It has no turn, or predictions do not fit between turns.
    BadTimeframe, BadInstant
        A length or time that cannot be read.
    """
    step, every_ms = timeframe_ms(settings.timeframe), timeframe_ms(every)
    predict_ms = timeframe_ms(predict_every) if predict_every else 0
    first_ms, end_ms = (moment_ms(value) // step * step for value in (first, end))
    if end_ms <= first_ms:
        raise BadReplay(
            f"from {utc(first_ms)} to {utc(end_ms)} there is no turn; --to must be later"
        )
    if every_ms % step or (predict_ms and (predict_ms % step or every_ms % predict_ms)):
        raise BadReplay(
            f"turns every {every} and predictions every {predict_every} do not fall on closes of "
            f"{settings.timeframe} bars and into one another; 12h and 1h do"
        )
    if train_days is not None and not 0 < train_days <= MOST_DAYS:
        raise BadReplay(f"--train-days {train_days:g} is no length; give up to {MOST_DAYS} days")
    changes: Json = {"days": days_for(settings, train_days)} if train_days else {}
    # Its records lie in its home, whatever database and MLflow the live house uses.
    alone = dict.fromkeys(("database_url", "mlflow_tracking_uri", "mlflow_artifacts"))
    # What was served at the beginning still counts at the end.
    keep = max(settings.ledger_keep_days, (end_ms - first_ms) / DAY_MS + settings.days)
    changes |= {"ledger_keep_days": keep, "pictures": pictures}
    own = settings.model_copy(update={**alone, **changes})
    made = Plan(own, settings, "", first_ms, end_ms, every_ms, predict_ms)
    chosen_name = _checked(name) if name else _name(made)
    home = settings.home / "replays" / chosen_name
    return replace(made, name=chosen_name, settings=own.model_copy(update={"home": home}))


def days_for(settings: Settings, train_days: float) -> float:
    """Return the days of history on which the longest recipe of each kind trains `train_days`.

    More history than recipes ask for goes into the training of the longest of a kind, so that the
    slices which calibrate and judge keep their length (`ml_pipeline.competing`).
    """
    needed = [
        days_needed(replace(recipe, train_days=train_days), settings.timeframe)
        for kind in settings.kinds
        for recipe in chosen(kind, settings.recipes)
    ]
    return max(needed)


def moment_ms(value: datetime | str | int) -> int:
    """Return a point in time as epoch milliseconds; a text without a zone is UTC."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d([T ]\d\d:?\d\d)?", value.strip()):
        value = f"{value.strip()}Z" if len(value.strip()) > 10 else f"{value.strip()}T00:00Z"
    return instant_ms(value)


def _name(made: Plan) -> str:
    """Return a name that says when and what, and differs where parameters do."""
    told = made.parameters()
    digest = hashlib.sha256(_text(told)).hexdigest()[:_HASH]
    s = made.settings
    days = f"{utc(made.first_ms):%Y%m%d}-{utc(made.end_ms):%Y%m%d}"
    every = parse_timeframe(f"{made.every_ms // 1000}s")
    return f"{days}-{every}-{scope_of(s.symbols)}-{s.timeframe}-{digest}"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadReplay(f"{name!r} cannot name a folder; use letters, digits, '.', '_' and '-'")
    return name


def _text(value: Json) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
