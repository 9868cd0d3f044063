"""How weights start, and how rates, logits and scores follow the width, by the roles a model tags."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from allometry.architectures.modules.language import LanguageModel
from allometry.architectures.modules.roles import Kind, Role, roles_of
from allometry.lab.optimizers import UNSCALED
from allometry.recipe import AdamW, Muon, MuP, Recipe, Sgd

_SMALL = 0.02  # of embeddings and the head: the first loss is ln(vocab) within a few hundredths


def build_model(recipe: Recipe) -> LanguageModel:
    """The model of a recipe as it is before the first step, on the CPU.

    >>> from allometry.architectures import Transformer
    >>> from allometry.recipe import Bpe, Constant, Data, StandardLibrary
    >>> recipe = Recipe(
    ...     architecture=Transformer(vocab=300, context=16, width=32, layers=1, heads=1),
    ...     optimizer=AdamW(learning_rate=0.01), schedule=Constant(), parametrization=MuP(base_width=16),
    ...     data=Data(corpus=StandardLibrary(bytes=100_000), tokenizer=Bpe(vocab=300)),
    ...     tokens=64, batch_tokens=64)
    >>> build_model(recipe).logit_scale
    0.5
    """
    model = recipe.architecture.build()
    assert isinstance(model, LanguageModel), f"{type(model).__name__} is no LanguageModel"
    initialize(model, torch.Generator().manual_seed(recipe.seed))
    if isinstance(recipe.parametrization, MuP):
        model.logit_scale = 1 / _wider(recipe, recipe.parametrization)
        _scale_scores(model, recipe.parametrization.base_head_width)
    return model


def at_width(recipe: Recipe, width: int) -> Recipe:
    """The recipe with a wider or narrower model; heads keep their width, or their number under wider heads.

    >>> from allometry.architectures import Transformer
    >>> from allometry.recipe import AdamW, Bpe, Constant, Data, StandardLibrary
    >>> recipe = Recipe(
    ...     architecture=Transformer(vocab=300, context=16, width=32, layers=1, heads=2),
    ...     optimizer=AdamW(learning_rate=0.01), schedule=Constant(),
    ...     data=Data(corpus=StandardLibrary(bytes=100_000), tokenizer=Bpe(vocab=300)),
    ...     tokens=64, batch_tokens=64)
    >>> at_width(recipe, 128).architecture.dimensions()["heads"]
    8
    """
    shape: Any = recipe.architecture  # a dataclass of one kind or another
    changes: dict[str, Any] = {"width": width}
    keeps_heads = isinstance(recipe.parametrization, MuP) and recipe.parametrization.base_head_width
    if "heads" in {field.name for field in fields(shape)} and not keeps_heads:
        known = shape.dimensions()
        changes["heads"] = max(1, round(known["heads"] * width / known["width"]))
    return replace(recipe, architecture=replace(shape, **changes))


@torch.no_grad()
def initialize(model: nn.Module, generator: torch.Generator) -> None:
    """Set all weights from a generator, in the order of the model's parameters.

    Random matrices keep the variance of their input.
    """
    roles = roles_of(model)
    for name, weight in model.named_parameters():
        _start(weight, roles[name], generator)


def rate_multipliers(recipe: Recipe) -> Mapping[Kind, float]:
    """What each kind of parameter multiplies the learning rate of the recipe by.

    Source:
        Yang et al. 2022, table 8, arXiv:2203.03466; for Muon see `MuP`.
    """
    if not isinstance(recipe.parametrization, MuP):
        return UNSCALED
    wider = _wider(recipe, recipe.parametrization)
    match recipe.optimizer:
        case AdamW():
            return {**UNSCALED, "hidden": 1 / wider}
        case Sgd():
            return {**dict.fromkeys(UNSCALED, wider), "hidden": 1.0}
        case Muon(adjustment="original"):
            return UNSCALED
        case Muon():
            return {**UNSCALED, "hidden": 1 / math.sqrt(wider)}


def _wider(recipe: Recipe, parametrization: MuP) -> float:
    return recipe.architecture.dimensions()["width"] / parametrization.base_width


def _scale_scores(model: nn.Module, base_head_width: int | None) -> None:
    """Let scores of attention fall with the width of a head, not with its root."""
    if base_head_width is None:
        return
    for module in model.modules():
        head_width = getattr(module, "head_width", None)
        if hasattr(module, "scale") and head_width not in (None, base_head_width):
            module.scale = math.sqrt(base_head_width) / head_width


def _start(weight: Tensor, role: Role, generator: torch.Generator) -> None:
    match role.start:
        case "zeros":
            weight.zero_()
        case "ones":
            weight.fill_(1.0)
        case "random":
            small = role.kind in ("embedding", "head")
            weight.normal_(std=_SMALL if small else weight.shape[-1] ** -0.5, generator=generator)
        case "set":
            pass
