"""All that a desk needs, in one command: Prefect, MLflow, the schedule and a worker, on loopback.

A child that ends is started again; one that keeps ending ends everything. Ctrl-C ends it all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import httpx
from filelock import FileLock, Timeout

from flows import children, recovery
from flows.environment import quiet, use_home
from flows.errors import AlreadyUp, ChildFailed, DeployFailed
from flows.servers import Server, prefect_server
from flows.ui import experiment_address, mlflow_server
from orchestration.lifecycle.errors import LifecycleError
from orchestration.service.facade import get_service
from orchestration.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, Settings
from orchestration.store.errors import RecordError
from orchestration.tracking.errors import TrackingError

ROOT = Path(__file__).parents[1]
POOL = "local"
_RESTARTS = 5  # within
_WINDOW = 600.0  # seconds
_PATROL = 15.0  # seconds between two searches for dead runs
_FOLLOW = 5.0  # seconds between two looks at MLflow's aliases

Say = Callable[[str], None]


@dataclass(frozen=True)
class Addresses:
    """Where Prefect is, and the page of the turns in MLflow."""

    prefect: str
    mlflow: str

    @property
    def api(self) -> str:
        """The address for ``PREFECT_API_URL``."""
        return f"{self.prefect}/api"


@dataclass
class Restarts:
    """How often each child was started again lately."""

    moments: list[float] = field(default_factory=list)

    def note(self, child: str, tail: str) -> None:
        """Count one restart; raise `ChildFailed` when there were too many."""
        now = monotonic()
        self.moments = [moment for moment in self.moments if now - moment < _WINDOW] + [now]
        if len(self.moments) > _RESTARTS:
            raise ChildFailed(
                f"{child} ended for the {len(self.moments)}th time within "
                f"{_WINDOW / 60:.0f} minutes; the end of its log:\n{tail}"
            )


def up(
    settings: Settings, stop: threading.Event, ready: Callable[[Addresses], None], say: Say
) -> None:
    """Run servers, schedule and worker until `stop` is set; leave nothing behind.

    Parameters
    ----------
    settings
        Their ``home``, ``host``, ports and MLflow address.
    stop
        Set by a signal handler.
    ready
        Called once when all of it answers.
    say
        Told of what ends and starts again, in one sentence.

    Raises
    ------
    AlreadyUp
        Another process does this for the same home.
    ServerError, DeployFailed, ChildFailed
        What could not be started, with the end of its log.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    use_home(settings.home)
    lock = FileLock(settings.home / "up.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyUp(
            f"`tidewheel up` serves {settings.home} already; end that one first"
        ) from None
    with ExitStack() as stack:
        stack.callback(lock.release)
        _House(settings, stack, say).run(stop, ready)


class _House:
    """The children of one `up`, in the order of their start; they end in the reverse order."""

    def __init__(self, settings: Settings, stack: ExitStack, say: Say) -> None:
        self.settings = settings
        self.say = say
        self.restarts = Restarts()
        self._refused = ""
        self.prefect = prefect_server(settings)
        stack.callback(lambda: self.prefect.stop())
        stack.callback(self._mark_dead_runs)
        self.mlflow = mlflow_server(settings)
        stack.callback(lambda: self.mlflow.stop())
        self.prefect.wait()
        register(self.prefect.url, self._environment())
        self._mark_dead_runs(fresh=self.prefect.owned)
        self.mlflow.wait()
        self.worker = self._start_worker()
        stack.callback(lambda: self.worker.stop())

    def run(self, stop: threading.Event, ready: Callable[[Addresses], None]) -> None:
        """Watch over the children until `stop` is set."""
        ready(Addresses(self.prefect.url, experiment_address(self.settings)))
        patrol = follow = monotonic()
        while not stop.wait(1.0):
            self._revive()
            if monotonic() > patrol + _PATROL:
                self._mark_dead_runs()
                patrol = monotonic()
            if monotonic() > follow + _FOLLOW:
                self._follow_aliases()
                follow = monotonic()

    def _follow_aliases(self) -> None:
        """Let the bundles that run follow the aliases that a person moved in the MLflow UI."""
        try:
            for sentence in get_service(self.settings).follow():
                self.say(sentence)
            self._refused = ""
        except (LifecycleError, TrackingError, RecordError) as error:
            if str(error) != self._refused:  # once, not every five seconds
                self.say(f"the models folder could not follow MLflow: {error}")
            self._refused = str(error)

    def _revive(self) -> None:
        if not self.prefect.alive:
            self._note("the Prefect server", self.prefect)
            self.prefect.stop()
            before = self.prefect.url
            self.prefect = prefect_server(self.settings).wait()
            if self.prefect.url != before:
                self.say(f"its port was taken meanwhile; Prefect is now at {self.prefect.url}")
                self.worker.stop()
        if not self.mlflow.alive:
            self._note("the MLflow server", self.mlflow)
            self.mlflow.stop()
            self.mlflow = mlflow_server(self.settings).wait()
        if not self.worker.alive:
            self.restarts.note("the worker", self.worker.tail())
            self.say("the worker ended; it is started again")
            self.worker.stop()
            self._mark_dead_runs()
            self.worker = self._start_worker()

    def _note(self, name: str, server: Server) -> None:
        self.restarts.note(name, server.child.tail() if server.child else "it was not ours")
        self.say(f"{name} ended; it is started again")

    def _start_worker(self) -> children.Child:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL]
        log = self.settings.prefect_dir / "worker.log"
        return children.spawn("worker", [*command, "--type", "process"], self._environment(), log)

    def _environment(self) -> dict[str, str]:
        env = {**os.environ, "PREFECT_API_URL": f"{self.prefect.url}/api"}
        env["TIDEWHEEL_HOME"] = str(self.settings.home)
        config = Path(env.get(CONFIG_VARIABLE, DEFAULT_CONFIG)).expanduser().resolve()
        if config.is_file():
            env[CONFIG_VARIABLE] = str(config)
        quiet(env)
        return env

    def _mark_dead_runs(self, fresh: bool = False) -> None:
        try:
            dead = recovery.mark_dead_runs(self.prefect.url, self.settings.prefect_dir, fresh)
        except httpx.HTTPError as error:
            self.say(f"dead flow runs could not be looked for: {error}")
            return
        if dead:
            self.say(f"flow runs without a process are marked Crashed: {', '.join(dead)}")


def register(url: str, env: Mapping[str, str]) -> None:
    """Make the work pool when it is absent and register the deployments of ``prefect.yaml``.

    Raises
    ------
    DeployFailed
        Prefect refused one, or the file is not there; with what Prefect said.
    """
    if not (ROOT / "prefect.yaml").is_file():
        raise DeployFailed(
            f"{ROOT / 'prefect.yaml'} is missing: install Tidewheel from its repository "
            "(make up), which holds its deployments"
        )
    pool = httpx.get(f"{url}/api/work_pools/{POOL}", timeout=30, trust_env=False)
    if pool.status_code == 404:
        _prefect(env, "work-pool", "create", POOL, "--type", "process")
    _prefect(env, "deploy", "--all", "--no-prompt")


def _prefect(env: Mapping[str, str], *arguments: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "prefect", *arguments],
        cwd=ROOT,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # Ctrl-C is ours to handle
    )
    if result.returncode != 0:
        said = (result.stdout + result.stderr).strip()
        raise DeployFailed(f"`prefect {' '.join(arguments)}` failed:\n{said}")
