"""Ensembles: which lines of a slot answer together, with what weights, and whether that is better.

Pure: arrays and figures in, a choice and its reasons out. Equal weights are the default; whatever
is learnt must beat them on bars that it was not learnt from.
"""

from orchestration.ensembles.contest import Contest, blended, contest
from orchestration.ensembles.evidence import Evidence
from orchestration.ensembles.gate import Choice, Gate, choose, gate
from orchestration.ensembles.members import MOST, Candidate, Members, pick
from orchestration.ensembles.naming import ENSEMBLE, MADE_BY, config, free_name, is_ours, name_of
from orchestration.ensembles.steps import HOURS
from orchestration.ensembles.weights import EQUAL, METHODS

__all__ = [
    "ENSEMBLE",
    "EQUAL",
    "HOURS",
    "MADE_BY",
    "METHODS",
    "MOST",
    "Candidate",
    "Choice",
    "Contest",
    "Evidence",
    "Gate",
    "Members",
    "blended",
    "choose",
    "config",
    "contest",
    "free_name",
    "gate",
    "is_ours",
    "name_of",
    "pick",
]
