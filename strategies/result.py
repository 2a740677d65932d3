"""Result: the figures of a backtest by the names of the documents, and all that they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from strategies.report.words import as_json, table_of
from strategies.run import Run


@dataclass(frozen=True, eq=False)
class BacktestResult(Mapping[str, dict[str, Any]]):
    """What a backtest came to.

    Parameters
    ----------
    run : Run
        What happened, bar by bar.
    figures : dict
        What `strategies.metrics.summarise` makes of it: ``performance``, ``trading``,
        ``baselines``. Figures are fractions, not per cent; what cannot be told is NaN.
    notes : tuple of str
        What else must be known to read them, such as bars left out because a model learnt from
        them. Every face of the result shows them.

    Examples
    --------
    >>> result["performance"]["total_return"]  # doctest: +SKIP
    -0.0312
    >>> print(result)  # doctest: +SKIP
    """

    run: Run
    figures: dict[str, dict[str, Any]]
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, run: Run, *, trials: int = 1, seed: int = 0) -> BacktestResult:
        """Return the result of a run.

        Parameters
        ----------
        run : Run
            Of either engine.
        trials : int
            How many variants were tried to find this one, this one too.
        seed : int
            Of the bootstrap intervals and of the random entries.
        """
        from strategies.metrics import summarise  # only now: SciPy takes a while to import

        return cls(run, summarise(run, trials=trials, seed=seed))

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self.figures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.figures)

    def __len__(self) -> int:
        return len(self.figures)

    @property
    def trades(self) -> pd.DataFrame:
        """One row a trade; see `strategies.run.Run`."""
        return self.run.trades

    @property
    def equity(self) -> pd.Series:
        """What the account was worth at each bar's close."""
        return self.run.equity

    def to_dict(self) -> dict[str, Any]:
        """Return figures and terms as JSON can hold them: NaN as None, no table of trades."""
        return as_json(self.run, self.figures, self.notes)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as one self-contained HTML page, and write it where a path is given."""
        from strategies.report.page import page

        html = page(self.run, self.figures, self.notes)
        if path is not None:
            Path(path).write_text(html, encoding="utf-8")
        return html

    def picture(self, path: str | Path | None = None) -> bytes:
        """Return equity, drawdown, exposure and entries as a PNG, and write it where asked."""
        from strategies.report.picture import picture

        png = picture(self.run, self.figures)
        if path is not None:
            Path(path).write_bytes(png)
        return png

    def __str__(self) -> str:
        """Return the figures as a table."""
        return table_of(self.run, self.figures, self.notes)

    def __repr__(self) -> str:
        """Return one line."""
        got = self.figures["performance"]["total_return"]
        return f"<BacktestResult {self.run.strategy}, {self.run.bars:,} bars, {got:+.2%}>"
