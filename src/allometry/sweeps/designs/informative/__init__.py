"""The next runs that narrow a target's interval most per FLOP: c- and V-optimal design, run by run."""

from allometry.sweeps.designs.informative.aims import Aim, Exponents, ForecastOf, OptimalSize
from allometry.sweeps.designs.informative.beliefs import Belief, belief_from_fit, belief_from_law
from allometry.sweeps.designs.informative.candidates import Candidates, candidates_of
from allometry.sweeps.designs.informative.choosing import Chosen, informative

__all__ = [
    "Aim",
    "Belief",
    "Candidates",
    "Chosen",
    "Exponents",
    "ForecastOf",
    "OptimalSize",
    "belief_from_fit",
    "belief_from_law",
    "candidates_of",
    "informative",
]
