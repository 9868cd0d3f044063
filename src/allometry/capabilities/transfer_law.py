"""`effective_data`: what pre-training is worth at each size and amount of fine-tuning, and its law."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.capabilities.along import drawn
from allometry.capabilities.transfer import data_for
from allometry.errors import FitError
from allometry.fitting.checks.definition import note, warning
from allometry.fitting.result import Estimate, Finding, Fit, middle
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.runs.run import Runs
from allometry.units import show_count

Array = NDArray[np.float64]

CURVE = "power_law_with_floor"  # of the loss by data from scratch, one a size
FAR = 3.0  # times the data of the longest run from scratch beyond which its curve is extrapolated
_FEWEST = 4  # fine-tuned runs with a worth: three coefficients and one more
_UNITS = {"k": "data^(1-alpha) / parameter^beta", "alpha": "1", "beta": "1"}


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferLaw:
    """Effective data transferred, D_T = k D_F^alpha N^beta.

    Attributes:
        finetuned: Column of the data fine-tuned on; it gives the unit of all data here.
        table: One row a fine-tuned run: params, finetuned, loss, transferred with low and high, multiplier
            (of the data fine-tuned on), beyond (transferred and fine-tuned data together, over that of the
            longest run from scratch of its size). NaN where no amount of data from scratch gives the loss.
        k, alpha, beta: The law's coefficients; beta is held at 0 where the runs are of one size.
        scratch: Size to the curve of the loss by data from scratch, with draws.
        declined: Size to why it was left out.
    """

    finetuned: str
    table: pd.DataFrame
    k: Estimate
    alpha: Estimate
    beta: Estimate
    scratch: Mapping[float, Fit] = field(repr=False)
    declined: Mapping[float, str] = field(default_factory=dict)
    level: float
    findings: tuple[Finding, ...] = ()

    def worth(self, params: float, finetuned: Array) -> Array:
        """Data transferred by the law, at a size and some amounts of fine-tuning data."""
        return np.asarray(self.k.value * finetuned**self.alpha.value * params**self.beta.value)

    def facts(self) -> dict[str, Any]:
        """The same as values, for programs."""
        return {
            "finetuned": self.finetuned, "runs": self.table, "k": self.k, "alpha": self.alpha,
            "beta": self.beta, "declined": {show_count(size): why for size, why in self.declined.items()},
            "level": self.level, "findings": self.findings,
        }  # fmt: skip

    def summary(self) -> str:
        """The law, the range of what was measured, and what was found."""
        known = self.table["multiplier"].dropna()
        each = [
            f"{name} {one.value:.3g} ({100 * self.level:g}%: {one.low:.3g} to {one.high:.3g})"
            for name, one in (("k", self.k), ("alpha", self.alpha), ("beta", self.beta))
        ]
        times = f"{show_count(known.min())} to {show_count(known.max())} times"
        sizes = self.table["params"].nunique()
        lines = [
            f"Pre-training makes data of fine-tuning count {times}, in {len(known)} runs of {sizes} size(s).",
            f"  Data transferred = k · data^alpha · size^beta: {', '.join(each)}.",
        ]
        lines += [f"  declined {show_count(size)}: {why}" for size, why in self.declined.items()]
        return "\n".join(lines + [f"  {one.severity}: {one.sentence} {one.remedy}" for one in self.findings])


def effective_data(
    tuned: Runs,
    scratch: Runs,
    *,
    finetuned: str = "finetune_tokens",
    data: str = "tokens",
    loss: str = "loss",
    level: float = 0.9,
    draws: int = 200,
    seed: int = 0,
) -> TransferLaw:
    """Measure what pre-training is worth in data of the fine-tuning, and fit its law.

    The loss of models of each size trained from scratch gives a curve by data. A fine-tuned run is worth the
    data that its loss takes on that curve, less the data that it was fine-tuned on. Every draw of the curves
    is inverted and meets one resample of the law's residuals, so that the intervals hold both.

    Args:
        tuned: Columns params, `finetuned`, and the loss on the data fine-tuned on.
        scratch: Columns params, `data` in the same unit, and the same loss; the sizes of `tuned`.

    Raises:
        MissingColumn: If a column is not there.
        FitError: If no size has a curve, or fewer than four runs have a worth.

    Source:
        Hernandez et al. 2021, eq. 1.1 and section 2, arXiv:2102.01293.

    >>> size, more = np.repeat([1e7, 1e8], 6), np.tile(np.geomspace(1e6, 1e9, 6), 2)
    >>> scratch = Runs(pd.DataFrame({"params": size, "tokens": more, "loss": 1 + 100 * more**-0.3}))
    >>> used = np.tile([1e5, 1e6, 1e7], 2)
    >>> worth = 1e3 * used**0.2 * size[::2] ** 0.3
    >>> loss = 1 + 100 * (used + worth) ** -0.3
    >>> tuned = pd.DataFrame({"params": size[::2], "finetune_tokens": used, "loss": loss})
    >>> made = effective_data(Runs(tuned), scratch, draws=10)
    >>> round(made.alpha.value, 3), round(made.beta.value, 3)
    (0.2, 0.3)
    """
    tuned.require("params", finetuned, loss)
    scratch.require("params", data, loss)
    curves, declined = _curves(tuned, scratch, data, loss, draws, seed)
    table, worth_dn = _worth(tuned, curves, finetuned, loss)
    usable = (table["transferred"] > 0).to_numpy()
    if usable.sum() < _FEWEST:
        raise FitError(
            f"{usable.sum()} fine-tuned runs are worth data by the curves from scratch; the law takes "
            f"{_FEWEST}. Train from scratch on more data, or fine-tune on less: a loss below the floor from "
            "scratch is worth no amount."
        )
    best, others = _lines(table, worth_dn, usable, np.random.default_rng(seed))
    low, high = _ends(worth_dn, level)
    estimates = {
        name: _estimate(name, best[place], others[:, place], level) for place, name in enumerate(_UNITS)
    }
    return TransferLaw(
        finetuned=finetuned, table=table.assign(low=low, high=high), scratch=curves, declined=declined,
        level=level, findings=tuple(_findings(table, worth_dn, usable)), **estimates,
    )  # fmt: skip


def _curves(
    tuned: Runs, scratch: Runs, data: str, loss: str, draws: int, seed: int
) -> tuple[dict[float, Fit], dict[float, str]]:
    """The curve from scratch of each size that was fine-tuned, with draws."""
    curves: dict[float, Fit] = {}
    declined: dict[float, str] = {}
    sizes = scratch.column("params")
    for place, size in enumerate(np.unique(tuned.column("params"))):
        part = Runs(scratch.table[np.isclose(sizes, size, rtol=1e-6)], source=scratch.source)
        try:
            found = fit(CURVE, part, inputs={"x": data}, output=loss, seed=seed)
            curves[float(size)] = bootstrap(found, draws=draws, seed=seed + place)
        except FitError as error:
            declined[float(size)] = str(error)
    if not curves:
        raise FitError(
            f"No size of the fine-tuned runs has a curve from scratch. {next(iter(declined.values()))}"
        )
    return curves, declined


def _worth(tuned: Runs, curves: Mapping[float, Fit], finetuned: str, loss: str) -> tuple[pd.DataFrame, Array]:
    """One row a fine-tuned run that has a curve, and its worth by each draw, of shape (draws, runs)."""
    rows, columns = [], []
    count = min(len(made.draws) for made in curves.values() if made.draws is not None)
    for size, made in curves.items():
        part = tuned.table[np.isclose(tuned.column("params"), size, rtol=1e-6)]
        used, losses = (part[name].to_numpy(dtype=np.float64) for name in (finetuned, loss))
        whole = data_for(made, losses)
        (seen,) = made.data.inputs.values()
        rows.append(
            pd.DataFrame({
                "params": size, "finetuned": used, "loss": losses, "transferred": whole - used,
                "multiplier": whole / used, "beyond": whole / seen.max(),
            })
        )  # fmt: skip
        each = {name: values[:count, None] for name, values in drawn(made).items()}
        columns.append(data_for(made, losses, each) - used)
    return pd.concat(rows, ignore_index=True), np.concatenate(columns, axis=1)


def _lines(
    table: pd.DataFrame, worth_dn: Array, usable: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[Array, Array]:
    """ln k, alpha, beta by least squares of logarithms; as measured, and for each draw."""
    kept = table[usable]
    one_size = kept["params"].nunique() == 1
    sizes = np.zeros(len(kept)) if one_size else np.log(kept["params"])
    design = np.column_stack([np.ones(len(kept)), np.log(kept["finetuned"]), sizes])
    target = np.log(kept["transferred"].to_numpy(dtype=np.float64))
    best = np.linalg.lstsq(design, target, rcond=None)[0]
    left = target - design @ best
    widened = left * np.sqrt(len(kept) / max(len(kept) - (2 if one_size else 3), 1))
    drawn_worth = np.log(np.where(worth_dn[:, usable] > 0, worth_dn[:, usable], np.nan))
    targets = drawn_worth + rng.choice(widened, size=drawn_worth.shape)
    whole = np.isfinite(targets).all(axis=1)  # draws in which every run has a worth
    others = np.linalg.lstsq(design, targets[whole].T, rcond=None)[0].T
    return best, others


def _estimate(name: str, best: float, others: Array, level: float) -> Estimate:
    low, high = (float(end) for end in middle(others, level)) if len(others) > 1 else (np.nan, np.nan)
    if name == "k":
        best, low, high = (float(np.exp(one)) for one in (best, low, high))
    return Estimate(value=float(best), low=low, high=high, unit=_UNITS[name])


def _ends(worth_dn: Array, level: float) -> tuple[Array, Array]:
    """Ends of each run's worth, of shape (runs,); NaN where half of the draws or more give it none."""
    known = np.isfinite(worth_dn).mean(axis=0) > 0.5
    low, high = (np.full(worth_dn.shape[1], np.nan) for _ in range(2))
    low[known], high[known] = middle(worth_dn[:, known], level, axis=0)
    return low, high


