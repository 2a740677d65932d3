"""Registry folder: ``<SCOPE>/<KIND>/<VERSION>/`` bundles, and links to those in service.

::

    models/majors/direction/
        2025-05-28T0000Z_1m_xgboost/       a bundle
        2025-05-28T1200Z_1m_xgboost/
        latest-1m      → 2025-05-28T1200Z_1m_xgboost    the champion of majors/direction/1m
        latest         → latest-1m                      the first timeframe's is the folder's
        challenger-1m  → …
        regimes-1m.json    what a confidence is worth by regime, where that was learnt

A link is replaced in one rename: whoever reads it sees the old version or the new one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.common.bundle import Bundle, read_bundle, read_documents
from models.common.errors import BadName, BundleError, ModelNotFound
from models.common.files import locked, replace_link, sync_folder
from models.common.opening import opening_now
from models.common.slot import EVERY_KIND, FORECAST_NAMES, SEED_NAMES, Slot, check_word

ENSEMBLES = "ensembles"
LATEST, CHALLENGER = "latest", "challenger"
ROLES = {"champion": LATEST, "latest": LATEST, "challenger": CHALLENGER}

SYNONYMS = {"basic": "price", "sentiment": "price"}
"""Types of a model that predicts the price from candles alone, and from sentiment besides. Which
inputs a price model has is for its recipe to say, not for its type: both mean the price champion.
"""

_log = logging.getLogger(__name__)


def models_folder(home: str | os.PathLike[str] | None = None) -> Path:
    """Return the models folder of `home`, by default of ``$TIDEWHEEL_HOME`` or ``./var``.

    Inside a block of `models.common.opening.opening` the default is what that says.
    """
    how = opening_now()
    if home is None and how is not None:
        home = how.home
    return Path(home if home is not None else os.environ.get("TIDEWHEEL_HOME", "var")) / "models"


def parse_kind(text: str) -> str:
    """Return the kind that `text` (``"risk"``, ``"risk_scorer"``) or a synonym of it names.

    Raises
    ------
    BadName
        When it names none.
    """
    for kind, seed_name in (SEED_NAMES | FORECAST_NAMES).items():
        if text in (kind, seed_name):
            return kind
    if text in SYNONYMS:
        return SYNONYMS[text]
    raise BadName(f"{text!r} is no kind of model: use one of {', '.join(EVERY_KIND)}")


class PredictionModelRegistry:
    """The bundles in a models folder, and which of them are in service.

    Parameters
    ----------
    root : path or object with ``model_registry_path``, optional
        The models folder; by default that of ``$TIDEWHEEL_HOME``.
    """

    def __init__(self, root: Any = None) -> None:
        place = getattr(root, "model_registry_path", root)
        self.root = models_folder() if place is None else Path(place)

    # ------------------------------------------------------------------ reading

    def list_bundles(self, *, tell: bool = True) -> list[Bundle]:
        """Return every sound bundle, sorted by key; a damaged one is left out, logged if `tell`.

        Graphs are loaded when `Bundle.runner` is first used, so that listing stays cheap.
        """
        bundles = []
        for folder in self._folders():
            try:
                bundles.append(self._checked_place(read_documents(folder, root=self.root)))
            except BundleError as error:
                if tell:
                    _log.warning("%s", error)
        return sorted(bundles, key=lambda bundle: bundle.key)

    def problems(self) -> dict[str, str]:
        """Verify every bundle, graph included; return the reason for each that is refused."""
        found = {}
        for folder in self._folders():
            try:
                self._checked_place(read_bundle(folder, root=self.root))
            except BundleError as error:
                found[str(folder.relative_to(self.root))] = str(error)
        return found

    def read(self, path: Path) -> Bundle:
        """Return the verified bundle at `path`, a version's folder or a link inside the registry.

        Raises
        ------
        BundleError
            When it is refused, or lies in the place of another slot or version.
        """
        return self._checked_place(read_bundle(path, root=self.root))

    def select_bundle(
        self, symbol: str, model_type: str, timeframe: str | None = None, version: str | None = None
    ) -> Bundle:
        """Return the bundle that serves `symbol`.

        Parameters
        ----------
        symbol : str
            A symbol in any spelling (``BTCUSDT``, ``BTC-USDT``) or a scope. Where it has no model
            of its own, a pooled model that was trained on it serves it.
        model_type : str
            Kind, the name of its predictor, or a synonym (``"basic"``, ``"sentiment"``: price).
        timeframe : str, optional
            Bar length; by default the folder's first.
        version : str, optional
            Version name; by default the one in service.

        Raises
        ------
        ModelNotFound
            When nothing serves it; the message lists the scopes that there are.
        BundleError
            When the bundle is refused.
        """
        kind = parse_kind(model_type)
        entry = check_word(version, "version") if version else _link_name(LATEST, timeframe)
        scopes = self.scopes(kind)
        own = [scope for scope in scopes if letters(scope) == letters(symbol)]
        for scope in own or [s for s in scopes if self._serves(s, kind, entry, symbol)]:
            path = self.root / scope / kind / entry
            if path.exists():
                return self.read(path)
        raise ModelNotFound(
            f"no {kind} model serves {symbol} ({entry}) in {self.root}; "
            f"there are models of scope {', '.join(scopes) or '(none)'}"
        )

    def scopes(self, kind: str) -> list[str]:
        """Return the scopes that have a folder for `kind`."""
        return sorted(
            folder.parent.name
            for folder in self.root.glob(f"*/{kind}")
            if folder.parent.name != ENSEMBLES and not folder.parent.name.startswith(".")
        )

    def folder(self, slot: Slot, version: str) -> Path:
        """Return where `version` of `slot` lies or would lie."""
        return self.root / slot.scope / slot.kind / check_word(version, "version")

    def versions(self, slot: Slot) -> list[str]:
        """Return the sound versions of `slot` in the folder, sorted by name."""
        return [b.version_id for b in self.list_bundles() if b.slot == slot]

    def linked(self, slot: Slot, role: str = LATEST) -> str | None:
        """Return the version that `role` (latest or challenger) of `slot` points at, if any."""
        return link_target(self.root / slot.scope / slot.kind / _link_name(role, slot.timeframe))

    # ------------------------------------------------------------------ writing

    def promote(self, slot: Slot, version: str) -> Path:
        """Make `version` the champion of `slot`: verify it, then point ``latest`` at it.

        Raises
        ------
        BundleError
            When the bundle is refused; the links stay as they were.
        """
        return self.link(slot, LATEST, version)

    def link(self, slot: Slot, role: str, version: str) -> Path:
        """Point `role` (latest or challenger) of `slot` at `version`, verified before.

        Returns
        -------
        Path
            The version's folder.

        Raises
        ------
        BundleError
            When the bundle is refused; the links stay as they were.
        """
        folder = self.folder(slot, version)
        bundle = self.read(folder)
        if bundle.slot != slot:
            raise BundleError(f"bundle {folder} is of {bundle.slot}, it cannot serve {slot}")
        name = _link_name(role, slot.timeframe)
        with locked(folder.parent):
            replace_link(folder.parent / name, version)
            if not (folder.parent / role).exists():
                replace_link(folder.parent / role, name)
        return folder

    def unlink(self, slot: Slot, role: str) -> None:
        """Take `role` of `slot` out of service; nothing happens where none is."""
        name, folder = _link_name(role, slot.timeframe), self.root / slot.scope / slot.kind
        if not folder.is_dir():
            return
        with locked(folder):
            if link_target(folder / role) == name:
                (folder / role).unlink()
            (folder / name).unlink(missing_ok=True)
            sync_folder(folder)

    # ------------------------------------------------------------------ inside

    def _folders(self) -> Iterator[Path]:
        for folder in sorted(self.root.glob("*/*/*")):
            hidden = any(part.startswith(".") for part in folder.relative_to(self.root).parts)
            # Beside the versions lies what is known of the slot itself, such as its regimes.
            known = folder.suffix == ".json" and folder.is_file()
            foreign = hidden or known or folder.is_symlink()
            if folder.parent.name in EVERY_KIND and not foreign:
                yield folder

    def _checked_place(self, bundle: Bundle) -> Bundle:
        place = bundle.folder.relative_to(self.root.resolve()).parts
        if place != (bundle.slot.scope, bundle.kind, bundle.version_id):
            raise BundleError(
                f"bundle {bundle.folder} refused: it is {bundle.key}, which does not belong here"
            )
        return bundle

    def _serves(self, scope: str, kind: str, entry: str, symbol: str) -> bool:
        path = self.root / scope / kind / entry
        if not path.exists():
            return False
        training = read_documents(path, root=self.root).metadata.get("training")
        symbols = training.get("symbols") if isinstance(training, dict) else None
        listed = symbols if isinstance(symbols, list) else []
        return letters(symbol) in (letters(str(one)) for one in listed)


def link_target(link: Path) -> str | None:
    """Return the name that `link` points at, or None where there is no link."""
    try:
        return os.readlink(link)
    except OSError:
        return None


def _link_name(role: str, timeframe: str | None) -> str:
    if role not in (LATEST, CHALLENGER):
        raise BadName(f"{role!r} is no role; links are {LATEST} and {CHALLENGER}")
    return check_word(f"{role}-{timeframe}", "link") if timeframe else role


def letters(symbol: str) -> str:
    """Return `symbol` without its separators: BTC-USDT, BTC/USDT and btcusdt are one."""
    return "".join(c for c in symbol if c.isalnum()).upper()
