"""The errors of the store, as one small tree.

::

    RecordError
    ├── BadRecord           a value that cannot be stored, or a status that does not exist
    ├── UnknownTurn         no turn of that id was begun
    ├── UnknownModel        no registered model of that name
    ├── AmbiguousModel      several registered models of that name
    ├── NoVerdict           the model was never judged
    ├── UnknownJob          no job of that id was asked for
    └── DatabaseError       the database itself
        ├── DatabaseDown    it cannot be reached or opened
        └── DatabaseTooNew  it was migrated by a newer Tidewheel

What a caller passed in is also a ``ValueError`` or a ``LookupError``, so that plain Python needs no
import to catch it.
"""
# ruff: noqa: N818 - the names say what happened.

from __future__ import annotations


class RecordError(Exception):
    """Anything that goes wrong in the store."""


class BadRecord(RecordError, ValueError):
    """A value cannot be stored as given."""


class UnknownTurn(RecordError, LookupError):
    """No turn of that id was begun."""


class UnknownModel(RecordError, LookupError):
    """No registered model answers to that name."""


class AmbiguousModel(RecordError, LookupError):
    """Several registered models answer to that name."""


class NoVerdict(RecordError, LookupError):
    """The model was never judged."""


class UnknownJob(RecordError, LookupError):
    """No job of that id was asked for, or it is no longer kept."""


class DatabaseError(RecordError):
    """The database cannot do what the store needs."""


class DatabaseDown(DatabaseError):
    """The database cannot be reached or opened."""


class DatabaseTooNew(DatabaseError):
    """The database was migrated by a newer version of Tidewheel."""