def _findings(table: pd.DataFrame, worth_dn: Array, usable: NDArray[np.bool_]) -> Iterator[Finding]:
    kept, none = table[usable], (~np.isfinite(worth_dn[:, usable]).all(axis=1)).mean()
    if len(kept) < len(table):
        yield warning(
            "no_worth",
            f"{len(table) - len(kept)} of {len(table)} fine-tuned runs have no worth: their loss lies below "
            "the floor from scratch, or above what their own data brings. The law leaves them out.",
            "Train from scratch on more data, so that the floor is known.",
        )
    if none > 0.05:
        yield warning(
            "worth_in_some_draws",
            f"In {none:.0%} of the draws some run's loss lies below the floor from scratch; the law's "
            "intervals leave these draws out and are too narrow.",
            "Train from scratch on more data, so that the floor is known.",
        )
    far = kept["beyond"] > FAR
    if far.any():
        yield warning(
            "scratch_extrapolated",
            f"{far.sum()} of {len(kept)} runs are worth up to {kept['beyond'].max():.3g} times the data of "
            "the longest run from scratch: their worth rests on the form of its curve.",
            "Train from scratch on more data.",
            {"beyond": float(kept["beyond"].max())},
        )
    if kept["params"].nunique() == 1:
        yield note("one_size", "All runs are of one size, so beta is held at 0 and k holds the size.")
