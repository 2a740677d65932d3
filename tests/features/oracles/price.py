"""Oracles of the group price."""

from __future__ import annotations

from tests.features.oracles.common import Exempt, Table

TALIB: Table = {}
CLASSIC: Table = {}
PLAIN: Table = {}
EXCEPTIONS: dict[tuple[str, str], Exempt] = {}
RARE: dict[str, str] = {}
