"""What is left to make of a round: its unfinished runs, and their trunks as far as they need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from allometry.runs.run import FINISHED, Runs
from allometry.runs.study import Study
from allometry.sweeps.designs import Planned


@dataclass(frozen=True)
class Asked:
    """Planned runs as a design: all of them, whatever has run."""

    planned: Sequence[Planned]

    def recipes(self, runs: Runs) -> list[Planned]:
        """All of them."""
        return list(self.planned)

    def outline(self) -> list[Planned]:
        """All of them."""
        return list(self.planned)


def left_of(planned: Sequence[Planned], study: Study) -> list[Planned]:
    """The runs that are not finished, and the part of each trunk that they need and that is not there.

    A trunk is gone on with when a longer branch comes: what was trained of it is never trained again.
    """
    status = {run.run_id: run.status for run in study.ended()}
    branches = [
        one for one in planned if one.design != "trunk" and status.get(one.recipe.run_id, "") not in FINISHED
    ]
    needed, there = _needed(branches), partway(study)
    trunks = [
        replace(one, part=(there.get(name, 0), needed[name]))
        for one in planned
        if (name := one.recipe.run_id) in needed
        and status.get(name) != "done"
        and there.get(name, 0) < needed[name]
    ]
    return trunks + branches


def ended(study: Study) -> set[str]:
    """Run ids of what is done, diverged or failed."""
    return {run.run_id for run in study.ended() if run.status != "stopped"}


def partway(study: Study) -> dict[str, int]:
    """Steps from which runs that are not finished can be gone on with, by run id."""
    unfinished = (run for run in study.ended() if run.status not in FINISHED)
    return {run.run_id: int(run.values.get("last_good_step", 0)) for run in unfinished}


def _needed(branches: Sequence[Planned]) -> Mapping[str, int]:
    """Steps of each trunk up to where the last of its branches leaves it."""
    needed: dict[str, int] = {}
    for recipe in (one.recipe for one in branches if one.recipe.parent):
        needed[recipe.parent] = max(needed.get(recipe.parent, 0), recipe.trunk_steps)
    return needed
