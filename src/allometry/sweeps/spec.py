"""`study.toml`: what a study trains, which laws it fits, and the run it forecasts."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
from pydantic import Field

from allometry.errors import InputError, RecipeError
from allometry.recipe import choice, read_choice
from allometry.runs.study import SPEC, Study, read_toml_file
from allometry.storage import open_place, require_answer
from allometry.sweeps.designs import (
    Design,
    Given,
    Grid,
    IsoFlop,
    Ladder,
    LearningRateCheck,
    Replicates,
    Size,
    Target,
)
from allometry.sweeps.trainers import AnyTrainer, Command, Lab


@choice
class TargetSpec:
    """The held-out larger run: the forecast is about it.

    Attributes:
        assumptions: What the forecast takes for granted, in words; goes into the register.
    """

    size: Size
    tokens: int = Field(gt=0)
    assumptions: str = ""


@choice
class FitSpec:
    """One law to fit to the study's runs.

    Attributes:
        name: Of the saved fit, fits/<name>.json; the law's own if empty.
        inputs: The law's input name to column, where they differ.
        where: SQL condition over the selected runs, which are the table `runs` in it.
        because: Why only those.
        draws: Resamples for the intervals.
    """

    law: str
    name: str = ""
    inputs: dict[str, str] = Field(default_factory=dict)
    where: str = ""
    because: str = ""
    objective: Literal["huber", "lad", "least_squares", "lower_envelope"] = "huber"
    draws: int = Field(default=1000, ge=2)

    @property
    def file(self) -> str:
        """Where the fit is saved, below the study's folder."""
        return f"fits/{self.name or self.law}.json"


AnyDesign = Annotated[
    Ladder | Grid | IsoFlop | Replicates | LearningRateCheck | Given, Field(discriminator="kind")
]


@choice
class StudySpec:
    """A study as written in study.toml.

    Attributes:
        name: For people.
        fits: Laws to fit; the first one forecasts and plans.
        target: The run beyond the ladder; None if nothing is forecast.
        plan_factor: The planning question: so many times the compute of the largest run.
        trainer: What makes the runs: the lab of this package, or a command of the user's.
    """

    name: str
    design: AnyDesign
    fits: tuple[FitSpec, ...] = (FitSpec(law="chinchilla"),)
    target: TargetSpec | None = None
    plan_factor: float = Field(default=10.0, gt=0)
    trainer: AnyTrainer = Lab()

    @property
    def selection(self) -> str:
        """Which runs of the study are fitted: those that its design finished."""
        return f"design = '{self.design.kind}'"

    def require_fields(self, design: Design) -> None:
        """Refuse a command whose template names what no recipe has; nothing is asked of this machine.

        Raises:
            InputError: If a field is none of a recipe's.
        """
        if isinstance(self.trainer, Command):
            recipes = [planned.recipe for planned in design.outline()]
            self.trainer.require(recipes, device="cpu", directory=".")

    def target_design(self) -> Target:
        """The design that trains the target.

        Raises:
            RecipeError: If the study has none.
        """
        if self.target is None or not isinstance(self.design, Ladder | IsoFlop):
            raise RecipeError(
                f"Study '{self.name}' forecasts nothing: add a [target] with size and tokens to its "
                f"study.toml; its design must be a ladder or iso_flop."
            )
        return Target(ladder=self.design, size=self.target.size, tokens=self.target.tokens)


def quickstart_path() -> Path:
    """The study.toml of `allometry quickstart`."""
    return Path(str(files("allometry.sweeps") / "quickstart.toml"))


def is_study(path: str | Path) -> bool:
    """Whether a path is the folder of a study, and no other folder or table of runs."""
    return (open_place(path) / SPEC).is_file()


def read_spec(study: Study) -> StudySpec:
    """Read a study's specification.

    Raises:
        RecipeError: Naming the key, the rule and the nearest known key.
    """
    return read_choice(StudySpec, study.spec(), str(study.folder / SPEC))


def read_spec_file(path: Path) -> StudySpec:
    """Read a specification from a study.toml or from the folder of a study.

    Raises:
        InputError: If there is none.
    """
    path = open_place(path)
    require_answer(path / SPEC)
    file = path / SPEC if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"There is no study at {path}: give a study.toml, or a folder that holds one.")
    return read_choice(StudySpec, read_toml_file(file), str(file))


def open_collection(folder: Path) -> Study:
    """Open a study to train single recipes into, or make one whose design asks for nothing itself."""
    if is_study(folder):
        return Study.open(folder)
    return Study.create(folder, tomli_w.dumps({"name": folder.resolve().name, "design": {"kind": "given"}}))


def open_study(path: Path, into: Path | None) -> Study:
    """Open the study of a folder, or make one from a study.toml.

    Args:
        into: The folder to make; the study's name, in the working directory, if None.
    """
    path = open_place(path)
    if path.is_dir() and into is not None and into != path:
        raise InputError(f"{path} is a study already; copy its study.toml to begin another one in {into}.")
    if path.is_dir():
        return Study.open(path)
    spec = read_spec_file(path)
    return Study.create(into or Path(spec.name), path.read_text(encoding="utf-8"))
