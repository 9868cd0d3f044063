"""`Recipe`: all that determines one training run. TOML in and out; its content hash is its identity."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Literal

import tomli_w
from pydantic import BeforeValidator, Field

from allometry.architectures import AnyArchitecture
from allometry.architectures.dials import with_dimensions
from allometry.errors import RecipeError
from allometry.recipe.choices import choice, read_choice, spelled_out
from allometry.recipe.data import Data
from allometry.recipe.lineage import Distill, Start
from allometry.recipe.optimizers import Optimizer
from allometry.recipe.parametrization import Parametrization, Standard, require_heads
from allometry.recipe.precision import Precision, SpelledPrecision
from allometry.recipe.schedules import Constant, Schedule, Wsd
from allometry.recipe.sources import Source
from allometry.recipe.tasks import TaskProblems

Measure = Literal["norms", "noise_scale"]
_FORMAT = 1  # part of the identity: raise it when the meaning of a default changes


@choice
class Recipe:
    """All that determines one training run: the same recipe on the same machine gives the same bits.

    Attributes:
        architecture: In TOML, `depth` or `size` may stand for its dimensions: `architectures.dials`. The
            identity is that of the dimensions.
        tokens: Budget; a multiple of batch_tokens.
        batch_tokens: Tokens per optimizer step; a multiple of the context.
        seed: Of initialisation and data order.
        parent: run_id of the trunk this run branches off; empty from scratch. A branch equals the
            run that was trained straight, bit for bit; it only skips the part it shares.
        parametrization: How rates, weights and scores follow the width.
        precision: In how many bits the run computes.
        start: The run whose weights this one begins with; drawn from the seed if left out.
        distill: The run whose predictions this one learns from; none if left out.
        evaluations: Held-out losses a doubling of the steps, along the curve; 0 for one at the end only. They
            change no bit of the training, and are a choice of the recipe because a run's curve, which fits
            may read, must follow from its recipe alone.
        measures: What else is in the curve, for the same reason a choice of the recipe. "norms": of gradient,
            weights and update, and the sizes of activations. "noise_scale": the gradient noise scale, where
            a larger batch stops paying, at log-spaced steps.

    >>> from allometry.architectures import Transformer
    >>> from allometry.recipe import AdamW, Bpe, Data, StandardLibrary
    >>> recipe = Recipe(
    ...     architecture=Transformer(vocab=1024, context=128, width=32, layers=2, heads=2),
    ...     optimizer=AdamW(learning_rate=0.01), schedule=Wsd(),
    ...     data=Data(corpus=StandardLibrary(bytes=4_000_000), tokenizer=Bpe(vocab=1024)),
    ...     tokens=262_144, batch_tokens=1024)
    >>> recipe.steps, f"{recipe.flops():.3g}"
    (256, '9.02e+10')
    >>> Recipe.from_toml(recipe.to_toml()) == recipe
    True
    """

    architecture: Annotated[AnyArchitecture, BeforeValidator(with_dimensions)]
    optimizer: Optimizer
    schedule: Schedule
    data: Data
    tokens: int = Field(gt=0)
    batch_tokens: int = Field(gt=0)
    seed: int = Field(default=0, ge=0)
    parent: str = ""
    parametrization: Parametrization = Standard()
    precision: SpelledPrecision = Precision()
    start: Start | None = None
    distill: Distill | None = None
    evaluations: int = Field(default=0, ge=0, le=64)
    measures: tuple[Measure, ...] = ()

    def __post_init__(self) -> None:
        _require_multiple("tokens", self.tokens, "batch_tokens", self.batch_tokens)
        _require_multiple("batch_tokens", self.batch_tokens, "context", self.architecture.context)
        if self.data.tokenizer.vocab != self.architecture.vocab:
            raise RecipeError(
                f"The tokenizer has {self.data.tokenizer.vocab} tokens and the architecture "
                f"{self.architecture.vocab}; set both vocab to the same number."
            )
        if self.parent and not isinstance(self.schedule, Wsd):
            raise RecipeError(
                f"Only a wsd schedule branches off a trunk: leave out parent = '{self.parent}'."
            )
        _require_whole_problems(self.data.corpus, self.architecture.context)
        require_heads(self.parametrization, self.architecture.dimensions())
        if self.warmup_steps > self.trunk_steps:
            raise RecipeError(
                f"The warmup takes {self.warmup_steps} steps and the run has {self.trunk_steps} before its "
                f"decay begins; give a shorter warmup or more tokens."
            )

    @cached_property
    def run_id(self) -> str:
        """The content hash: 12 hexadecimal digits. A choice left at its default is not part of it.

        So a new choice, whose default is what was done before, changes no recipe's identity.
        """
        content = spelled_out(self, defaults=False) | {"format": _FORMAT}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return self.tokens // self.batch_tokens

    @property
    def warmup_steps(self) -> int:
        """Steps of the linear warmup."""
        if self.schedule.warmup_fraction:
            return round(self.schedule.warmup_fraction * self.steps)
        return self.schedule.warmup_tokens // self.batch_tokens

    @property
    def ancestors(self) -> tuple[str, ...]:
        """Runs that must be done before this one can begin; a branch needs no trunk, only saves by it."""
        start = [] if self.start is None else [self.start.run]
        return (*start, *([] if self.distill is None else [self.distill.teacher]))

    @property
    def trunk_steps(self) -> int:
        """Steps before the decay begins: where a branch leaves its trunk."""
        if not isinstance(self.schedule, Wsd):
            return self.steps
        return self.steps - max(1, round(self.schedule.decay_fraction * self.steps))

    def flops(self) -> float:
        """Training compute in FLOP under the `matmul` convention."""
        return self.architecture.flops_per_token("matmul") * self.tokens

    def trunk(self) -> Recipe:
        """The constant-rate run that this decayed run can branch off.

        Raises:
            RecipeError: If the schedule is not WSD, or decays from the first step on.
        """
        if not isinstance(self.schedule, Wsd):
            raise RecipeError(f"Only a wsd schedule has a trunk, not {self.schedule.kind}.")
        if self.trunk_steps == 0:
            raise RecipeError(
                f"A run of {self.steps} steps with decay_fraction {self.schedule.decay_fraction} decays from "
                f"the start and has no trunk; give it more tokens or a smaller decay_fraction."
            )
        # In tokens, because the same share of the shorter trunk would be a shorter warmup.
        warmup_tokens = self.schedule.warmup_tokens or self.warmup_steps * self.batch_tokens
        constant = Constant(warmup_tokens=warmup_tokens)
        return replace(self, schedule=constant, tokens=self.trunk_steps * self.batch_tokens, parent="")

    def to_toml(self) -> str:
        """The recipe as TOML, every choice spelled out."""
        return tomli_w.dumps(spelled_out(self))

    @classmethod
    def from_toml(cls, text: str, name: str = "the recipe") -> Recipe:
        """Read a recipe.

        Raises:
            RecipeError: Naming the key, the rule and the nearest known key.
        """
        try:
            return read_choice(cls, tomllib.loads(text), name)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{name} is not valid TOML: {error}.") from error


def _require_whole_problems(source: Source, context: int) -> None:
    if isinstance(source, TaskProblems) and context % source.block:
        nearest = max(1, round(context / source.block)) * source.block
        raise RecipeError(
            f"A problem of the task '{source.task.kind}' has {source.block} tokens, and a context of "
            f"{context} cuts some in two; the nearest context that does not is {nearest}."
        )


def _require_multiple(name: str, value: int, of: str, unit: int) -> None:
    if value % unit:
        nearest = max(1, round(value / unit)) * unit
        raise RecipeError(
            f"{name} must be a multiple of {of} ({unit}), not {value}; the nearest is {nearest}."
        )
