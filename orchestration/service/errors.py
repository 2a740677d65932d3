"""What can go wrong with a turn as a whole, as one small tree.

::

    TurnError
    ├── TurnRunning        another turn holds the lock of this home
    ├── PredictRunning     another process predicts in this home
    ├── NothingFetched     between turns: no symbol's candles could be brought up to date
    ├── OtherParameters    this turn was begun with other parameters
    ├── TakenMoment        a back-fill has given the names of this turn's versions to its folds
    ├── OtherMarket        what serves was learnt on a simulated market and this one is real, or so
    ├── NoTurn             nothing to report yet
    ├── NoLedger           no ledger rows are there, or none that fit
    ├── CannotExport       where the ledger is to be written nothing can be
    ├── UnknownFlag        a flag for retraining that names nothing, or is not open
    ├── NoHome             there is no such home to look into
    ├── StepMissing        a step was asked for before the one it builds on
    ├── BadReplay          a replay that cannot be: no turn in it, a name that is none
    ├── OtherReplay        a replay of that name was begun with other parameters
    ├── ReplayRunning      another process runs this very replay
    ├── BadStrategy        a strategy that cannot be found or made
    ├── BadBacktest        a backtest that cannot be: no bar is left to be judged on
    ├── BadFolds           a back-fill was asked for with folds that cannot be
    ├── NoForecaster       no forecaster of that symbol and bar length was trained
    ├── InsufficientData   fewer bars than a forecaster needs
    ├── TrainingRunning    the slot is being trained already
    ├── TooManyJobs        more work waits than is taken
    ├── JobFailed          a job ended without what it was asked for
    ├── StaleCandles       a symbol's candles end too long before the turn
    └── TurnFailed         nothing was left to work with; the same command tries again
"""
# ruff: noqa: N818 - the names say what happened.

from __future__ import annotations


class TurnError(Exception):
    """Root of everything that the service raises on purpose."""


class TurnRunning(TurnError):
    """Another turn holds the lock of this home."""


class PredictRunning(TurnError):
    """Another process predicts in this home."""


class NothingFetched(TurnError):
    """No symbol's candles could be brought up to date."""


class OtherParameters(TurnError, ValueError):
    """The turn was begun with other parameters."""


class TakenMoment(TurnError, ValueError):
    """A back-fill has given the names of this turn's versions to its folds."""


class OtherMarket(TurnError, ValueError):
    """What serves was learnt on a simulated market and this one is real, or the reverse."""


class NoTurn(TurnError, LookupError):
    """No turn is completed yet."""


class NoLedger(TurnError, LookupError):
    """No ledger rows are there, or none that fit."""


class CannotExport(TurnError, ValueError):
    """Where the ledger is to be written nothing can be."""


class UnknownFlag(TurnError, ValueError):
    """A flag for retraining that names nothing, or is not open."""


class NoHome(TurnError, ValueError):
    """There is no such home to look into."""


class StepMissing(TurnError):
    """A step was asked for before the one it builds on."""


class BadReplay(TurnError, ValueError):
    """A replay that cannot be."""


class OtherReplay(TurnError, ValueError):
    """A replay of that name was begun with other parameters."""


class ReplayRunning(TurnError):
    """Another process runs this very replay."""


class BadStrategy(TurnError, ValueError):
    """A strategy that cannot be found or made."""


class BadBacktest(TurnError, ValueError):
    """A backtest that cannot be."""


class BadFolds(TurnError, ValueError):
    """A back-fill was asked for with folds that cannot be."""


class StaleCandles(TurnError):
    """A symbol's candles end too long before the turn."""


class _Told(TurnError):
    """An error that carries its remedy and figures beside its sentence.

    Parameters
    ----------
    said
        The sentence.
    remedy
        What to do about it.
    numbers
        Figures and names of the sentence.
    """

    def __init__(self, said: str, remedy: str, **numbers: object) -> None:
        super().__init__(f"{said}; {remedy}")
        self.remedy, self.numbers = remedy, numbers


class NoForecaster(_Told, LookupError):
    """No forecaster of that symbol and bar length was trained."""


class InsufficientData(_Told):
    """Fewer bars than a forecaster needs."""


class TrainingRunning(_Told):
    """The slot is being trained already; ``numbers["job_id"]`` says by which job."""


class TooManyJobs(_Told):
    """More work waits than is taken."""


class JobFailed(_Told):
    """A job ended without what it was asked for."""


class TurnFailed(TurnError):
    """Nothing was left to work with; the same command tries again."""
