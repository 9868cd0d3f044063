"""Checks of what the runs record of themselves: do they measure one thing, counted one way, at its end?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.checks.definition import Check, note, serious, warning
from allometry.fitting.result import Finding, Fit

Array = NDArray[np.float64]

FLOPS_APART = 0.05  # relative difference of the stated compute from 6 · N · D
LONG_WARMUP = 0.2  # share of a run's steps
MOSTLY_EMBEDDING = 0.5  # share of a model's parameters
LEFT_OUT = 0.02  # share of the runs
PLAUSIBLE = {"params": (1e3, 1e15), "tokens": (1e3, 1e18), "flops": (1e6, 1e33)}  # of the largest run
BOUNDED = {"acc", "accuracy", "auc", "auroc", "coverage", "error", "pass", "score", "success", "win"}


def _odd_units(fit: Fit) -> Finding | None:
    """Counts as no training has them are most often millions or billions that nobody has said are such."""
    inputs = {fit.inputs[name]: values for name, values in fit.data.inputs.items()}
    odd = {
        column: float(inputs[column].max())
        for column, (least, most) in PLAUSIBLE.items()
        if column in inputs and not least <= inputs[column].max() <= most
    }
    if not odd:
        return None
    column, largest = next(iter(odd.items()))
    return warning(
        "odd_units",
        f"The largest {column} is {largest:.3g}: no training has so {'few' if largest < 1e6 else 'many'}, so "
        f"it may be counted in another unit, and a forecast at {column} in full then means nothing.",
        f'Say the unit when reading: columns={{"theirs": "{column} * 1e6"}} (command line: --columns '
        f'"theirs={column} * 1e6").',
        odd,
    )


def _mixed_conventions(fit: Fit) -> Finding | None:
    mixed = [name for name, value in fit.conventions.items() if value == "mixed"]
    if not mixed:
        return None
    return serious(
        "mixed_conventions",
        f"The runs do not count alike: {', '.join(mixed)} differs between rows.",
        "Bring all runs to one convention; exponents depend on it more than on the noise.",
        dict.fromkeys(mixed, "mixed"),
    )


def _mixed_measures(fit: Fit) -> Finding | None:
    facts = fit.data.facts
    # A token is another amount of text in each tokenizer; a byte is not.
    per_token = ("tokenizer", "vocab") if fit.output == "loss" else ()
    counts = {name: facts[name].nunique() for name in ("metric", "dataset", *per_token) if name in facts}
    mixed = {name: count for name, count in counts.items() if count > 1}
    if not mixed:
        return None
    said = ", ".join(f"{count} values of {name}" for name, count in mixed.items())
    return serious(
        "mixed_measures",
        f"The runs measure different things: {said}. A loss in nat/token of one tokenizer or held-out set is "
        "not that of another.",
        'Fit one of them at a time, or bits_per_byte on one text (output="bits_per_byte").',
        {name: float(count) for name, count in mixed.items()},
    )


def _left_out(fit: Fit) -> Finding | None:
    dropped = [entry for entry in fit.filters if entry.dropped]
    out = sum(entry.dropped for entry in dropped)
    every = out + len(fit.data)
    if out < LEFT_OUT * every:
        return None
    said = ", ".join(f"{entry.dropped} by the filter {entry.query}" for entry in dropped)
    return note(
        "runs_left_out",
        f"{out} of {every} runs were left out: {said}.",
        "Fit with and without them, and report both: five runs of 245 moved beta of Hoffmann's table from "
        "0.367 to 0.453.",
        {"left out": out, "runs": every},
    )


def _mid_schedule(fit: Fit) -> Finding | None:
    facts = fit.data.facts
    said = "decayed" in facts and facts["decayed"].notna().all()
    points = pd.Series(list(fit.data.run_ids)).value_counts()
    if said or points.max() < 2 or "tokens" not in fit.inputs.values():
        return None
    return warning(
        "mid_schedule",
        f"'{points.index[0]}' gives {points.iloc[0]} points of one training, and nothing says that each was "
        "decayed: losses in the middle of a schedule lie above those of a run made for that horizon.",
        "Keep the last point of each run, or add a column 'decayed'.",
        {"points": float(points.max()), "trainings": float(len(points))},
    )


def _long_warmup(fit: Fit) -> Finding | None:
    facts = fit.data.facts
    if not {"warmup_steps", "steps"} <= set(facts.columns):
        return None
    share = _ratio(_numbers(facts, "warmup_steps"), _numbers(facts, "steps"))
    long = share[share > LONG_WARMUP]
    if not long.size:
        return None
    return warning(
        "long_warmup",
        f"{long.size} run{'s' if long.size > 1 else ''} spent more than {LONG_WARMUP:.0%} of the steps (up "
        f"to {long.max():.0%}) warming up: short runs are then worse than they need be, which bends "
        "exponents.",
        "Warm up for a share of each run, not for a fixed number of steps.",
        {"runs": float(long.size), "largest share": float(long.max())},
    )


def _flops_differ(fit: Fit) -> Finding | None:
    facts = fit.data.facts
    if not {"flops", "params", "tokens"} <= set(facts.columns) or "flops" not in fit.inputs.values():
        return None
    ratio = _ratio(_numbers(facts, "flops"), 6 * _numbers(facts, "params") * _numbers(facts, "tokens"))
    if not ratio.size or np.abs(np.log(ratio)).max() <= FLOPS_APART:
        return None
    low, high = float(ratio.min()), float(ratio.max())
    between = f"{low:.3g}" if high < 1.01 * low else f"{low:.3g} to {high:.3g}"
    return note(
        "flops_differ",
        f"Stated compute is {between} times 6 · params · tokens: a law of the one is not a law of the other.",
        "Say which one a forecast is for; by_convention(fit) shows both.",
        {"lowest ratio": low, "highest ratio": high},
    )


def _mostly_embedding(fit: Fit) -> Finding | None:
    facts = fit.data.facts
    if not {"params_total", "params_embedding"} <= set(facts.columns):
        return None
    head = np.nan_to_num(_numbers(facts, "params_head")) if "params_head" in facts else 0.0
    share = _ratio(_numbers(facts, "params_embedding") + head, _numbers(facts, "params_total"))
    if not share.size or share.max() <= MOSTLY_EMBEDDING:
        return None
    low, high = float(share.min()), float(share.max())
    return note(
        "mostly_embedding",
        f"Embedding and head are {low:.0%} to {high:.0%} of a model here: which parameters count then "
        "decides the exponent of size.",
        "Compare the conventions (by_convention), use a smaller vocabulary, or add larger models.",
        {"largest share": high, "least share": low},
    )


def _numbers(facts: pd.DataFrame, name: str) -> Array:
    """A column as it was found, NaN where it holds no number."""
    return pd.to_numeric(facts[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _ratio(above: Array, below: Array) -> Array:
    """One by the other, of the rows in which both are known and above zero."""
    known = (above > 0) & (below > 0)
    return above[known] / below[known]


def _bounded_output(fit: Fit) -> Finding | None:
    named = BOUNDED & set(fit.output.lower().replace("@", "_").split("_"))
    if not named or fit.data.output.max() > 1 or fit.data.output.min() < 0:
        return None
    if fit.on == "logit" or fit.law.on != "log":
        return None  # a law of a bounded score knows its ends
    return warning(
        "bounded_output",
        f"'{fit.output}' is bounded, and '{fit.law.name}' on {fit.on} does not know its ends: a forecast may "
        "leave them, and noise near them is misjudged.",
        'Fit on="logit", or a law with both ends, such as task_sigmoid of the loss.',
        {"lowest": float(fit.data.output.min()), "highest": float(fit.data.output.max())},
    )


CHECKS = (
    Check(
        code="odd_units",
        looks_for="Parameters, tokens or compute so few or so many as no training has.",
        source="own reading of tables in millions and billions",
        find=_odd_units,
        quick=True,
    ),
    Check(
        code="mixed_conventions",
        looks_for="Rows that count parameters or compute in different ways.",
        source="Porian et al. 2024, arXiv:2406.19146; Pearce and Song 2024, arXiv:2406.12907",
        find=_mixed_conventions,
        quick=True,
    ),
    Check(
        code="mixed_measures",
        looks_for="Rows of different tokenizers, vocabularies, metrics or held-out sets.",
        source="Li et al. 2025, (Mis)Fitting, arXiv:2502.18969",
        find=_mixed_measures,
        quick=True,
    ),
    Check(
        code="mid_schedule",
        looks_for="Several points of one training without a word that each was decayed.",
        source="Hoffmann et al. 2022, arXiv:2203.15556; Hägele et al. 2024, arXiv:2405.18392",
        find=_mid_schedule,
        quick=True,
    ),
    Check(
        code="long_warmup",
        looks_for=f"Runs with more than {LONG_WARMUP:.0%} of their steps in warmup.",
        source="Porian et al. 2024, arXiv:2406.19146",
        find=_long_warmup,
        quick=True,
    ),
    Check(
        code="bounded_output",
        looks_for="A bounded score fitted by a law without ends on a scale without ends.",
        source="Bhagia et al. 2024, arXiv:2412.04403",
        find=_bounded_output,
        quick=True,
    ),
    Check(
        code="flops_differ",
        looks_for=f"Stated compute more than {FLOPS_APART:.0%} from 6 · params · tokens.",
        source="Porian et al. 2024, arXiv:2406.19146",
        find=_flops_differ,
    ),
    Check(
        code="mostly_embedding",
        looks_for=f"Models of which more than {MOSTLY_EMBEDDING:.0%} is embedding and head.",
        source="Pearce and Song 2024, arXiv:2406.12907",
        find=_mostly_embedding,
    ),
    Check(
        code="runs_left_out",
        looks_for=f"{LEFT_OUT:.0%} of the runs or more left out of the fit.",
        source="Besiroglu et al. 2024, arXiv:2404.10102",
        find=_left_out,
    ),
)
