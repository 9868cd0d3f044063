"""The lab of this package as a trainer."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from allometry.errors import MissingExtra, StudyError
from allometry.files import write_atomically
from allometry.recipe import Data, Recipe, choice
from allometry.runs.run import Run
from allometry.runs.study import Study
from allometry.sweeps.executors.events import Advanced, Died, Ended
from allometry.sweeps.trainers.curve import CurveReader
from allometry.sweeps.trainers.placing import visible
from allometry.sweeps.trainers.processes import Ending, supervised
from allometry.sweeps.trainers.watch import Watch

if TYPE_CHECKING:
    from allometry.lab.loop import Progress
    from allometry.lab.sitting import Sitting
    from allometry.lab.tokens import TokenData
    from allometry.sweeps.executors.definition import Job

_GRACE = 60.0  # seconds that torchrun's processes have to save their run


@choice
class Lab:
    """Recipes are trained by `allometry.lab`: exactly resumable, and branches start from their trunks.

    Attributes:
        replicas: Train small models of one shape, such as the learning-rate checks or the seeds of a size, in
            shared passes. Each run then equals the one trained alone to rounding, not to the last bit, and
            which runs share a pass depends on what is ready when a worker is free: a sweep that is made
            twice does not come out the same to the last bit.
    """

    kind: Literal["lab"] = "lab"
    replicas: bool = False

    @property
    def branches(self) -> bool:
        """Whether it takes up a run from a checkpoint of another."""
        return True

    @property
    def shares_passes(self) -> bool:
        """Whether a job may have siblings."""
        return self.replicas

    def require(self, recipes: Sequence[Recipe], *, device: str, directory: str) -> None:
        """Refuse before anything is started.

        Raises:
            MissingExtra: If PyTorch or tokenizers are not installed.
            InputError: If there is no such device.
        """
        needed = ("torch", "tokenizers", "safetensors")
        missing = [name for name in needed if importlib.util.find_spec(name) is None]
        if missing:
            raise MissingExtra(f"Training needs {', '.join(missing)}. Run: pip install 'allometry[lab]'")
        if device != "cpu":  # which is always there; asking for another loads PyTorch
            from allometry.lab.devices import open_device

            open_device(device)

    def prepare(self, study: Study, recipes: Sequence[Recipe]) -> None:
        """Encode the text before the workers ask for it, and hold the study to the text it was begun with.

        Raises:
            StudyError: If the study was begun with other text.
        """
        for data in {recipe.data: None for recipe in recipes}:
            _settle_text(study, data)

    @staticmethod
    def warm_up() -> None:
        """Load what every run needs, while the sweep still reads the text."""
        from allometry.lab import loop  # noqa: F401  seconds that the first run need not wait
        from allometry.lab.devices import use_threads

        use_threads(1)

    def make(self, job: Job, watch: Watch) -> Ended | Died:
        """Train the run of a job, in this process or, with torchrun, in several.

        Raises:
            As `train`.
        """
        return _over_processes(job, watch) if job.needs.processes > 1 else _here(job, watch)


def _here(job: Job, watch: Watch) -> Ended:
    from allometry.lab.devices import use_threads
    from allometry.lab.sitting import Sitting

    use_threads(job.needs.threads)
    sitting = Sitting(
        keep_steps=job.keep_steps,
        stop_after=job.stop_after,
        checkpoint_seconds=job.checkpoint_seconds,
        on_progress=lambda progress: watch.tell(_advanced(progress)),
        should_stop=watch.should_stop,
        design=job.design,
        patience=watch.patience,
    )
    run = _trained(job, sitting)
    return Ended(run_id=run.run_id, status=run.status, reason=run.reason)


def _trained(job: Job, sitting: Sitting) -> Run:
    """The run of a job; its siblings' are in the study."""
    from allometry.lab.loop import train
    from allometry.lab.replicas import train_replicas

    study, text, device = Study.open(job.study), _text(job.recipe.data), _device(job)
    if not job.siblings:
        return train(job.recipe, study=study, device=device, sitting=sitting, text=text)
    recipes = [job.recipe, *job.siblings]
    return train_replicas(recipes, study=study, device=device, sitting=sitting, text=text)[0]


def _device(job: Job) -> str:
    if job.gpus:
        return f"cuda:{job.gpus[0]}"
    return "cuda" if job.needs.gpus else job.device  # a cluster shows a run its own accelerators only


def _advanced(progress: Progress) -> Advanced:
    return Advanced(
        run_id=progress.run_id,
        tokens=progress.tokens,
        loss=progress.loss,
        tokens_per_second=progress.tokens_per_second,
    )


def _over_processes(job: Job, watch: Watch) -> Ended | Died:
    study = Study.open(job.study)
    folder = study.run_folder(job.run_id)
    write_atomically(folder / "recipe.toml", job.recipe.to_toml())
    curve = CurveReader(folder, job.run_id)
    ending = supervised(
        _torchrun(job, folder / "recipe.toml"),
        folder=folder,
        directory=job.directory,
        settings={"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": str(job.needs.threads), **visible(job)},
        should_stop=watch.should_stop,
        tick=lambda: curve.tell(watch),
        grace=_GRACE,
    )
    return _outcome(ending, study, job)


def _torchrun(job: Job, recipe: Path) -> list[str]:
    options = {
        "--study": job.study,
        "--sharding": job.needs.sharding,
        "--device": _device(job).partition(":")[0],
        "--design": job.design,
        "--keep-steps": ",".join(map(str, job.keep_steps)),
        "--stop-after": str(job.stop_after),
        "--checkpoint-seconds": str(job.checkpoint_seconds),
    }
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    given = [word for option in options.items() for word in option]
    return [*launcher, str(job.needs.processes), "-m", "allometry.lab.distributed", str(recipe), *given]


def _outcome(ending: Ending, study: Study, job: Job) -> Ended | Died:
    run = study.run(job.run_id)
    if run is not None and (ending.code == 0 or (ending.stopped and run.status == "stopped")):
        return Ended(run_id=job.run_id, status=run.status, reason=run.reason)
    reason = f"its processes {ending.described}: {ending.last_words}"
    return Died(run_id=job.run_id, by_signal=ending.code < 0, reason=reason)


def _settle_text(study: Study, data: Data) -> None:
    from allometry.lab.tokens import prepare_tokens

    tokens = prepare_tokens(data)
    described = json.dumps(asdict(data), sort_keys=True)
    path = study.folder / "data" / f"{hashlib.sha256(described.encode()).hexdigest()[:12]}.json"
    if not path.exists():
        write_atomically(path, json.dumps({"data_hash": tokens.data_hash, **tokens.record}, indent=1) + "\n")
        return
    begun = json.loads(path.read_text())
    if begun["data_hash"] != tokens.data_hash:
        raise StudyError(
            f"{study.folder} was begun with other text ({begun['origin']}) than there is now "
            f"({tokens.record['origin']}): its runs would not compare. Choose another folder."
        )


@lru_cache(maxsize=4)
def _text(data: Data) -> TokenData:
    """Read and hash the files once a worker, not once a run."""
    from allometry.lab.tokens import prepare_tokens

    return prepare_tokens(data)
