"""Emergence: is a jump in a score an artefact of its metric, and at which scale does a capability appear?"""

from allometry.capabilities.emergence.judging import judge_all, judge_emergence
from allometry.capabilities.emergence.jumps import emergence_score
from allometry.capabilities.emergence.onset import Onset
from allometry.capabilities.emergence.result import Emergence
from allometry.capabilities.emergence.scores import Skill, read_items, read_skills
from allometry.capabilities.emergence.verdict import RULE, Verdict

__all__ = [
    "RULE",
    "Emergence",
    "Onset",
    "Skill",
    "Verdict",
    "emergence_score",
    "judge_all",
    "judge_emergence",
    "read_items",
    "read_skills",
]
