"""Leaving: the files of a backtest, in a folder of the home that is named after its idea."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from models.common.files import replace_file
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.service.strategy_backtest import Backtested

FOLDER = "backtests"
REPORT, PICTURE, RESULT = "report.html", "equity.png", "result.json"
_DIGITS = 12


def leave(settings: Settings, done: Backtested) -> Path:
    """Write report, picture, figures and tables of a backtest; return their folder.

    The same idea on the same market has the same folder: what it last came to lies there. What a
    strategy is called may hold characters that a folder's name should not; they become dashes.
    """
    result = done.result
    name = re.sub(r"[^\w-]+", "-", result.run.strategy).strip("-") or "strategy"
    folder = settings.home / FOLDER / f"{name}-{done.told['trial']['key'][:_DIGITS]}"
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / REPORT, result.to_html().encode())
    replace_file(folder / PICTURE, result.picture())
    replace_file(folder / RESULT, json.dumps(done.to_dict(), indent=1).encode())
    replace_file(folder / "trades.csv", result.trades.to_csv(index=False).encode())
    replace_file(folder / "equity.csv", result.equity.to_csv().encode())
    return folder
