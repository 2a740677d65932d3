"""SafeModelTrainer: a model is trained, checked and packed apart from what serves, then deployed.

Nothing here touches a live model before every check has passed; then the swap is one promotion,
which a kill cannot tear (`orchestration.lifecycle.moving`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from market.symbols import parse_symbols
from market.timeframes import DAY_MS, Instant, instant_ms, parse_timeframe, timeframe_ms
from models.common.bundle import Bundle
from models.common.errors import ModelError
from models.common.registry import PredictionModelRegistry, parse_kind
from models.common.slot import Slot
from orchestration.lifecycle import promotion
from orchestration.lifecycle.backups import back_up, restore
from orchestration.lifecycle.checks import report
from orchestration.lifecycle.enrol import (
    enrol,
    enrol_baseline,
    lacks_baseline,
    last_deployed,
    mark_deployed,
)
from orchestration.lifecycle.errors import NotStaged
from orchestration.lifecycle.hook import close_positions
from orchestration.lifecycle.moving import recover
from orchestration.lifecycle.packaging import read_package, write_package
from orchestration.lifecycle.places import Places
from orchestration.lifecycle.promotion import By, Moved
from orchestration.lifecycle.rivalry import against_champion
from orchestration.lifecycle.staging import Staging, install
from orchestration.lifecycle.state import PREVIOUS, champion_in_store
from orchestration.lifecycle.training import Order, train_by_hand
from orchestration.settings import Settings, load_settings

Json = dict[str, Any]


@dataclass(frozen=True)
class Deployed:
    """What a deployment, or the way back from one, came to."""

    moved: Moved
    backup: str | None = None
    hook: str | None = None
    report: Json = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """Who serves now."""
        return self.moved.sentence


class SafeModelTrainer:
    """Prepares models in a staging folder and deploys them when they have passed every check.

    Parameters
    ----------
    settings
        Which home, market, gates and hook; by default those of file and environment.
    clock
        Gives the aware time that counts as now.

    Examples
    --------
    >>> trainer = SafeModelTrainer()  # doctest: +SKIP
    >>> version = trainer.train("BTCUSDT", days=365, epochs=50)  # doctest: +SKIP
    >>> trainer.validate(version)["ok"]  # doctest: +SKIP
    False
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings = settings or load_settings()
        self._clock = clock
        self.staging = Staging(self.settings.staging_dir)
        self.live = PredictionModelRegistry(self.settings.models_dir)

    # ------------------------------------------------------------------ apart from what serves

    def train(
        self,
        symbol: str,
        days: float = 365,
        epochs: int | None = None,
        *,
        kind: str = "price",
        timeframe: str | None = None,
        recipe: str | None = None,
        end: Instant | None = None,
        tune_seconds: float = 0,
        tell: Callable[[str], None] = lambda stage: None,
    ) -> str:
        """Train a model on the last `days` days into the staging folder; return its version.

        Parameters
        ----------
        symbol
            One or several, separated by commas, or a universe.
        epochs
            Of a network; other learners are not trained in epochs.
        kind, timeframe, recipe
            What to train; the settings' timeframe and the kind's first recipe by default.
        end
            The moment that counts as now.
        tell
            Called with the name of each stage.

        Raises
        ------
        RecipeError, MarketError, PipelineError
            As `orchestration.lifecycle.training.train_by_hand` does.
        """
        length = parse_timeframe(timeframe or self.settings.timeframe)
        step = timeframe_ms(length)
        end_ms = instant_ms(self._clock() if end is None else end) // step * step
        order = Order(
            kind=parse_kind(kind),
            symbols=parse_symbols(symbol),
            timeframe=length,
            end_ms=end_ms,
            start_ms=end_ms - int(days * DAY_MS) // step * step,
            recipe=recipe,
            changes={} if epochs is None else {"epochs": epochs},
            tune_seconds=tune_seconds,
        )
        staged = train_by_hand(
            self.settings, order, self.settings.staging_dir, tell, with_baseline=True
        )
        return staged[0].version_id

    def validate(self, version: str | None = None) -> Json:
        """Return the report on a prepared bundle; see `orchestration.lifecycle.checks.report`.

        Raises
        ------
        NotStaged
            None of that name was trained here.
        BundleError
            It is damaged.
        """
        return self._report(self.staging.bundle(version))

    def package(self, version: str | None = None) -> Path:
        """Write the deployment package of a prepared bundle and return its path.

        The baseline that it was judged beside is in it too.

        Raises
        ------
        NotStaged, BundleError
            As `validate` does.
        """
        bundle = self.staging.bundle(version)
        path, naive = self.staging.package_path(bundle), self.staging.baseline_of(bundle)
        return write_package(path, bundle, self._report(bundle), naive)

    # ------------------------------------------------------------------ what serves

    def deploy(
        self,
        version: str | Path | None = None,
        *,
        close: bool = False,
        force: bool = False,
        reason: str = "",
        who: str = "SafeModelTrainer",
    ) -> Deployed:
        """Verify a package, back up what serves, and put the package's model in its place.

        In a slot without a baseline the package's own is registered first: there is a way back.

        Parameters
        ----------
        version
            A version that was packed, or the beginning of one, or the path of a package; the last
            one packed by default.
        close
            Run the hook that closes positions just before the swap.
        force
            Deploy also what is not proven to beat its baseline, or provably worse than what serves.

        Raises
        ------
        PackageRefused, Unproven, PromotionRefused, HookFailed, TrackingError
            What serves keeps serving.
        """
        package = read_package(self.staging.package(version))
        places = self._places()
        places.tracking.champion(package.slot)  # first of all: with MLflow down, nothing moves
        checked = self.staging.check(package, self.settings.gates, force, self._rival)
        if package.baseline is not None and lacks_baseline(package.slot, places):
            enrol_baseline(install(package.baseline, self.live), places)
        bundle = install(package, self.live)
        enrol(bundle, places)
        by = By(who, instant_ms(self._clock()), reason, force)
        mark_deployed(bundle, by.at_ms, places)
        did: Json = {}
        moved = promotion.promote(
            package.slot, package.version, places, by, self._before_swap(by, close, did)
        )
        return Deployed(moved, did.get("backup"), did.get("hook"), checked)

    def rollback(
        self,
        slot: Slot | None = None,
        *,
        close: bool = False,
        reason: str = "",
        who: str = "SafeModelTrainer",
    ) -> Deployed:
        """Put the model that served before back, from its backup where its bundle is gone.

        Parameters
        ----------
        slot
            Where; by default where the last deployment was.

        Raises
        ------
        NotStaged
            No slot is given and nothing was deployed yet.
        NoFooting, HookFailed, TrackingError
            What serves keeps serving.
        """
        places = self._places()
        slot = slot or last_deployed(places)
        if slot is None:
            raise NotStaged("nothing was deployed yet; say where: --symbol BTCUSDT --kind price")
        self._bring_back(slot, places)
        by, did = By(who, instant_ms(self._clock()), reason), dict[str, Any]()
        moved = promotion.rollback(slot, places, by, self._before_swap(by, close, did))
        return Deployed(moved, did.get("backup"), did.get("hook"))

    # ------------------------------------------------------------------ parts

    def _report(self, bundle: Bundle) -> Json:
        return report(bundle, self.settings.gates, self._rival(bundle))

    def _rival(self, bundle: Bundle) -> Json:
        return against_champion(bundle, self.settings, self.live)

    def _places(self) -> Places:
        places = Places.open(self.settings)
        recover(places)
        return places

    def _before_swap(self, by: By, close: bool, did: Json) -> Callable[[Slot, str | None], None]:
        """Return what is done when all is checked and nothing has moved: backup, then hook."""
        s = self.settings

        def act(slot: Slot, before: str | None) -> None:
            if before is not None:
                try:
                    bundle = self.live.read(self.live.folder(slot, before))
                except ModelError:
                    bundle = None  # a damaged champion is no reason to keep it
                if bundle is not None:
                    backup = back_up(s.backups_dir, bundle, by.at_ms, s.backups_keep)
                    did["backup"] = str(backup)
            if close:
                about = {"slot": slot.key, "before": before, "by": by.who, "reason": by.reason}
                did["hook"] = close_positions(s, about)

        return act

    def _bring_back(self, slot: Slot, places: Places) -> None:
        """Restore the bundle of the previous champion where the folder has none that is sound."""
        champion = champion_in_store(places.store, slot)
        previous = champion.facts.get(PREVIOUS) if champion else None
        if not previous:
            return
        try:
            self.live.read(self.live.folder(slot, previous))
        except ModelError:
            restore(self.settings.backups_dir, slot, previous, self.live)
