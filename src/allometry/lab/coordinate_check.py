"""Coordinate check: whether activations keep their size as the width grows, early in training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from allometry.architectures.modules.language import LanguageModel
from allometry.errors import InputError
from allometry.lab.data import Batches
from allometry.lab.optimizers import build_optimizer
from allometry.lab.parametrization import at_width, build_model, rate_multipliers
from allometry.lab.steps import Batch, Stepper
from allometry.lab.tokens import TokenData, prepare_tokens
from allometry.recipe import Constant, Recipe

# Slopes that go to 0 with the width under muP. In the standard parametrization that of the logits, and with
# Adam or SGD that of what hidden matrices put out, is 1. At widths of some dozens the output of matrices that
# start at zero still shrinks, at slopes down to -0.55: what random vectors have in common by chance does.
GROWTH = 0.45
SHRINKAGE = 0.65


@dataclass(frozen=True, kw_only=True)
class CoordinateCheck:
    """Sizes of activations by module, width and step.

    Attributes:
        table: Columns `module` (its path in the model), `width`, `step` (0 before training), `size` (root
            mean square of its output on a fixed batch) and `change` (the same of the output less the one at
            step 0); means over the seeds.

    Source:
        Yang et al. 2022, appendix D.1, arXiv:2203.03466.
    """

    table: pd.DataFrame

    def slopes(self, step: int | None = None) -> pd.DataFrame:
        """How sizes follow the width: columns `module` and `slope`, of log change in log width.

        Args:
            step: After how many steps; the last if None.

        Returns:
            One row a module, largest slope first. The change is what training makes of an activation: its
            random start, which is the same in every parametrization, does not cover it.
        """
        last = self.table["step"].max() if step is None else step
        rows = self.table[(self.table["step"] == last) & (self.table["change"] > 0)]
        slopes = [(module, _slope(seen["width"], seen["change"])) for module, seen in rows.groupby("module")]
        made = pd.DataFrame(slopes, columns=["module", "slope"])
        return made.sort_values("slope", ascending=False, ignore_index=True)

    def drifting(self, *, growth: float = GROWTH, shrinkage: float = SHRINKAGE) -> list[str]:
        """Modules whose activations follow the width, the fastest growing first.

        Args:
            growth, shrinkage: The slopes, up and down, that are not yet called so.
        """
        slopes = self.slopes()
        return list(slopes.loc[~slopes["slope"].between(-shrinkage, growth), "module"])

    def describe(self) -> str:
        """A line a module in the order of the forward pass: change at each width, slope, whether it drifts.

        >>> rows = [("head", 16, 1, 0.5, 0.25), ("head", 64, 1, 2.0, 1.0)]
        >>> columns = ["module", "width", "step", "size", "change"]
        >>> print(CoordinateCheck(table=pd.DataFrame(rows, columns=columns)).describe())
        change of activations after 1 steps
        module         16        64  slope
        head         0.25         1  +1.00  drifts
        """
        last = self.table["step"].max()
        changes = self.table[self.table["step"] == last].pivot(
            index="module", columns="width", values="change"
        )
        slopes, drifting = self.slopes().set_index("module")["slope"], set(self.drifting())
        longest = max(map(len, changes.index))
        head = "".join(f"{width:>10}" for width in changes.columns)
        lines = [f"change of activations after {last} steps", f"{'module':<{longest}}{head}  slope"]
        for module in self.table["module"].unique():
            if module in slopes:
                sizes = "".join(f"{change:>10.3g}" for change in changes.loc[module])
                drifts = "  drifts" if module in drifting else ""
                lines.append(f"{module:<{longest}}{sizes}  {slopes[module]:+.2f}{drifts}")
        return "\n".join(lines)


def coordinate_check(
    recipe: Recipe,
    widths: Sequence[int],
    *,
    steps: int = 5,
    seeds: int = 2,
    text: TokenData | None = None,
) -> CoordinateCheck:
    """Train a recipe for a few steps at several widths and measure all activations.

    The rate is the peak from the first step on: what a warmup hides is what the check is for.

    Args:
        widths: At least two. Heads are added with the width, or widened where `base_head_width` is stated.
        seeds: Initialisations at each width, from the recipe's seed on.
        text: The recipe's text, if it is at hand already.

    Raises:
        InputError: For less than two widths, or no step.
    """
    if len(set(widths)) < 2 or steps < 1 or seeds < 1:
        raise InputError(
            f"A coordinate check compares at least two widths over at least one step and seed, not widths "
            f"{', '.join(map(str, widths))} over {steps} steps and {seeds} seeds."
        )
    data = text or prepare_tokens(recipe.data)
    rows = [
        row
        for width in widths
        for seed in range(recipe.seed, recipe.seed + seeds)
        for row in _sizes(replace(at_width(recipe, width), seed=seed), steps, data)
    ]
    table = pd.DataFrame(rows).groupby(["module", "width", "step"], sort=False, as_index=False).mean()
    return CoordinateCheck(table=table)


def _sizes(recipe: Recipe, steps: int, data: TokenData) -> Iterator[dict[str, Any]]:
    """Rows of one model: every module after every step."""
    context, width = recipe.architecture.context, recipe.architecture.dimensions()["width"]
    batches = data.batches(context=context, batch_tokens=recipe.batch_tokens, seed=recipe.seed)
    tokens = steps * recipe.batch_tokens
    steady = replace(recipe, schedule=Constant(), tokens=tokens, parent="", start=None, distill=None)
    model = build_model(steady)
    stepper = Stepper(steady, model, build_optimizer(model, steady.optimizer, rate_multipliers(steady)))
    probe = _windows(batches, steps).inputs_BT  # of a step that is not taken
    first = _activations(model, probe)
    for step in range(steps + 1):
        for module, output in _activations(model, probe).items():
            sizes = {"size": _root_mean_square(output), "change": _root_mean_square(output - first[module])}
            yield {"module": module, "width": width, "step": step, **sizes}
        if step < steps:
            stepper.take(step, _windows(batches, step))


def _windows(batches: Batches, step: int) -> Batch:
    return Batch.of_windows(torch.from_numpy(batches.batch(step)))


@torch.no_grad()
def _activations(model: LanguageModel, tokens_BT: Tensor) -> dict[str, Tensor]:
    """Outputs of all modules that have one for every token, in the order of the forward pass."""
    outputs: dict[str, Any] = {}
    with _watched(model, outputs):
        model(tokens_BT)
    return {
        name: output
        for name, output in outputs.items()
        if isinstance(output, Tensor) and output.shape[:2] == tokens_BT.shape
    }


@contextmanager
def _watched(model: nn.Module, outputs: dict[str, Any]) -> Iterator[None]:
    def watch(name: str, module: nn.Module) -> Any:
        def keep(_: nn.Module, __: Any, output: Any) -> None:
            # Recurrent layers give their last state beside the output.
            outputs[name] = output[0] if isinstance(output, tuple) else output

        return module.register_forward_hook(keep)

    parts: Mapping[str, nn.Module] = dict(model.named_modules(remove_duplicate=False))
    hooks = [watch(name, part) for name, part in parts.items() if name and not isinstance(part, nn.Identity)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _root_mean_square(values: Tensor) -> float:
    return math.sqrt(float(values.double().square().mean()))


def _slope(widths: pd.Series, sizes: pd.Series) -> float:
    return float(np.polyfit(np.log(widths), np.log(sizes), 1)[0])
