"""Ranks models by what they have proven: the lower bound of their skill, never its mean."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class RankingError(ValueError):
    """A result cannot be ranked; the message names it and what is missing."""


class ModelRanker:
    """Order models by the lower 95 % bound of their skill over the baseline of their slot.

    Skill is ``S = 1 - loss / loss of the baseline`` on rows that neither has seen. Its lower bound
    rewards evidence: a wide interval on few rows ranks below a narrow one on many. Within a slot
    the ranking decides; across slots it is a leaderboard for people to read.

    Examples
    --------
    >>> ranker = ModelRanker()
    >>> ranker.get_top_models({"a": {"lower": 0.01}, "b": {"lower": -0.02}}, count=1)
    [('a', 1.0)]
    """

    def __init__(self) -> None:
        self._ranked: list[tuple[str, float]] = []
        self._fixed: set[str] = set()
        self._kept = 0

    def get_top_models(
        self, results: Mapping[str, Mapping[str, Any]], count: int = 5
    ) -> list[tuple[str, float]]:
        """Return the best `count` models as (name, score), best first.

        Parameters
        ----------
        results
            Figures by model name, as ``ValidationPipeline.backtest_model`` or the store give them;
            ``lower`` is required, ``baseline`` (bool) protects a model from replacement.
        count
            How many to return.

        Returns
        -------
        list of (str, float)
            The score is the lower bound of skill in per cent of the baseline's loss.

        Raises
        ------
        RankingError
            When a result carries no ``lower``.
        """
        self._ranked = [(name, 100 * _lower(name, figures)) for name, figures in results.items()]
        self._ranked.sort(key=lambda pair: (-pair[1], pair[0]))
        self._fixed = {name for name, figures in results.items() if figures.get("baseline") is True}
        self._kept = count
        return self._ranked[:count]

    def get_to_replace(self, count: int = 2) -> list[str]:
        """Return the worst `count` models of the last ranking, worst first.

        Nothing is named while no more than the top and `count` others were ranked (with the
        defaults: up to seven models), and a baseline is never named.
        """
        if len(self._ranked) <= self._kept + count:
            return []
        below = [name for name, _ in reversed(self._ranked[self._kept :])]
        return [name for name in below if name not in self._fixed][:count]


def best_first(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Order the versions of one slot: highest lower bound first, the fresher version at a tie.

    Parameters
    ----------
    rows
        Each with ``version`` and ``lower``; versions of a slot sort by time. A bound that is
        missing or NaN (no shared rows) comes last.
    """
    fresh_first = sorted(rows, key=lambda row: str(row["version"]), reverse=True)
    return sorted(fresh_first, key=lambda row: -_number(row.get("lower")))


def leaderboard(rows: Iterable[Mapping[str, Any]], count: int = 5) -> list[dict[str, Any]]:
    """Return the `count` best champions across slots, with their rank.

    Learners that serve come first, by their bound; baselines have by definition no skill and follow
    in the order of their slots; slots without figures, where a turn failed, are last.

    Parameters
    ----------
    rows
        One per slot, with ``slot``, ``champion``, ``baseline`` (bool) and the figures of the
        champion's line on the ledger: ``lower``, ``skill``, ``z``, ``n``, ``days`` and
        ``days_missing``, the days that are still to come until the ledger speaks with full weight.
    """

    def place(row: Mapping[str, Any]) -> tuple[int, float, str]:
        if row.get("lower") is None:
            return 2, 0.0, str(row["slot"])
        if row.get("baseline"):
            return 1, 0.0, str(row["slot"])
        return 0, -_number(row["lower"]), str(row["slot"])

    ordered: Sequence[Mapping[str, Any]] = sorted(rows, key=place)
    return [{"rank": rank, **row} for rank, row in enumerate(ordered[:count], 1)]


def _number(value: Any) -> float:
    """Read a bound; what is missing or not a number ranks below everything."""
    if value is None or math.isnan(float(value)):
        return -math.inf
    return float(value)


def _lower(name: str, figures: Mapping[str, Any]) -> float:
    if "lower" not in figures:
        raise RankingError(
            f"{name}: its results hold {', '.join(sorted(figures)) or 'nothing'} but no 'lower', "
            "the lower bound of skill over the baseline; validate it with ValidationPipeline"
        )
    return _number(figures["lower"])
