"""`observe_families`: what models of many families say about capability, compute and a target score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.capabilities.families_components import Components, components_of
from allometry.capabilities.families_compute import equivalent_flops, family_lines
from allometry.capabilities.families_target import TargetFit, fit_target
from allometry.capabilities.shares import refuse_below_chance, refuse_no_shares
from allometry.errors import FitError, InputError, did_you_mean
from allometry.fitting.checks.definition import note, warning
from allometry.fitting.result import Finding, tails
from allometry.runs.run import Runs

Array = NDArray[np.float64]

DISAGREE = 0.05  # difference of the two curves, in points of the score, that changes a conclusion


@dataclass(frozen=True, kw_only=True, eq=False)
class Families:
    """An observational law: no model was trained for it.

    Attributes:
        components: Of the benchmarks, learnt on the training split alone.
        table: One row a model: family, flops, trained (whether it was learnt from), pc1 …, equivalent_flops
            of the reference family, and with a target its score, `fixed` and `free` forecasts with low and
            high.
        lines: One row a family and component: slope per factor e of compute, intercept, models, r2.
        reference: The family whose compute is the unit of `equivalent_flops`.
        target: Column that is forecast; empty without one.
        fixed, free: The curves to it, with upper end 1 and fitted; None without a target.
    """

    components: Components
    family: str
    table: pd.DataFrame = field(repr=False)
    lines: pd.DataFrame
    reference: str
    target: str = ""
    level: float = 0.9
    fixed: TargetFit | None = None
    free: TargetFit | None = None
    findings: tuple[Finding, ...] = ()

    def errors(self) -> dict[str, float]:
        """Mean absolute error of either curve on models that were not learnt from; NaN without any."""
        unseen = self.table[~self.table["trained"]]
        return {
            end: float(np.nanmean(np.abs(unseen[end] - unseen["target"]))) if len(unseen) else float("nan")
            for end in ("fixed", "free")
            if end in unseen
        }

    def facts(self) -> dict[str, object]:
        """The result as plain tables."""
        return {
            "shares": self.components.shares.tolist(), "lines": self.lines, "reference": self.reference,
            "target": self.target, "errors": self.errors(), "models": self.table, "findings": self.findings,
        }  # fmt: skip

    def worth(self) -> pd.DataFrame:
        """Each family's largest compute, and what its model's first component is worth in the reference's."""
        known = self.table[(self.table["flops"] > 0) & np.isfinite(self.table["equivalent_flops"])]
        largest = known.sort_values("flops", kind="stable").groupby("family").tail(1)
        named = largest.rename(columns={"flops": "largest_flops", "equivalent_flops": "counts_as"})
        return pd.DataFrame(named[["family", "largest_flops", "counts_as"]])

    def summary(self) -> str:
        """Variance held, the slopes of the families, both curves, and what was found, in plain text."""
        held = ", ".join(f"{share:.1%}" for share in self.components.shares.cumsum()[:3])
        learnt = int(self.table["trained"].sum())
        first = self.lines[self.lines["component"] == 1]
        lines = [
            f"{len(self.table)} models of {self.table['family'].nunique()} families, learnt from {learnt}",
            f"  variance held by the first components together: {held}",
            "  component 1 against log compute, by family:",
            first.merge(self.worth(), how="left").to_string(index=False, float_format="%.3g", na_rep="–"),
            f"  counts_as: compute that {self.reference} would need for component 1 of that largest model",
        ]
        for end, curve in (("fixed", self.fixed), ("free", self.free)):
            if curve is not None:
                error = self.errors()[end]
                said = "no model held out" if np.isnan(error) else f"held-out models off by {error:.3f}"
                lines.append(f"  {self.target}, upper end {end} at {curve.end:.3f}: {said}")
        return "\n".join(
            [*lines, *(f"  {one.severity}: {one.sentence} {one.remedy}" for one in self.findings)]
        )


def observe_families(
    runs: Runs,
    metrics: Sequence[str],
    *,
    family: str = "family",
    target: str | None = None,
    train: str | None = None,
    components: int = 3,
    reference: str | None = None,
    chance: float = 0.0,
    level: float = 0.9,
    draws: int = 100,
    seed: int = 0,
) -> Families:
    """Fit an observational scaling law: components of benchmarks, compute per family, a target score.

    Args:
        metrics: Columns of the benchmarks, shares in [0, 1]; some scores may be missing.
        family: Column that names a model's family.
        target: Column of the score to forecast; not among the metrics.
        train: SQL condition for the models to learn from, for example "flops <= 8.4e22"; all by default.
            Components, lines and curves see no other model.
        reference: Family in whose compute others are expressed; by default that with most models.
        chance: Score of guessing on the target.

    Raises:
        MissingColumn: If a column is not there.
        TableError: If a score lies outside [0, 1], or a target below chance by more than 0.05.
        FitError: If there is one family only, or too few models.

    Source:
        Ruan et al. 2024, eq. 3 to 7, arXiv:2405.10938.
    """
    tails(level)
    _refuse_unusable(runs, metrics, family, target, chance)
    trained = _trained(runs, train)
    scores = np.column_stack([runs.column(name) for name in metrics])
    found = components_of(scores[trained], metrics, components)
    table = _models(runs, family, trained, found.place(scores))
    lines = family_lines(table[table["trained"]], components)
    chosen = _reference(lines, reference)
    table["equivalent_flops"] = equivalent_flops(lines, chosen, table["pc1"].to_numpy())
    fits: dict[str, TargetFit] = {}
    if target is not None:
        table["target"] = runs.column(target)
        fits = _target_fits(table, chance, draws, seed, components)
        _add_forecasts(table, fits, level, components)
    return Families(
        components=found, family=family, table=table, lines=lines, reference=chosen, target=target or "",
        level=level, findings=tuple(_findings(table, fits, found)), **fits,
    )  # fmt: skip


