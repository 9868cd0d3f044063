"""Functional forms: a law is written once, as its formula.

>>> import allometry.laws as laws
>>> laws.chinchilla.source
'Hoffmann et al. 2022, eq. 2, arXiv:2203.15556'
"""

from __future__ import annotations

import importlib.util
import re
import traceback
from pathlib import Path
from typing import Any

from allometry.errors import InputError, did_you_mean
from allometry.laws.additive import (
    chinchilla,
    chinchilla_tied,
    kaplan,
    kaplan_flops,
    kaplan_params,
    kaplan_tokens,
    power_law,
    power_law_with_floor,
)
from allometry.laws.attempts import coverage
from allometry.laws.breaks import BREAKS, broken_power_law
from allometry.laws.calendar import (
    algorithmic_progress,
    exponential_trend,
    horizon_logistic,
    logistic_trend,
)
from allometry.laws.definition import Coefficient, Family, Input, Law, Scale, law
from allometry.laws.derivation import SLIPS
from allometry.laws.dimensions import width_depth
from allometry.laws.downstream import saturating, task_exponential, task_sigmoid
from allometry.laws.hyperparameters import batch_rule, batch_tradeoff, critical_batch, learning_rate_rule
from allometry.laws.mixtures import MIXTURES, mixture
from allometry.laws.precision import precision, precision_post
from allometry.laws.products import PRODUCTS, product
from allometry.laws.repetition import additive_overfitting, data_constrained
from allometry.laws.sparsity import granular_experts, routed_experts, sparse_experts
from allometry.laws.transfer import transfer
from allometry.registry import Catalog

LAWS: Catalog[Law] = Catalog(
    "law",
    {
        entry.name: entry
        for entry in (
            power_law,
            power_law_with_floor,
            kaplan,
            kaplan_params,
            kaplan_tokens,
            kaplan_flops,
            chinchilla,
            chinchilla_tied,
            product,
            data_constrained,
            additive_overfitting,
            broken_power_law,
            precision,
            precision_post,
            routed_experts,
            granular_experts,
            sparse_experts,
            transfer,
            mixture,
            width_depth,
            learning_rate_rule,
            batch_rule,
            critical_batch,
            batch_tradeoff,
            algorithmic_progress,
            task_sigmoid,
            task_exponential,
            saturating,
            coverage,
            horizon_logistic,
            exponential_trend,
            logistic_trend,
        )
    },
)
FAMILIES: Catalog[Family] = Catalog(
    "family of laws", {family.name: family for family in (PRODUCTS, BREAKS, MIXTURES)}
)

__all__ = [
    "FAMILIES",
    "LAWS",
    "Coefficient",
    "Family",
    "Input",
    "Law",
    "Scale",
    "additive_overfitting",
    "algorithmic_progress",
    "batch_rule",
    "batch_tradeoff",
    "broken_power_law",
    "chinchilla",
    "chinchilla_tied",
    "coverage",
    "critical_batch",
    "data_constrained",
    "exponential_trend",
    "granular_experts",
    "horizon_logistic",
    "kaplan",
    "kaplan_flops",
    "kaplan_params",
    "kaplan_tokens",
    "law",
    "learning_rate_rule",
    "logistic_trend",
    "mixture",
    "power_law",
    "power_law_with_floor",
    "precision",
    "precision_post",
    "product",
    "read_law",
    "routed_experts",
    "saturating",
    "sparse_experts",
    "task_exponential",
    "task_sigmoid",
    "transfer",
    "width_depth",
]

_MEMBER = re.compile(r"(\w+)\((.*)\)")


def read_law(text: str) -> Law:
    """Find a law by its catalog name, as a member of a family, or in a user's own file.

    Args:
        text: "chinchilla"; "broken_power_law(2)"; or "mylaws.py:my_law". The file is Python and is run: give
            only your own.

    Raises:
        UnknownName: If no catalog entry has that name.
        InputError: If the file or the law in it is not there or has a slip, or the family has no such member.

    >>> read_law("kaplan").reads
    ('params', 'tokens')
    """
    if member := _MEMBER.fullmatch(text.strip()):
        words = [word.strip() for word in member[2].split(",")]
        return FAMILIES[member[1]].member(*(word for word in words if word))
    path, colon, name = text.rpartition(":")
    if text.endswith(".py"):
        raise InputError(f"'{text}' is a file of laws: name one of them, as in {text}:my_law.")
    if not colon or not path.endswith(".py"):
        return LAWS[text]
    if not Path(path).is_file():
        raise InputError(f"There is no file '{path}' to read the law '{name}' from.")
    return _law_in_file(Path(path), name)


def _law_in_file(path: Path, name: str) -> Law:
    laws = {key: value for key, value in _names_in(path).items() if isinstance(value, Law)}
    if name not in laws:
        raise InputError(
            f"'{path}' has no law '{name}'.{did_you_mean(name, laws)} It has: {', '.join(laws) or 'none'}."
        )
    laws[name].derivation  # noqa: B018  (called here, so that a slip in the formula is told before any fit)
    return laws[name]


def _names_in(path: Path) -> dict[str, Any]:
    """Run a file of Python and give what it defines."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:  # only for a suffix that Python does not import
        raise InputError(f"Python cannot import '{path}'.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SLIPS as error:
        raise InputError(
            f"'{path}' cannot be run{_line_in(spec.origin, error)}: {type(error).__name__}: {error}. "
            "A law is written as in help(allometry.law)."
        ) from error
    return vars(module)


def _line_in(file: str | None, error: BaseException) -> str:
    """Where in a file an error was raised, in words; empty if not there."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return f", line {error.lineno}"
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == file]
    return f", line {lines[-1]}" if lines else ""
