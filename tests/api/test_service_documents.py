"""The guide's snippets of the service run as they are written; only import lines are others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.test_documents import SERVICE, typed


def test_the_guide_of_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path))
    monkeypatch.setenv("TIDEWHEEL_SOURCE", "simulated:seed=3")
    words: dict[str, Any] = {}
    said = {}
    for (number, _), heading in SERVICE.items():
        typed(number, heading, words)
        said[heading] = capsys.readouterr().out
    assert "Model trained: BTC_USDT_1m_300steps_multi_ohlc" in said["Train Model"]
    assert "Steps ahead: 300" in said["List Models"]
    assert "Predictions: 300 steps" in said["Generate Predictions"]
    assert "Prediction saved: " in said["Save Prediction"]
    assert "✓ 300 predictions generated" in said["Example 1: Train and Predict"]
    assert words["model_info"]["bars"] == 60 * 1440
