"""`tidewheel serve`: the REST API of a home, until Ctrl-C."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from orchestration.settings import SettingsError
from serving.console import say

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of all that is kept.", show_default="TIDEWHEEL_HOME or ./var"),
]


def command(
    host: Annotated[
        str | None, typer.Option(help="Address to bind to.", show_default="host, or 127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port; 0 takes a free one.", min=0, max=65535, show_default="8000"),
    ] = None,
    home: Home = None,
) -> None:
    """Serve predictions and records over REST; /docs of the server shows every endpoint.

    Without TIDEWHEEL_API_TOKEN only an address on loopback is taken.
    """
    from orchestration.service.resources import store_of
    from orchestration.settings import load_settings
    from serving.api.server import server

    settings = load_settings(home=home)
    place, number = host or settings.host, settings.api.port if port is None else port
    made = server(settings, place, number)
    store_of(settings)  # made and migrated before anybody asks
    family = socket.AF_INET6 if ":" in place else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((place, number))
        except OSError as error:
            raise SettingsError(f"port {number} of {place}: {error}; give another --port") from None
        listening.listen(128)  # who asks as soon as the address is said waits, and is not refused
        shown = f"[{place}]" if ":" in place else place
        address = f"http://{shown}:{listening.getsockname()[1]}"
        say(f"REST API   {escape(address)}   endpoints {escape(address)}/docs   Ctrl-C ends it")
        if settings.api_token is None:
            say("no token is set: everybody on this machine may ask and promote")
        made.run(sockets=[listening])
