"""The code of docs/columns.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.strategies.paths import walks

START = pd.Timestamp("2024-06-01", tz="UTC")
PAGE = Path(__file__).parents[2] / "docs" / "columns.md"


def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "candles").mkdir()
    for symbol, frame in walks(("BTC-USDT", "ETH-USDT"), bars=3000).items():
        moved = frame.set_axis(frame.index + (START - frame.index[0]))
        moved.reset_index().to_parquet(tmp_path / "candles" / f"{symbol}_5m.parquet")
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(code) == 1
    names: dict[str, object] = {}
    exec(compile(code[0], str(PAGE), "exec"), names)
    assert names["result"]["trading"]["total_trades"] > 10  # type: ignore[index]
    assert "Sharpe" in capsys.readouterr().out
