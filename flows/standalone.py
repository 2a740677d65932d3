"""One turn without a worker: a real Prefect server is started or reused, and left as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.environment import quiet, use_home
from flows.lock import one_turn
from flows.progress import Listener, listening
from flows.recovery import mark_dead_runs
from flows.servers import prefect_server
from orchestration.settings import Settings

Json = dict[str, Any]


def run_cycle(settings: Settings, parameters: Mapping[str, Any], listener: Listener) -> Json:
    """Run the cycle flow in this process, recorded by the Prefect server of this home.

    Parameters
    ----------
    settings
        Of the turn; its ``home`` says which server.
    parameters
        Of the flow `flows.cycle.cycle`.
    listener
        Called with each step.

    Returns
    -------
    dict
        The summary of the turn, with ``pages``, its addresses in both UIs, and ``servers_stay``:
        whether the Prefect server goes on after this call, since somebody else runs it.

    Raises
    ------
    orchestration.service.errors.TurnRunning
        Another turn of this home is running.
    flows.errors.ServerError
        The Prefect server could not be started.
    """
    use_home(settings.home)
    quiet()
    with one_turn(settings):
        server = prefect_server(settings)
        try:
            # Only now, since Prefect reads its environment once, when it is imported; and while
            # the server starts, which takes longer.
            from flows.in_process import run
            from flows.ui import run_address

            server.wait()
            mark_dead_runs(server.url, settings.prefect_dir, fresh=server.owned)
            with listening(listener):
                summary = run(f"{server.url}/api", parameters)
            # A server of our own ends with this call: the page is where `tidewheel up` shows it.
            desk = f"http://{settings.host}:{settings.prefect_port}"
            address = desk if server.owned else server.url
            page = f"{address}/runs/flow-run/{summary['prefect_run']}"
            pages = {"prefect": page, "mlflow": run_address(settings, summary)}
            return {**summary, "pages": pages, "servers_stay": not server.owned}
        finally:
            server.stop()
