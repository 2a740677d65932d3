"""The same orders by other libraries, where an interpreter that has them is named."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CHILD = Path(__file__).with_name("others_child.py")


def other(
    who: str, candles: pd.DataFrame, quantity: NDArray[np.float64], python: str
) -> dict[str, Any] | str:
    """Return seconds, last equity and version of a library, or in a sentence why there are none."""
    columns = {name: candles[name].to_numpy(np.float64) for name in candles.columns}
    with tempfile.TemporaryDirectory() as made:
        at = candles.index.as_unit("ms").asi8
        np.savez(Path(made) / f"{who}.npz", at=at, quantity=quantity, **columns)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        try:
            done = subprocess.run(
                [python, str(CHILD), made, who], env=environment, text=True, cwd=made,
                capture_output=True, check=True,
            )  # fmt: skip
        except OSError:
            return f"there is no {python}; `make oracles` makes it"
        except subprocess.CalledProcessError as error:
            return str(error.stderr).strip().splitlines()[-1]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found | {"rate": len(candles) / found["seconds"]}
