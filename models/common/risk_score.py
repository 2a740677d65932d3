"""Risk score: a number from 0 to 100 that remembers the probability behind it."""

from __future__ import annotations

from typing import Any


class RiskScore(float):
    """Risk of one moment, 0 (calmest of the training weeks) to 100 (wildest).

    A number, so that ``risk < 60`` reads as it should. What other kinds answer as a dict can be
    had by item: ``score["risk"]``, ``score["event_probability"]``.

    Parameters
    ----------
    risk : float
        Rank of the probability among training probabilities, 0 to 100.
    event_probability : float
        Calibrated probability of a large excursion, 0 to 1.
    **more
        Further items, such as an ensemble's ``missing``.
    """

    event_probability: float
    _items: dict[str, Any]

    def __new__(cls, risk: float, event_probability: float, **more: Any) -> RiskScore:
        """Return `risk` with the probability it was ranked by."""
        score = super().__new__(cls, risk)
        score.event_probability = event_probability
        score._items = {"risk": float(risk), "event_probability": event_probability, **more}
        return score

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def as_dict(self) -> dict[str, Any]:
        """Return every item by name."""
        return dict(self._items)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._items,)


def with_items(answer: Any, **more: Any) -> Any:
    """Return an answer, dict or `RiskScore`, with further items."""
    if isinstance(answer, RiskScore):
        return RiskScore(**(answer.as_dict() | more))
    return {**answer, **more}


def with_novelty(answer: Any, novelty: Any) -> Any:
    """Return `answer` with ``novelty`` and ``out_of_distribution``: above 1, or None if unknown."""
    beyond = None if novelty is None else novelty > 1
    return with_items(answer, novelty=novelty, out_of_distribution=beyond)


def _restore(items: dict[str, Any]) -> RiskScore:
    return RiskScore(**items)
