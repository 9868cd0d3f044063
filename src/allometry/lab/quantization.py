"""What a finished run loses when its weights are rounded to few bits, without training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import torch

from allometry.architectures.modules.roles import Kind
from allometry.errors import InputError
from allometry.lab.devices import open_device
from allometry.lab.evaluate import HeldOut, evaluate
from allometry.lab.lineage import Ancestor, find_ancestor, load_model
from allometry.lab.precision import Arithmetic
from allometry.lab.rounding import HIDDEN_MATRICES, round_weights
from allometry.lab.tokens import prepare_tokens
from allometry.recipe.facts import recipe_facts
from allometry.runs.run import Run
from allometry.runs.study import Study

DESIGN = "quantization"


def quantize(
    study: Study,
    run_id: str,
    *,
    bits: Sequence[int] = (8, 6, 5, 4, 3, 2),
    kinds: Sequence[Kind] = HIDDEN_MATRICES,
    device: str = "cpu",
) -> list[Run]:
    """Score a finished run with its weights rounded to the nearest, each output channel to its own grid.

    Args:
        bits: From 2 to 8; each makes one row.
        kinds: Roles of the parameters that are rounded: hidden matrices; add "embedding" and "head" to round
            all matrices. Vectors have too few values to matter.
        device: "cpu", "cuda", …

    Returns:
        One row for each of `bits`, saved in the study with its `parent`, `quantized_bits` and the design
        "quantization". A row is no training: leave it out of fits of those with .where().

    Raises:
        InputError: If a number of bits is not from 2 to 8, or the run is not done.
        CorruptFile: If its checkpoint is damaged.

    Source:
        Kumar et al. 2024, section 3, arXiv:2411.04330 (round to the nearest after training).
    """
    for count in bits:
        if not 2 <= count <= 8:
            raise InputError(f"Weights are rounded to 2 to 8 bits, not {count}.")
    run = find_ancestor(study, run_id, purpose="to round")
    rows = [_row(run, count, kinds, _score(run, count, kinds, open_device(device))) for count in bits]
    for row in rows:
        study.save_run(row)
    return rows


def _score(run: Ancestor, bits: int, kinds: Sequence[Kind], device: torch.device) -> HeldOut:
    model = load_model(run).to(device)
    round_weights(model, bits, kinds=kinds)
    data = prepare_tokens(run.recipe.data)
    context, tokens = run.recipe.architecture.context, run.recipe.data.held_out_tokens
    return evaluate(model, data.scored(context=context, tokens=tokens), device)


def _row(run: Ancestor, bits: int, kinds: Sequence[Kind], scored: HeldOut) -> Run:
    identity = json.dumps([run.run.run_id, bits, sorted(kinds)])
    kept = {*recipe_facts(run.recipe, unique_tokens=1), *Arithmetic().facts(), "data_hash", "held_out_tokens"}
    values = {
        "parent": run.run.run_id,
        "design": DESIGN,
        "quantized_bits": bits,
        "quantized_kinds": ", ".join(sorted(kinds)),
        **scored.losses(),
    }
    return Run(
        run_id=hashlib.sha256(identity.encode()).hexdigest()[:12],
        status="done",
        values={**{name: value for name, value in run.run.values.items() if name in kept}, **values},
    )
