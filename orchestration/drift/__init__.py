"""Drift: whether what serves a slot has kept its skill, by what really happened."""

from __future__ import annotations

from orchestration.drift.pooled import POOLS, Member, pooled
from orchestration.drift.record import DAY_MS, HOUR_MS, Track
from orchestration.drift.rules import Rules
from orchestration.drift.shift import Shift, shifted
from orchestration.drift.verdict import (
    DRIFT,
    HARM,
    LEARNING,
    OK,
    WARN,
    DriftVerdict,
    assess,
)

__all__ = [
    "DAY_MS",
    "DRIFT",
    "HARM",
    "HOUR_MS",
    "LEARNING",
    "OK",
    "POOLS",
    "WARN",
    "DriftVerdict",
    "Member",
    "Rules",
    "Shift",
    "Track",
    "assess",
    "pooled",
    "shifted",
]
