"""Risk score: a number from 0 to 100 that remembers the probability behind it."""

from __future__ import annotations


class RiskScore(float):
    """Risk of one moment, 0 (calmest of the training weeks) to 100 (wildest).

    A number, so that ``risk < 60`` reads as it should; `event_probability` is the calibrated
    probability that it is ranked by. Both can be had by item too: ``score["risk"]``.
    """

    event_probability: float

    def __new__(cls, risk: float, event_probability: float) -> RiskScore:
        """Return `risk` with the probability it was ranked by."""
        score = super().__new__(cls, risk)
        score.event_probability = event_probability
        return score

    def __getitem__(self, name: str) -> float:
        if name == "risk":
            return float(self)
        if name == "event_probability":
            return self.event_probability
        raise KeyError(f"{name!r}: a risk score has 'risk' and 'event_probability'")

    def __getnewargs__(self) -> tuple[float, float]:  # type: ignore[override]
        return float(self), self.event_probability
