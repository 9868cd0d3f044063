"""Where runs are made, as a user states it: in Python, or in a file such as cluster.toml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from allometry.errors import InputError, UnknownName, did_you_mean
from allometry.recipe import choice, read_choice
from allometry.runs.study import Study, read_toml_file
from allometry.sweeps.executors.definition import Executor
from allometry.sweeps.executors.needs import Needs, Quantity
from allometry.sweeps.trainers import AnyTrainer


@choice
class Local:
    """This machine: worker processes.

    Attributes:
        workers: Processes; if None, one per core, or one per accelerator where there are any.
        gpus: Accelerators given to runs, numbered from 0; a run gets as many as its needs say.
        memory_bytes: That runs may take together, by what they state; what is free at the start if None.
        needs: What runs take, from a size on.
    """

    workers: int | None = Field(default=None, gt=0)
    gpus: int = Field(default=0, ge=0)
    memory_bytes: Quantity | None = None
    needs: tuple[Needs, ...] = (Needs(),)
    kind: Literal["local"] = "local"


@choice
class Ray:
    """A Ray cluster.

    Attributes:
        address: Of a running one: "auto" on one of its nodes, or "host:6379"; empty: one is started on this
            machine and ends with the sweep.
        workers: Cores of the one that is started here; all if None.
        at_once: Runs handed to the cluster at a time.
        requeues: Times that a run may lose its node before that counts against it as a lost worker does.
        needs: What runs take, from a size on; Ray finds a node that has it.
    """

    address: str = ""
    workers: int | None = Field(default=None, gt=0)
    at_once: int = Field(default=1000, gt=0)
    requeues: int = Field(default=100, ge=0)
    needs: tuple[Needs, ...] = (Needs(),)
    kind: Literal["ray"] = "ray"


@choice
class Slurm:
    """A cluster with Slurm, from a node where sbatch works; the study is on storage that all nodes see.

    Attributes:
        partition, account, qos: As for sbatch; its own defaults if empty.
        minutes: Time limit of a job; needs with minutes have their own. A run that is not done by then saves,
            goes back to the queue and is taken up there.
        warning_seconds: Before the limit, for saving.
        array: Jobs of one array that may run at once.
        requeues: Times that a job may go back to the queue.
        setup: Shell lines before each job, such as "module load cuda".
        options: More options of sbatch by their long names: {exclude = "node7"}.
        poll_seconds: Between looks at the queue.
        needs: What runs take, from a size on.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    minutes: int = Field(default=60, gt=0)
    warning_seconds: int = Field(default=90, gt=0)
    array: int = Field(default=256, gt=0)
    requeues: int = Field(default=100, ge=0)
    setup: tuple[str, ...] = ()
    options: dict[str, str | int | bool] = Field(default_factory=dict)
    poll_seconds: float = Field(default=10.0, gt=0)
    needs: tuple[Needs, ...] = (Needs(),)
    kind: Literal["slurm"] = "slurm"


Place = Annotated[Local | Ray | Slurm, Field(discriminator="kind")]
PLACES: dict[str, type[Local | Ray | Slurm]] = {"local": Local, "ray": Ray, "slurm": Slurm}


def read_place(name: str) -> Local | Ray | Slurm:
    """The place of a name, with its defaults, or that of a file.

    Args:
        name: "local", "ray", "slurm", or the path of a .toml file with a kind and what it asks for.

    Raises:
        UnknownName: If it is neither.
        RecipeError: Naming the key of the file, the rule and the nearest known key.

    >>> read_place("ray").kind
    'ray'
    """
    if name.endswith(".toml"):
        return _from_file(Path(name))
    if name not in PLACES:
        raise UnknownName(
            f"There is no executor '{name}'.{did_you_mean(name, PLACES)} There are: {', '.join(PLACES)}; "
            f"or give a .toml file with a kind and its settings."
        )
    return PLACES[name]()


def _from_file(path: Path) -> Local | Ray | Slurm:
    if not path.is_file():
        raise InputError(f'There is no {path}; write one with kind = "slurm" and its settings.')
    values = read_toml_file(path)
    kind = str(values.get("kind", ""))
    if kind not in PLACES:
        raise UnknownName(
            f"{path} has no executor kind '{kind}'.{did_you_mean(kind, PLACES)} "
            f"There are: {', '.join(PLACES)}."
        )
    return read_choice(PLACES[kind], values, str(path))


def open_executor(place: Local | Ray | Slurm, study: Study, *, trainer: AnyTrainer, runs: int) -> Executor:
    """Begin to make runs at a place.

    Args:
        trainer: What will make them.
        runs: How many there will be, as far as known.

    Raises:
        StudyError: If it cannot be begun: no process, no cluster.
        MissingExtra: If what it needs is not installed.
    """
    match place:
        case Local():
            return _open_local(place, study, trainer, runs)
        case Ray():
            from allometry.sweeps.executors.ray import RayExecutor

            return RayExecutor.open(place, study)
        case Slurm():
            from allometry.sweeps.executors.slurm.executor import SlurmExecutor

            return SlurmExecutor.open(place, study)


def _open_local(place: Local, study: Study, trainer: AnyTrainer, runs: int) -> Executor:
    from allometry.sweeps.executors.local import LocalExecutor
    from allometry.sweeps.executors.machine import Machine, free_memory

    usual = place.workers or place.gpus or os.cpu_count() or 1
    return LocalExecutor(
        workers=max(1, min(usual, runs)),
        log=study.folder / "workers.log",
        trainer=trainer.kind,
        machine=Machine(
            gpus=place.gpus,
            memory_bytes=free_memory() if place.memory_bytes is None else place.memory_bytes,
        ),
    )
