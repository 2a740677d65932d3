"""What others reached: linear models and LightGBM on seven futures (1m) and six spot symbols (5m).

Walk-forward and purged, without a search for hyper-parameters; on other symbols and days than the
folder of candles holds, so they say what size to expect and are no rivals on the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping

REFERENCE: Mapping[str, Mapping[str, str]] = {
    "1m": {
        "direction": "accuracy .510–.514, log-loss gain over a coin 3e-4 (pooled, 14 d)",
        "risk": "AUC .693 (logit on log volatility), .663 (LightGBM); aim .75, Brier skill .15",
        "price": "R² −.059 (ridge), −.004 (shrunk); aim ≥ −.001, coverage .87–.93",
        "momentum": "mechanical logit right in 75.6 %; LightGBM no gain; aim: skill ≥ 0",
        "volatility": "QLIKE 1 h: HAR .179, with time of day .173, EWMA .208, mean of three .167; "
        "4 h: .176, .166, mean .158",
    },
    "5m": {
        "direction": "accuracy .5205 (5 min) … .528 (25 min), log-loss gain 19e-4 [8, 28]",
        "risk": "AUC .751 (logit) … .787 (LightGBM), Brier skill .159 … .214",
        "price": "R² +.0012, interval crosses nought",
        "momentum": "mechanical logit .755, LightGBM .751",
        "volatility": "QLIKE 1 h: HAR .408, with time of day .388, LightGBM on its residuals .382; "
        "4 h: .322, .299, mean .303",
    },
}
