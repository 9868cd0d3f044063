"""Designs: which runs to make. Pure functions of what is known so far; nothing here trains."""

from allometry.sweeps.designs.definition import Design, Given, Planned, final_losses
from allometry.sweeps.designs.grid import Grid
from allometry.sweeps.designs.iso_flop import Dropped, IsoFlop, half_decades
from allometry.sweeps.designs.ladder import Ladder, Target
from allometry.sweeps.designs.learning_rates import LearningRateCheck
from allometry.sweeps.designs.rates import RateTrend, rate_trend
from allometry.sweeps.designs.replicates import Replicates
from allometry.sweeps.designs.sizes import Size

__all__ = [
    "Design",
    "Dropped",
    "Given",
    "Grid",
    "IsoFlop",
    "Ladder",
    "LearningRateCheck",
    "Planned",
    "RateTrend",
    "Replicates",
    "Size",
    "Target",
    "final_losses",
    "half_decades",
    "rate_trend",
]
