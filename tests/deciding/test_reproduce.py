"""Versions of a turn are made again from what their bundles say, or MLflow's copy of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.service.facade import get_service
from orchestration.service.reproducing import reproduce_version
from orchestration.settings import Settings
from orchestration.store.errors import UnknownModel
from serving.cli import app

NOW = "2025-05-28T00:00:00Z"


def test_every_version_of_a_turn_is_byte_equal_also_when_its_folder_is_gone(
    new_settings: Callable[..., Settings], forget_resources: Callable[[], None]
) -> None:
    settings = new_settings(kinds="price")
    summary = get_service(settings).run_turn(NOW)
    assert summary["simulated"]
    shutil.rmtree(Path(settings.home) / "candles")
    models = Path(settings.models_dir) / "BTC-USDT+ETH-USDT"
    versions = [path for path in sorted(models.glob("*/2025*")) if path.is_dir()]
    names = ["/".join(path.relative_to(models.parent).parts) for path in versions]
    assert len(names) >= 2
    for path in versions:
        files = {file.name for file in path.iterdir()}
        assert "validation.png" in files
        assert ("importance.png" in files) is ("baseline" not in path.name)
    shutil.rmtree(versions[0])
    for name in names:
        found = reproduce_version(settings, name)
        assert found["verdict"] == "identical", found["sentence"]
    with pytest.raises(UnknownModel):
        reproduce_version(settings, "2031-01-01T0000Z_1m_xgboost")

    asked = ["models", "reproduce", names[-1], "--home", str(settings.home), "--json"]
    answer = CliRunner().invoke(app, [*asked, "--source", settings.source])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["byte_equal"] is True
