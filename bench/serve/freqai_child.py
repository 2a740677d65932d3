"""FreqAI's inference on one candle; run by an interpreter that has freqtrade, prints JSON.

What runs is FreqAI's own: the data kitchen finds and filters the features of the frame, its
pipeline scales them and asks the dissimilarity index, its classifier base calls XGBoost's predict
and predict_proba. Features are given: FreqAI computes those in the strategy, over whole frames.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


def main() -> None:
    folder, di_rows = Path(sys.argv[1]), int(sys.argv[2])
    kept = np.load(folder / "rows.npz", allow_pickle=False)
    if sys.argv[3] == "memory":
        print(json.dumps(_memory(kept["X"][:di_rows])))
    else:
        print(json.dumps(_times(kept, di_rows, json.loads((folder / "settings.json").read_text()))))


def _peak_mb() -> float:
    # Not ru_maxrss: that survives exec, so that a child would report its parent.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _memory(X: Any) -> dict[str, float]:
    from datasieve.transforms.dissimilarity_index import DissimilarityIndex

    before = _peak_mb()
    DissimilarityIndex(di_threshold=0.9, n_jobs=1).fit(X.astype(np.float64))
    return {"rows": len(X), "peak_mb": _peak_mb() - before}


def _times(kept: Any, di_rows: int, settings: dict[str, Any]) -> dict[str, float]:
    import pandas as pd
    from freqtrade.freqai.base_models.BaseClassifierModel import BaseClassifierModel
    from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
    from freqtrade.freqai.freqai_interface import IFreqaiModel
    from xgboost import XGBClassifier

    X, y, rows = kept["X"], kept["y"], kept["rows"]
    names = [f"%-{name}" for name in kept["names"]]
    config = {
        "user_data_dir": Path(tempfile.mkdtemp()),
        "timeframe": "1m",
        "exchange": {"pair_whitelist": ["BTC/USDT"]},
        "freqai": {
            "identifier": "measured",
            "feature_parameters": {"DI_threshold": 0.9, "include_timeframes": ["1m"]},
            "data_split_parameters": {},
        },
    }
    kitchen = FreqaiDataKitchen(config, live=True, pair="BTC/USDT")
    kitchen.training_features_list, kitchen.label_list = names, ["&-up"]
    owner = SimpleNamespace(freqai_info=config["freqai"], CONV_WIDTH=1)
    pipeline = IFreqaiModel.define_data_pipeline(owner, threads=1)
    frame = pd.DataFrame(X, columns=names)
    labels, weights = pd.DataFrame({"&-up": y}), np.ones(len(y))
    # The index needs n × n distances once: it is fitted on some rows, and then holds them all, as
    # it would had there been the memory.
    few = slice(0, di_rows)
    pipeline.fit_transform(frame[few], labels[few], weights[few])
    scaled, *_ = pipeline["scaler"].transform(frame)
    pipeline["di"].trained_data = np.asarray(scaled)
    kitchen.feature_pipeline = pipeline
    owner.model = XGBClassifier(n_jobs=1, **settings).fit(scaled, y)
    laps = []
    for row in rows:
        candle = pd.DataFrame(row[None], columns=names)
        begin = time.perf_counter()
        BaseClassifierModel.predict(owner, candle, kitchen)
        laps.append(time.perf_counter() - begin)
    p50, p99 = np.percentile(laps[10:], [50, 99]) * 1e6
    return {"p50": float(p50), "p99": float(p99), "rows": len(X)}


if __name__ == "__main__":
    main()
