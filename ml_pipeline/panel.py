"""Features, closes and labels of several symbols as one table, sorted by time.

A panel is what every fit and every verdict reads. It is saved as plain ``.npy`` files and opened
memory-mapped, so parallel fits share one copy of the matrix.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.timeframes import parse_timeframe
from ml_pipeline.errors import PanelError
from ml_pipeline.targets import LABELS, labels, open_times

Rows = NDArray[np.bool_] | NDArray[np.int64] | slice
RunFeatures = Callable[[pd.DataFrame], NDArray[np.float32]]

_META = "panel.json"


@dataclass(frozen=True)
class Panel:
    """Rows of several symbols, sorted by (time, symbol); never changed after it is built.

    Attributes
    ----------
    timeframe : str
        Length of a bar.
    symbols : tuple of str
        Sorted; ``symbol[i]`` is an index into it.
    names : tuple of str
        Feature names, the columns of `X`.
    ts : int64[n]
        Opening time of the bar, epoch milliseconds.
    symbol : int16[n]
        Which symbol.
    X : float32[n, F]
        Features, all finite.
    close : float64[n]
        Close of the bar, in quote currency.
    labels : dict of str to float64[n]
        See `ml_pipeline.targets.LABELS`; NaN where unknown.
    dropped : int
        Rows left out because a feature was not finite (the look-back, mostly).
    begins : dict of str to int
        Opening time of each symbol's first candle, epoch milliseconds: where its features began.
    holed : tuple of str
        Features that were not finite on a bar after their symbol's first row.
    """

    timeframe: str
    symbols: tuple[str, ...]
    names: tuple[str, ...]
    ts: NDArray[np.int64]
    symbol: NDArray[np.int16]
    X: NDArray[np.float32]
    close: NDArray[np.float64]
    labels: Mapping[str, NDArray[np.float64]]
    dropped: int = 0
    begins: Mapping[str, int] = field(default_factory=dict)
    holed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.ts)
        arrays: dict[str, NDArray[Any]] = {
            "symbol": self.symbol,
            "close": self.close,
            **self.labels,
        }
        wrong = {name: a.shape for name, a in arrays.items() if a.shape != (n,)}
        if self.X.shape != (n, len(self.names)):
            wrong["X"] = self.X.shape
        if wrong:
            raise PanelError(
                f"{n} times and {len(self.names)} feature names, but shapes {wrong}; "
                "build a panel with build_panel()"
            )

    def __len__(self) -> int:
        return len(self.ts)

    def rows(self, which: Rows) -> Panel:
        """Return the rows of a mask, of positions or of a slice (a slice copies nothing)."""
        return replace(
            self,
            ts=self.ts[which],
            symbol=self.symbol[which],
            X=self.X[which],
            close=self.close[which],
            labels={name: column[which] for name, column in self.labels.items()},
        )

    def columns(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return the features called `names`, in that order, float32[n, len(names)]."""
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise PanelError(f"the panel has no feature {', '.join(unknown)}; build it with them")
        return self.X[:, [self.names.index(name) for name in names]]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        named = {f"label_{name}": column for name, column in sorted(self.labels.items())}
        return {"ts": self.ts, "symbol": self.symbol, "X": self.X, "close": self.close, **named}

    def _meta(self) -> dict[str, Any]:
        return {
            "timeframe": self.timeframe,
            "symbols": list(self.symbols),
            "names": list(self.names),
            "labels": sorted(self.labels),
            "rows": len(self),
            "dropped": self.dropped,
            "begins": dict(self.begins),
            "holed": list(self.holed),
        }

    def data_hash(self) -> str:
        """Return the SHA-256 of everything in the panel, as 64 hexadecimal digits."""
        digest = hashlib.sha256(json.dumps(self._meta(), sort_keys=True).encode())
        for name, array in self._arrays().items():
            digest.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def save(self, folder: str | Path) -> Path:
        """Write the panel to `folder`, which appears whole or not at all; return the folder.

        A folder that already holds this very panel is kept, another one is replaced.
        """
        folder = Path(folder)
        meta = {**self._meta(), "data_hash": self.data_hash()}
        if _read_meta(folder).get("data_hash") == meta["data_hash"]:
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        for name, array in self._arrays().items():
            with open(work / f"{name}.npy", "wb") as file:
                np.save(file, np.ascontiguousarray(array), allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        (work / _META).write_text(json.dumps(meta, indent=1))
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            os.replace(folder, old)
            shutil.rmtree(old)
        os.replace(work, folder)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Panel:
        """Open a saved panel, memory-mapped and read-only.

        Raises
        ------
        PanelError
            No panel there, or files that do not fit together.
        """
        folder = Path(folder)
        meta = _read_meta(folder)
        if not meta:
            raise PanelError(f"no panel in {folder}: {_META} is missing; save one there first")
        if missing := {"begins", "holed", "labels", "names"} - meta.keys():
            raise PanelError(
                f"{folder} was saved by an older version: {_META} lacks "
                f"{', '.join(sorted(missing))}; delete it, and save the panel again"
            )

        def column(name: str) -> NDArray[Any]:
            try:
                array: NDArray[Any] = np.load(
                    folder / f"{name}.npy", mmap_mode="r", allow_pickle=False
                )
            except (OSError, ValueError) as error:
                raise PanelError(f"{folder / name}.npy cannot be read: {error}") from error
            return array

        return cls(
            timeframe=meta["timeframe"],
            symbols=tuple(meta["symbols"]),
            names=tuple(meta["names"]),
            ts=column("ts"),
            symbol=column("symbol"),
            X=column("X"),
            close=column("close"),
            labels={name: column(f"label_{name}") for name in meta["labels"]},
            dropped=meta["dropped"],
            begins=meta["begins"],
            holed=tuple(meta["holed"]),
        )


def _read_meta(folder: Path) -> dict[str, Any]:
    """Return the description of a saved panel, or an empty one if there is none."""
    try:
        meta: dict[str, Any] = json.loads((folder / _META).read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise PanelError(f"{folder / _META} is not JSON ({error}); delete {folder}") from error
    return meta


def build_panel(
    candles: Mapping[str, pd.DataFrame],
    timeframe: str,
    names: Sequence[str],
    run_features: RunFeatures,
) -> Panel:
    """Return features and labels of all symbols as one panel.

    Parameters
    ----------
    candles : mapping of symbol to DataFrame
        Canonical candles. Symbols may cover different spans.
    timeframe : str
        Length of a bar.
    names : sequence of str
        What `run_features` returns, column by column.
    run_features : callable
        ``candles -> float32[n, F]``, for instance ``FeatureProgram(names).run``.

    Raises
    ------
    PanelError
        No candles, or a matrix that does not fit the candles and names.
    """
    if not candles:
        raise PanelError("no symbol has candles, so there is nothing to learn from; fetch some")
    symbols = tuple(sorted(candles))
    parts = [_symbol_rows(candles[s], timeframe, names, run_features, s) for s in symbols]
    ts = np.concatenate([part["ts"] for part in parts])
    owner = np.repeat(np.arange(len(symbols), dtype=np.int16), [len(p["ts"]) for p in parts])
    order = np.lexsort((owner, ts))

    def pooled(name: str) -> NDArray[Any]:
        joined: NDArray[Any] = np.concatenate([part[name] for part in parts])[order]
        return joined

    return Panel(
        timeframe=parse_timeframe(timeframe),
        symbols=symbols,
        names=tuple(names),
        ts=ts[order],
        symbol=owner[order],
        X=pooled("X"),
        close=pooled("close"),
        labels={name: pooled(name) for name in LABELS},
        dropped=sum(len(frame) for frame in candles.values()) - len(ts),
        begins={s: int(open_times(candles[s])[0]) for s in symbols if len(candles[s])},
        holed=tuple(np.asarray(names)[np.any([part["holed"] for part in parts], axis=0)].tolist()),
    )


def _symbol_rows(
    candles: pd.DataFrame,
    timeframe: str,
    names: Sequence[str],
    run_features: RunFeatures,
    symbol: str,
) -> dict[str, NDArray[Any]]:
    """Return the columns of one symbol, without the rows in which a feature is not finite."""
    X = np.asarray(run_features(candles), dtype=np.float32)
    if X.shape != (len(candles), len(names)):
        raise PanelError(
            f"{symbol}: {len(candles)} candles and {len(names)} names, but the features came as "
            f"{X.shape}; names must be those that run_features was made for"
        )
    finite = np.isfinite(X)
    keep = finite.all(axis=1)
    later = finite[int(keep.argmax()) :] if keep.any() else finite[:0]
    holed: NDArray[np.bool_] = np.asarray(~later.all(axis=0))
    columns = {
        "ts": open_times(candles),
        "close": candles["close"].to_numpy(np.float64),
        **labels(candles, timeframe),
    }
    kept = {name: column[keep] for name, column in columns.items()}
    return {"X": X[keep], "holed": holed, **kept}
