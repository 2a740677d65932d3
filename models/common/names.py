"""Names: what `load_model` understands, and which folder or link of the registry it means.

============================================= ==================================================
``2025-05-28T0000Z_1m_xgboost``               that version, wherever it lies
``majors/direction/2025-05-28T0000Z_1m_…``    that version of that slot
``model_001`` … ``model_005``                 champion: direction, risk, price, momentum, volatility
``direction_predictor_001``, ``direction``    champion of the kind
``autoregressive``, ``multi_ohlc``            champion of those forecasters
``BTC-USDT/direction``                        champion of the kind in that scope
``majors/direction/1m``                       champion of the slot
``…@champion``, ``…@challenger``              the one in that role
============================================= ==================================================

Without a scope it is ``majors``, or the only scope there is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from models.common.errors import BadName, ModelNotFound
from models.common.registry import (
    LATEST,
    ROLES,
    PredictionModelRegistry,
    link_target,
    parse_kind,
)
from models.common.slot import (
    DEFAULT_SCOPE,
    EVERY_KIND,
    FORECAST_NAMES,
    KINDS,
    SEED_NAMES,
    Slot,
    check_word,
)

_NUMBERED = re.compile(r"(?P<name>[a-z_]+)_(?P<number>[0-9]{3})")


@dataclass(frozen=True)
class Address:
    """A version's folder, or the link that leads to the one in service.

    Parameters
    ----------
    folder : Path
        ``<models>/<SCOPE>/<KIND>``.
    entry : str
        A version or a link in it.
    """

    folder: Path
    entry: str

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / self.entry

    def version(self) -> str:
        """Return the version that it means now, in about a microsecond."""
        return link_target(self.path) or self.entry


def is_standing_name(name: str) -> bool:
    """Return whether `name` means a champion by itself, such as ``direction`` or ``model_001``."""
    return _standing_kind(name) is not None


def resolve(name: str, registry: PredictionModelRegistry, timeframe: str | None = None) -> Address:
    """Return the address that `name` means.

    Parameters
    ----------
    name : str
        A name as in the table above.
    registry : PredictionModelRegistry
        Where to look.
    timeframe : str, optional
        Which of the kind's timeframes, where the name does not say; by default the first.

    Raises
    ------
    BadName
        When `name` cannot be a model's.
    ModelNotFound
        When it means nothing that is there, or more than one thing.
    """
    stem, at, role = name.partition("@")
    if at and role not in ROLES:
        raise BadName(f"{name!r}: after @ comes champion or challenger, not {role!r}")
    words = [check_word(word, "model name") for word in stem.split("/")]
    link = ROLES[role] if at else LATEST
    if not at and (exact := _exact(words, registry)):
        return exact
    scope, kind, timeframe = _slot_words(name, words, timeframe)
    scope = scope or _only_scope(kind, registry)
    return _follow(name, registry.root / scope / kind, link, timeframe)


def slot_named(name: str) -> tuple[str | None, str, str | None]:
    """Return scope, kind and timeframe that the name of a champion says; None where it does not.

    Raises
    ------
    BadName, ModelNotFound
        When it names no champion, but a challenger, a version or an ensemble.

    Examples
    --------
    >>> slot_named("model_001"), slot_named("BTC-USDT/risk@champion")
    ((None, 'direction', None), ('BTC-USDT', 'risk', None))
    """
    stem, at, role = name.partition("@")
    if at and ROLES.get(role) != LATEST:
        raise ModelNotFound(f"{name!r} is no champion: name the kind alone, such as direction")
    return _slot_words(name, [check_word(word, "model name") for word in stem.split("/")], None)


def _exact(words: list[str], registry: PredictionModelRegistry) -> Address | None:
    *slot, version = words
    if len(words) == 3 and slot[1] in EVERY_KIND:
        folders = [registry.root / slot[0] / slot[1] / version]
    elif len(words) == 1:
        folders = sorted(registry.root.glob(f"*/*/{version}"))
    else:
        folders = []
    sound = [f for f in folders if f.is_dir() and not f.is_symlink()]
    found = [folder for folder in sound if folder.parent.name in EVERY_KIND]
    if len(found) > 1:
        full = ", ".join(str(folder.relative_to(registry.root)) for folder in found)
        raise ModelNotFound(
            f"{version!r} is the name of {len(found)} versions: say which of {full}"
        )
    return Address(found[0].parent, version) if found else None


def _slot_words(
    name: str, words: list[str], timeframe: str | None
) -> tuple[str | None, str, str | None]:
    if len(words) == 3 and re.fullmatch(r"[1-9][0-9]*[mhdw]", words[2]):
        slot = Slot(words[0], parse_kind(words[1]), words[2])
        return slot.scope, slot.kind, slot.timeframe
    kind = _standing_kind(words[-1])
    if kind is None or len(words) > 2:
        raise ModelNotFound(
            f"no model {name!r}: it is no version in the models folder, and no kind "
            f"({', '.join(EVERY_KIND)}), model_001 to model_{len(KINDS):03d} or scope/kind"
        )
    return (words[0] if len(words) == 2 else None), kind, timeframe


def _standing_kind(word: str) -> str | None:
    if word in EVERY_KIND:
        return word
    match = _NUMBERED.fullmatch(word)
    stem = match["name"] if match else word
    if match and stem == "model":
        place = int(match["number"])
        return KINDS[place - 1] if 1 <= place <= len(KINDS) else None
    names = SEED_NAMES | FORECAST_NAMES
    return next((kind for kind, seed in names.items() if seed == stem), None)


def _only_scope(kind: str, registry: PredictionModelRegistry) -> str:
    scopes = registry.scopes(kind)
    if DEFAULT_SCOPE in scopes or not scopes:
        return DEFAULT_SCOPE
    if len(scopes) > 1:
        raise ModelNotFound(
            f"{kind} models of several scopes: say which, as in {scopes[0]}/{kind} "
            f"(there are {', '.join(scopes)})"
        )
    return scopes[0]


def _follow(name: str, folder: Path, link: str, timeframe: str | None) -> Address:
    entry = check_word(f"{link}-{timeframe}", "timeframe") if timeframe else link
    if link_target(folder / entry) is None:
        role = "champion" if link == LATEST else link
        raise ModelNotFound(
            f"{name!r} has no {role} yet: there is no {folder / entry}; run `tidewheel cycle`, "
            "or point TIDEWHEEL_HOME at the folder that holds the models"
        )
    # `latest` leads to `latest-1m`: the one that moves is the one to watch.
    further = link_target(folder / entry)
    return Address(folder, further if further and link_target(folder / further) else entry)
