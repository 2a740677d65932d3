"""The store's one face: every record of every turn, behind plain methods."""

from __future__ import annotations

from orchestration.store.answers import Answers
from orchestration.store.jobs import Jobs
from orchestration.store.ledger_upkeep import Upkeep
from orchestration.store.monitors import Monitors
from orchestration.store.trials import Trials
from orchestration.store.verdicts import Verdicts


class Store(Verdicts, Upkeep, Monitors, Trials, Answers, Jobs):
    """What every turn, model, verdict and prediction was, in SQLite or Postgres.

    Opening it creates and migrates the database when need be, and any number of threads and
    processes may do so at once. Every write is one short transaction and can be repeated without
    harm: a turn that was killed is simply run again.

    Parameters
    ----------
    url : str
        ``sqlite:////absolute/path.db`` or ``postgresql://user:password@host/database``.
    clock : callable, optional
        Gives the aware time that records are stamped with; the machine's clock by default.

    Raises
    ------
    DatabaseDown
        The database cannot be reached or opened.
    DatabaseTooNew
        A newer Tidewheel has migrated it.

    Examples
    --------
    >>> store = Store("sqlite:////tmp/tidewheel.db")  # doctest: +SKIP
    >>> store.begin_turn("2025-05-28T0000Z_majors_1m", {"seed": 0}).status  # doctest: +SKIP
    'new'
    """
