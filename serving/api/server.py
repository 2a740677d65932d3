"""The server: uvicorn on one address, on loopback alone unless there is a token."""

from __future__ import annotations

import ipaddress
import socket

import uvicorn

from orchestration.settings import Settings, SettingsError
from serving.api.app import create_app


def server(settings: Settings, host: str, port: int) -> uvicorn.Server:
    """Return a server that is ready to run.

    Raises
    ------
    SettingsError
        The address is not on loopback and there is no token.
    """
    if settings.api_token is None and not is_loopback(host):
        raise SettingsError(
            f"{host} can be reached from elsewhere, and no token is set; set TIDEWHEEL_API_TOKEN "
            "(16 characters or more), or bind to 127.0.0.1"
        )
    config = uvicorn.Config(
        create_app(settings),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        # Whom a proxy speaks for is not believed: the rate limit counts real addresses.
        proxy_headers=False,
    )
    return uvicorn.Server(config)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address leads to this machine alone."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise SettingsError(f"{host!r} is no address of this machine: {error}") from None
    return all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in found)
