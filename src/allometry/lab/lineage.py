"""Runs that others begin with or learn from: found in the study, checked, loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from allometry.architectures.modules.language import LanguageModel
from allometry.errors import CorruptFile, RecipeError
from allometry.lab.checkpoints import Checkpoint, load_checkpoint, newest_step, restore_model, restore_tensors
from allometry.lab.distillation import Distillation
from allometry.lab.parametrization import build_model
from allometry.lab.rounding import round_weights
from allometry.lab.steps import Objective, next_token
from allometry.recipe import Bpe, Continue, FineTune, Recipe
from allometry.runs.run import Run
from allometry.runs.study import Study


@dataclass(frozen=True, kw_only=True)
class Ancestor:
    """A finished run that another one builds on.

    Attributes:
        run: As it was measured.
        checkpoint: Its last one.
    """

    recipe: Recipe
    run: Run
    checkpoint: Checkpoint


def find_ancestor(study: Study, run_id: str, *, purpose: str) -> Ancestor:
    """A finished run of the study with its last checkpoint.

    Args:
        purpose: What it is for, as a message says it: "to start from".

    Raises:
        RecipeError: If it is not in the study, not done, or its last checkpoint was deleted.
        CorruptFile: If a file of it is damaged.
    """
    recipe, run = _finished(study, run_id, purpose)
    folder = study.run_folder(run_id)
    try:
        checkpoint = load_checkpoint(folder / "checkpoints", recipe.steps)
    except CorruptFile as error:  # whose way out is that of a run in training: an earlier checkpoint
        raise CorruptFile(
            f"The last checkpoint of run {run_id} {purpose} is damaged. Delete {folder} and train the run "
            f"again."
        ) from error
    return Ancestor(recipe=recipe, run=run, checkpoint=checkpoint)


def require_ancestors(recipe: Recipe, study: Study) -> None:
    """Refuse a run that builds on one that is not there, before anything is computed.

    Raises:
        RecipeError: As `find_ancestor`.
    """
    for run_id in recipe.ancestors:
        _finished(study, run_id, "to build on")


def _finished(study: Study, run_id: str, purpose: str) -> tuple[Recipe, Run]:
    folder = study.run_folder(run_id)
    run = study.run(run_id)
    if run is None or not (folder / "recipe.toml").exists():
        raise RecipeError(
            f"There is no run {run_id} {purpose} in {study.folder}. Train it there first, in the same study."
        )
    if run.status != "done":
        raise RecipeError(f"Run {run_id} {purpose} is {run.status}, not done: {run.reason}.")
    recipe = Recipe.from_toml((folder / "recipe.toml").read_text(), str(folder / "recipe.toml"))
    if newest_step(folder / "checkpoints", recipe.steps) != recipe.steps:
        raise RecipeError(
            f"The last checkpoint of run {run_id} {purpose} was deleted. Bring it back, or delete {folder} "
            f"and train the run again."
        )
    return recipe, run


@dataclass(frozen=True, kw_only=True)
class Inheritance:
    """What a run begins with, besides its recipe.

    Attributes:
        first_step: Of its data: how many batches the runs before it have taken.
        facts: Columns that say where it comes from; they stand above those that follow from the recipe.
    """

    first_step: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


FROM_SCRATCH = Inheritance()


def inherit(
    recipe: Recipe,
    study: Study,
    model: LanguageModel,
    optimizer: torch.optim.Optimizer,
) -> Inheritance:
    """Give a model the weights its recipe says it starts from, and an optimizer its state if it goes on.

    Raises:
        RecipeError: If the parent cannot be started from, or does not fit.
        CorruptFile: If its checkpoint is damaged.
    """
    match recipe.start:
        case None:
            return FROM_SCRATCH
        case FineTune(run=run_id):
            parent = find_ancestor(study, run_id, purpose="to start from")
            _require_same_tokens(parent, recipe)
            _require_same_shape(model, parent)
            restore_model(model, parent.checkpoint.tensors)
            return Inheritance(facts=_fine_tuned_facts(recipe, parent))
        case Continue(run=run_id):
            parent = find_ancestor(study, run_id, purpose="to go on from")
            _require_continuation(recipe, parent.recipe)
            restore_tensors(model, optimizer, parent.checkpoint.tensors)
            before = parent.checkpoint.notes["inheritance"]["first_step"]
            return Inheritance(
                first_step=before + parent.recipe.steps, facts=_continued_facts(recipe, parent)
            )


def _fine_tuned_facts(recipe: Recipe, parent: Ancestor) -> dict[str, Any]:
    return {
        "parent": parent.run.run_id,
        "finetune_tokens": recipe.tokens,
        "pretraining_tokens": parent.run.values["tokens"],
    }


def _continued_facts(recipe: Recipe, parent: Ancestor) -> dict[str, Any]:
    before, shape = parent.run.values, recipe.architecture
    tokens = before["tokens"] + recipe.tokens
    return {
        "parent": parent.run.run_id,
        "tokens": tokens,
        "epochs": tokens / before["unique_tokens"],
        "flops": before["flops"] + recipe.flops(),
        "flops_with_attention": before["flops_with_attention"]
        + shape.flops_per_token("with_attention") * recipe.tokens,
    }


def _require_continuation(recipe: Recipe, parent: Recipe) -> None:
    kept = ("architecture", "parametrization", "data", "batch_tokens", "seed")
    differing = [name for name in kept if getattr(recipe, name) != getattr(parent, name)]
    if type(recipe.optimizer) is not type(parent.optimizer):
        differing.append("the kind of optimizer")
    if differing:
        raise RecipeError(
            f"Run {recipe.run_id} cannot go on from {parent.run_id}: they differ in {', '.join(differing)}. "
            f'Keep what they share, or begin anew from its weights with kind = "fine_tune".'
        )


def _require_same_shape(model: LanguageModel, parent: Ancestor) -> None:
    there = {
        name.removeprefix("model."): tuple(tensor.shape)
        for name, tensor in parent.checkpoint.tensors.items()
        if name.startswith("model.")
    }
    here = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if there != here:
        raise RecipeError(
            f"The architecture differs from that of run {parent.run.run_id}, whose weights it is to start "
            f"from, in {_differences(here, there)}; take the parent's."
        )


def _differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    shown = [f"{name} ({here.get(name, 'none')}, not {there.get(name, 'none')})" for name in names[:3]]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _require_same_tokens(ancestor: Ancestor, recipe: Recipe) -> None:
    """A token id must mean the same to both: a tokenizer trained on other text is another tokenizer."""
    there, here = ancestor.recipe.data, recipe.data
    trained = ("corpus", "steps", "held_out") if isinstance(here.tokenizer, Bpe) else ()
    if any(getattr(there, name) != getattr(here, name) for name in ("tokenizer", *trained)):
        raise RecipeError(
            f"The tokens of this run are not those of run {ancestor.run.run_id}, which it builds on: a "
            f"{there.tokenizer.kind} of one text and a {here.tokenizer.kind} of another. Train both with the "
            f"same tokenizer_file, or with utf8_bytes."
        )


def choose_objective(recipe: Recipe, study: Study, device: torch.device) -> Objective:
    """What a run minimises: the next token's cross-entropy, and a teacher's predictions if it has one.

    Raises:
        RecipeError: If the teacher cannot be learnt from, or does not fit.
        CorruptFile: If its checkpoint is damaged.
    """
    if recipe.distill is None:
        return next_token
    teacher = find_ancestor(study, recipe.distill.teacher, purpose="to learn from")
    _require_same_tokens(teacher, recipe)
    reach, context = teacher.recipe.architecture.context, recipe.architecture.context
    if reach < context:
        raise RecipeError(
            f"The teacher {teacher.run.run_id} reads {reach} tokens and this run {context}; "
            f"set context to at most {reach}."
        )
    return Distillation(
        load_model(teacher).to(device).requires_grad_(False),
        temperature=recipe.distill.temperature,
        share=recipe.distill.share,
    )


def teacher_facts(recipe: Recipe, study: Study) -> dict[str, Any]:
    """Columns of a run that has a teacher, whose forward passes stand apart from the run's `flops`."""
    if recipe.distill is None:
        return {}
    teacher = study.run_folder(recipe.distill.teacher) / "recipe.toml"
    forward = Recipe.from_toml(teacher.read_text()).architecture.flops_per_token("matmul") / 3
    return {"teacher": recipe.distill.teacher, "teacher_flops": forward * recipe.tokens}


def load_model(ancestor: Ancestor) -> LanguageModel:
    """The model of a finished run as it was scored, on the CPU: in few bits if it was trained so."""
    model = build_model(ancestor.recipe)
    restore_model(model, ancestor.checkpoint.tensors)
    if ancestor.recipe.precision.weight_bits is not None:
        round_weights(model, ancestor.recipe.precision.weight_bits)
    return model.eval()
