"""`tidewheel up`: the addresses that a person needs, and a clean end on Ctrl-C."""

from __future__ import annotations

import threading
from pathlib import Path

from rich.markup import escape

from flows.children import catch_signals
from flows.up import ROOT, Addresses, up
from orchestration.settings import Settings
from serving.console import say
from serving.shell import program


def run(settings: Settings) -> None:
    """Run everything until Ctrl-C or SIGTERM; a second one does not wait for a clean end."""
    stop = threading.Event()

    def end() -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        say("\nending all of it; once more to leave at once")
        stop.set()

    catch_signals(end)
    say(f"starting Prefect, MLflow and a worker in {escape(str(settings.home))} …")
    up(settings, stop, ready, lambda sentence: say(escape(sentence)))
    say("all ended")


def ready(addresses: Addresses) -> None:
    """Print where everything is and how to start a run by hand."""
    say(f"Prefect UI  {addresses.prefect}")
    say(f"MLflow UI   {addresses.mlflow}")
    say("Schedule    cycle/every-12h, at 00:00 and 12:00 UTC; predict/every-15m between")
    say("A turn now, from another terminal:")
    for line in by_hand(addresses, Path.cwd()):
        say(f"  {escape(line)}")
    say("Ctrl-C ends all of it.")


def by_hand(addresses: Addresses, folder: Path) -> list[str]:
    """Return the shell lines that start a run of the deployment by hand.

    In the repository ``prefect.toml`` names the default address; elsewhere the shell must know it.
    """
    known = folder == ROOT and addresses.api == "http://127.0.0.1:4200/api"
    lines = [] if known else [f"export PREFECT_API_URL={addresses.api}"]
    prefect = program("prefect", folder)
    return [*lines, f"""{prefect} deployment run 'cycle/every-12h' -p symbols='["BTC-USDT"]'"""]
