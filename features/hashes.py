"""Whether features still mean what they meant when a model was trained on them."""

from __future__ import annotations

from collections.abc import Mapping

from features.catalogue import FEATURES
from features.catalogue.feature import OWN
from features.catalogue.lookup import find
from features.errors import FeatureError
from features.foreign.words import PREFIX


def is_listed(name: str) -> bool:
    """Return whether a name means the same in every process of this version.

    Those of pandas-ta and of the user's own may be missing in a process, or be defined otherwise.

    Raises
    ------
    UnknownFeature
        A name that nobody defined.
    """
    return not name.startswith(PREFIX) and find(name, FEATURES).group != OWN


def missing(names: Mapping[str, str] | tuple[str, ...]) -> list[str]:
    """Return the names that mean nothing in this process, or nothing that may be computed."""
    return [name for name in names if _digest(name) is None]


def changed(hashes: Mapping[str, str], *, listed: bool = True) -> list[str]:
    """Return the features that are defined otherwise now, or not at all, as an error names them.

    Parameters
    ----------
    hashes : mapping of str to str
        Hash of each definition, as a model's schema holds it.
    listed : bool
        Whether to look at features of the catalogue too, which change with the version only.
    """
    told = []
    for name, digest in hashes.items():
        now = _digest(name)
        if now is None:
            told.append(f"{name} (unknown or refused in this process{FEATURES.hint()})")
        elif now != digest and (listed or not is_listed(name)):
            told.append(name)
    return told


def _digest(name: str) -> str | None:
    try:
        return find(name, FEATURES).expression.digest
    except FeatureError:  # unknown, or refused: no number will come of it
        return None
