"""`train`: one recipe to one run; exactly resumable, divergence is a result."""

from __future__ import annotations

import tempfile
from dataclasses import replace

import torch

from allometry.lab.devices import open_device
from allometry.lab.interruption import heeding_signals
from allometry.lab.lineage import require_ancestors
from allometry.lab.memory import require_memory
from allometry.lab.sitting import Progress, Sitting
from allometry.lab.tokens import TokenData, prepare_tokens
from allometry.lab.training import Training
from allometry.recipe import Recipe
from allometry.runs.claiming import claimed
from allometry.runs.run import FINISHED, Run
from allometry.runs.study import Study

__all__ = ["Progress", "Sitting", "train"]


def train(
    recipe: Recipe,
    *,
    study: Study | None = None,
    device: str = "cpu",
    sitting: Sitting | None = None,
    text: TokenData | None = None,
) -> Run:
    """Train a recipe, or take up where an earlier sitting or its trunk left off.

    A run that is done or has diverged is not trained again: it is returned as the study has it. SIGINT and
    SIGTERM save a checkpoint, record the run as stopped, and then take their usual course.

    Args:
        study: Where the run's folder is; a temporary one if none is given.
        device: "cpu", "cuda", "cuda:1" …; bits are reproducible per device and thread count.
        sitting: How to train.
        text: The recipe's text, if it is at hand already; read, or taken from the cache, if None.

    Returns:
        The run: done, diverged (kept, with the last good step) or stopped. It is saved in the study.

    Raises:
        CorruptFile: If the checkpoint to resume from is damaged.
        StudyError: If the study cannot be written, or the run was begun with other text.
        StudyBusy: If another process is training the run, or took it up while this one gave no sign of life.
        InputError: If the text is too short for the recipe, the model or a single sequence does not fit the
            memory, or there is no such device.
        RecipeError: If a run that this one builds on is not done, or does not fit.
    """
    if study is None:
        with tempfile.TemporaryDirectory() as folder:
            return train(recipe, study=Study.create(folder, ""), device=device, sitting=sitting, text=text)
    place = open_device(device)
    chosen = sitting or Sitting()
    with claimed(study.run_folder(recipe.run_id), patience=chosen.patience) as claim:
        ended = study.run(recipe.run_id)
        if ended is not None and ended.status in FINISHED:
            return ended
        require_ancestors(recipe, study)
        require_memory(recipe, place)
        data = text or prepare_tokens(recipe.data)
        return _train(recipe, study, place, replace(chosen, confirm=claim.confirm), data)


def _train(recipe: Recipe, study: Study, device: torch.device, sitting: Sitting, data: TokenData) -> Run:
    accelerators = [device] if device.type == "cuda" else []
    with heeding_signals() as interrupted, torch.random.fork_rng(accelerators):
        torch.manual_seed(recipe.seed)
        training = Training.begin(recipe, study, device, sitting, data, interrupted)
        run = training.finish(training.advance())
        sitting.confirm()
        study.save_run(run)
    return run