def _refuse_unusable(
    runs: Runs, metrics: Sequence[str], family: str, target: str | None, chance: float
) -> None:
    runs.require(family, "flops", *metrics, *([target] if target else []))
    for name in (*metrics, *([target] if target else [])):
        refuse_no_shares(runs, name, "Divide percentages by 100, or leave the metric out.")
    if target and chance:
        refuse_below_chance(runs, target, chance)
    if target in metrics:
        raise InputError(
            f"'{target}' is the target and a metric, so it would forecast itself. Take it out of one."
        )
    names = runs.table[family].dropna().astype(str).unique()
    if len(names) < 2:
        raise FitError(
            f"All models of {runs.source} are of one family ('{', '.join(names)}'). An observational law "
            "compares families; for one, fit a law of its compute: "
            'fit("saturating", runs, inputs={"x": "flops"}, output=...).'
        )


def _trained(runs: Runs, condition: str | None) -> NDArray[np.bool_]:
    if condition is None:
        return np.ones(len(runs), dtype=np.bool_)
    numbered = Runs(runs.table.assign(_row=np.arange(len(runs))), source=runs.source)
    kept = numbered.where(condition).table["_row"].to_numpy()
    return np.isin(np.arange(len(runs)), kept)


def _models(runs: Runs, family: str, trained: NDArray[np.bool_], places: Array) -> pd.DataFrame:
    columns = {f"pc{number + 1}": places[:, number] for number in range(places.shape[1])}
    name = "Model" if "Model" in runs.table.columns else "run_id"
    ids = (
        runs.table[name].astype(str)
        if name in runs.table.columns
        else [f"row {i + 1}" for i in range(len(runs))]
    )
    facts = {"model": ids, "family": runs.table[family].astype(str), "flops": runs.column("flops")}
    return pd.DataFrame({**facts, "trained": trained, **columns})


def _reference(lines: pd.DataFrame, asked: str | None) -> str:
    first = lines[lines["component"] == 1]
    rising = first[first["slope"] > 0]
    known = [str(name) for name in rising["family"]]
    if not known:
        raise FitError(
            "No family has two models with compute whose first component rises; add models or compute."
        )
    if asked is None:
        return str(rising.sort_values("models", kind="stable")["family"].iloc[-1])
    if asked not in known:
        raise InputError(
            f"'{asked}' cannot be the reference.{did_you_mean(asked, known)} It takes two models "
            f"learnt from that have compute, and rise with it: {', '.join(known)}."
        )
    return asked


def _places(table: pd.DataFrame, components: int) -> Array:
    return table[[f"pc{number + 1}" for number in range(components)]].to_numpy(dtype=np.float64)


def _target_fits(
    table: pd.DataFrame, chance: float, draws: int, seed: int, components: int
) -> dict[str, TargetFit]:
    places = _places(table, components)
    known = (table["trained"] & table["target"].notna()).to_numpy() & np.isfinite(places).all(axis=1)
    names, scores = table["family"].to_numpy(dtype=object)[known], table["target"].to_numpy()[known]
    return {
        end: fit_target(
            places[known], scores, names, chance=chance, free=end == "free", draws=draws, seed=seed
        )
        for end in ("fixed", "free")
    }


def _add_forecasts(table: pd.DataFrame, fits: dict[str, TargetFit], level: float, components: int) -> None:
    places = _places(table, components)
    for end, curve in fits.items():
        low, high = curve.interval(places, level)
        table[end], table[f"{end}_low"], table[f"{end}_high"] = curve.predict(places), low, high


def _findings(table: pd.DataFrame, fits: dict[str, TargetFit], found: Components) -> list[Finding]:
    made = [] if not found.filled else [note(
        "filled_scores", f"{found.filled} missing scores were filled in from the components.",
        "Their models count as if they had been measured.",
    )]  # fmt: skip
    if not fits:
        return made
    judged = table if table["trained"].all() else table[~table["trained"]]
    apart = np.abs(judged["fixed"] - judged["free"])
    worst = float(apart.max())
    sentence = (
        f"With the upper end at 1 and fitted (at {fits['free'].end:.2f}) the curves differ by up "
        f"to {worst:.3f} on the models {'learnt from' if table['trained'].all() else 'held out'}"
    )
    if worst > DISAGREE:
        remedy = "State both: which end is assumed decides what is concluded about larger models."
        return [*made, warning("ends_disagree", f"{sentence}: they disagree.", remedy, {"apart": worst})]
    return [*made, note("ends_agree", f"{sentence}: they agree.", evidence={"apart": worst})]
