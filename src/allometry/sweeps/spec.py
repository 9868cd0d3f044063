"""`study.toml`: what a study trains, which law it fits, and the run it forecasts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from allometry.errors import RecipeError
from allometry.recipe import choice, read_choice
from allometry.runs.study import Study
from allometry.sweeps.designs import Grid, Ladder, Size, Target


@choice
class TargetSpec:
    """The held-out larger run: the forecast is about it."""

    size: Size
    tokens: int = Field(gt=0)


@choice
class StudySpec:
    """A study as written in study.toml.

    Attributes:
        name: For people.
        law: Name of the law that is fitted and forecasts the target.
        target: The run beyond the ladder; None if nothing is forecast.
        plan_factor: The planning question: so many times the compute of the largest run.
    """

    name: str
    design: Annotated[Ladder | Grid, Field(discriminator="kind")]
    law: str = "chinchilla"
    target: TargetSpec | None = None
    plan_factor: float = Field(default=10.0, gt=0)

    def target_design(self) -> Target:
        """The design that trains the target.

        Raises:
            RecipeError: If the study has none.
        """
        if self.target is None or not isinstance(self.design, Ladder):
            raise RecipeError(
                f"Study '{self.name}' forecasts nothing: add a [target] with size and tokens to its "
                f"study.toml; its design must be a ladder."
            )
        return Target(ladder=self.design, size=self.target.size, tokens=self.target.tokens)


def read_spec(study: Study) -> StudySpec:
    """Read a study's specification.

    Raises:
        RecipeError: Naming the key, the rule and the nearest known key.
    """
    return read_choice(StudySpec, study.spec(), str(study.folder / "study.toml"))
