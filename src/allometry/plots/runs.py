"""What was measured: loss against compute, loss against tokens, learning-rate checks."""

from __future__ import annotations

from collections.abc import Iterable

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.allocation import optimal_params
from allometry.fitting.result import Fit
from allometry.plots import axes, frames, marks
from allometry.plots.theme import INK, MUTED, counted, finish, sizes_colour
from allometry.runs.run import Runs
from allometry.runs.study import Study
from allometry.units import show_count

Array = NDArray[np.float64]

_LINE_POINTS = 60
_DASH = [6, 4]
_CHECKS = "design = 'learning_rate_check'"
_TIPS = {"run_id": "run", "value": "loss", "params": "parameters", "tokens": "tokens", "x": "compute (FLOP)"}


def loss_against_compute(
    runs: Runs, fit: Fit | None = None, *, study: Study | pd.DataFrame | None = None
) -> alt.LayerChart:
    """Loss of every finished run against its compute, one colour a size, with the best of each budget.

    Args:
        fit: Adds the least loss the law promises for each budget, and marks runs it has not seen.
        study: Adds the training curves of its trunks as thin lines; or what `training_curves` read of it.
    """
    output, unit = _output(fit)
    placed, convention = _with_compute(frames.final_runs(runs, output, fit), runs, fit)
    frame, colour = _series(placed)
    curves = _against_compute(_curves(study, output, frame), fit)
    frontier, lost = _frontier(fit, frame["x"].to_numpy()), frames.lost_runs(runs, _place_of(convention))
    text = axes.title("flops", conventions={"flops_convention": convention})
    across = axes.log_axis("flops", [*frame["x"], *lost["x"]], text).x()
    up = axes.loss_axis(output, unit, _values(frame, frontier)).y()
    ordered = frame.sort_values(["x", "value"])
    best = ordered[ordered["value"] <= ordered["value"].cummin()]
    return finish(
        [
            *marks.lines(curves, x=across, y=up, color=colour, detail="run_id", strokeWidth=1, opacity=0.55),
            *marks.lines(best, x=across, y=up, color=MUTED, strokeWidth=5, opacity=0.35),
            *marks.lines(
                frames.sampled(_of_one_size(frame), "x", "value"),
                x=across,
                y=up,
                color=colour,
                strokeWidth=1.8,
            ),
            *marks.lines(frontier, x=across, y=up, color=INK, strokeDash=_DASH),
            *_run_layers(frame, across, up, colour),
            *marks.crosses(lost, x=across),
        ],
        title=_fall(best),
        subtitle=[
            _how_many(frame, lost),
            f"Grey: best so far.{_frontier_words(fit, frontier)}{_curve_words(curves)}",
        ],
        description=f"Loss against training compute, one colour a model size. {_how_many(frame, lost)}",
    )


def loss_against_tokens(
    runs: Runs, fit: Fit | None = None, *, study: Study | pd.DataFrame | None = None
) -> alt.LayerChart:
    """Loss of every finished run against its tokens, one colour a size.

    Args:
        fit: Adds the law's curve of each size, if the law reads params and tokens.
        study: Adds the training curves of its trunks as thin lines; or what `training_curves` read of it.

    Raises:
        MissingColumn: If the runs do not say how many tokens they saw.
    """
    runs.require("tokens")
    output, unit = _output(fit)
    final = frames.final_runs(runs, output, fit).dropna(subset=["tokens"])
    frame, colour = _series(final.assign(x=final["tokens"]))
    curves, lines = _curves(study, output, frame), _law_lines(fit, frame)
    lost = frames.lost_runs(runs, "tokens")
    across = axes.log_axis("tokens", [*frame["x"], *lost["x"]], axes.title("tokens")).x()
    up = axes.loss_axis(output, unit, _values(frame, lines)).y()
    law = f" Dashed: {fit.law.name} at each size." if fit is not None and len(lines) else ""
    return finish(
        [
            *marks.lines(curves, x=across, y=up, color=colour, detail="run_id", strokeWidth=1, opacity=0.55),
            *marks.lines(lines, x=across, y=up, color=colour, strokeDash=_DASH),
            *_run_layers(frame, across, up, colour),
            *marks.crosses(lost, x=across),
        ],
        title="What more tokens bring at each size",
        subtitle=[_how_many(frame, lost), f"{law}{_curve_words(curves)}".strip()],
        description=f"Loss against training tokens, one colour a model size. {_how_many(frame, lost)}",
    )


def learning_rate_checks(runs: Runs) -> alt.LayerChart:
    """Loss of the learning-rate checks against the rate, one line a size, the lowest of each marked.

    The subtitle says at how many sizes the lowest lies at an end of the rates tried, where a minimum is
    not bracketed.
    """
    checks = runs.where(_CHECKS)
    done = checks.where("status = 'done'")
    values = {
        "params": done.column("params"),
        "x": done.column("learning_rate"),
        "value": done.column("loss"),
    }
    measured = pd.DataFrame({"run_id": done.table["run_id"], **values}).sort_values(["params", "x"])
    frame, colour = _series(measured.dropna())
    best = frame.loc[frame.groupby("params")["value"].idxmin()]
    lost = frames.lost_runs(checks, "learning_rate")
    across = axes.log_axis("learning_rate", [*frame["x"], *lost["x"]], "peak learning rate (1)").x()
    up = axes.loss_axis("loss", "nat/token", frame["value"]).y()
    tips = {"run_id": "run", "x": "rate", "value": "loss"}
    return finish(
        [
            *marks.lines(frame, x=across, y=up, color=colour),
            *marks.dots(frame, x=across, y=up, color=colour, size=50, tips=tips),
            *marks.stars(best, x=across, y=up, color=colour, stroke=INK, strokeWidth=1, tips=tips),
            *marks.crosses(lost, x=across),
        ],
        title=_bracketing(checks, best),
        subtitle=[f"{counted(len(frame), 'short run')}{_lost_words(lost)}; star: lowest of each size."],
        description=f"Held-out loss of {len(frame)} short runs against the peak rate, one line a size.",
    )


def _bracketing(checks: Runs, best: pd.DataFrame) -> str:
    """Whether each size was tried at rates on both sides of its best; one that diverged was tried too."""
    tried = pd.DataFrame({"params": checks.column("params"), "x": checks.column("learning_rate")})
    ends = tried.groupby("params")["x"].agg(["min", "max"])
    found = zip(best["params"], best["x"], strict=True)
    open_sizes = sum(float(x) in {float(end) for end in ends.loc[params]} for params, x in found)
    if not open_sizes:
        return "The best learning rate lies between tried ones at every size"
    return f"At {open_sizes} of {len(best)} sizes the best learning rate tried is the last one tried"


def _fall(best: pd.DataFrame) -> str:
    if len(best) < 2:
        return "Loss against training compute"
    first, last = best.iloc[0], best.iloc[-1]
    times = show_count(float(last["x"] / first["x"]), 2)
    return (
        f"The best loss falls from {first['value']:.3g} to {last['value']:.3g} with {times} times the compute"
    )


def _output(fit: Fit | None) -> tuple[str, str]:
    return ("loss", "nat/token") if fit is None else (fit.output, fit.unit)


def _values(*tables: pd.DataFrame) -> Iterable[float]:
    return [float(value) for table in tables if "value" in table.columns for value in table["value"]]


def _series(frame: pd.DataFrame) -> tuple[pd.DataFrame, alt.Color]:
    if "params" not in frame.columns or frame["params"].isna().any() or frame.empty:
        return frame.assign(series="all runs"), sizes_colour(["all runs"], "runs")
    series = frames.bands(frame["params"].to_numpy())
    exact = len(np.unique(series)) == frame["params"].nunique()
    legend = "parameters N" if exact else "parameters N, about"
    return frame.assign(series=frames.labelled(series)), sizes_colour(frames.labels(series), legend)


def _of_one_size(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs a line may join: those of one size; nothing where a series is a band of sizes."""
    if "params" not in frame.columns or frame["series"].nunique() < frame["params"].nunique():
        return frame.iloc[:0]
    return frame[frame["role"] != "held out"]


def _with_compute(frame: pd.DataFrame, runs: Runs, fit: Fit | None) -> tuple[pd.DataFrame, str]:
    """Compute as x: as the fit counts it, else as the runs state it, else 6 · params · tokens."""
    by_size = {"params", "tokens"} <= set(frame.columns)
    wants_size = fit is not None and {"params", "tokens"} <= set(fit.inputs.values())
    if by_size and (wants_size or "flops" not in frame.columns):
        return frame.assign(x=6 * frame["params"] * frame["tokens"]).dropna(subset=["x"]), "6ND"
    runs.require("flops")
    stated = runs.table.get("flops_convention", pd.Series(dtype=str)).dropna().unique()
    shown = frame.assign(x=frame["flops"]).dropna(subset=["x"])
    return shown, str(stated[0]) if len(stated) == 1 else ""


def _place_of(convention: str) -> str:
    return "6ND" if convention == "6ND" else "flops"


def _curves(study: Study | pd.DataFrame | None, output: str, frame: pd.DataFrame) -> pd.DataFrame:
    # The curves are in nat/token; beside another unit they would mislead.
    if study is None or output != "loss":
        return pd.DataFrame()
    curves = frames.training_curves(study) if isinstance(study, Study) else study
    if curves.empty:
        return curves
    series = curves["params"].map(dict(zip(frame["params"], frame["series"], strict=True)))
    shown = curves.assign(series=series, x=curves["tokens"]).dropna(subset=["series"])
    # A curve starts near ln(vocab): what lies far above and left of the finished runs would squeeze them.
    keep = (shown["value"] <= 1.1 * frame["value"].max()) & (shown["tokens"] >= frame["tokens"].min() / 4)
    return pd.DataFrame(shown[keep])


def _against_compute(curves: pd.DataFrame, fit: Fit | None) -> pd.DataFrame:
    if curves.empty:
        return curves
    per_token = 6 * curves["params"] if fit is not None else curves["flops_per_token"]
    return curves.assign(x=per_token * curves["tokens"])


def _frontier(fit: Fit | None, compute: Array) -> pd.DataFrame:
    """Least loss by the law at each budget; empty if the law has no such curve."""
    if fit is None or not compute.size:
        return pd.DataFrame()
    x = np.geomspace(compute.min(), compute.max(), _LINE_POINTS)
    names = {column: name for name, column in fit.inputs.items()}
    if set(names) == {"flops"}:
        return pd.DataFrame({"x": x, "value": fit.law.evaluate({names["flops"]: x}, fit.coefficients)})
    if set(names) != {"params", "tokens"}:
        return pd.DataFrame()
    best = np.array([optimal_params(fit.law, names, fit.coefficients, budget)[0] for budget in x])
    inputs = {names["params"]: best, names["tokens"]: x / 6 / best}
    return pd.DataFrame({"x": x, "value": fit.law.evaluate(inputs, fit.coefficients)}).dropna()


def _law_lines(fit: Fit | None, frame: pd.DataFrame) -> pd.DataFrame:
    """The law against tokens at the size of each series."""
    if fit is None or set(fit.inputs.values()) != {"params", "tokens"} or frame.empty:
        return pd.DataFrame()
    names = {column: name for name, column in fit.inputs.items()}
    x = np.geomspace(frame["x"].min(), frame["x"].max(), _LINE_POINTS)
    lines = []
    for series, size in frame.groupby("series")["params"].median().items():
        value = fit.law.evaluate({names["params"]: size, names["tokens"]: x}, fit.coefficients)
        lines.append(pd.DataFrame({"series": series, "x": x, "value": value}))
    return pd.concat(lines, ignore_index=True)


def _run_layers(frame: pd.DataFrame, x: alt.X, y: alt.Y, colour: alt.Color) -> marks.Layers:
    frame = frames.sampled(frame, "x", "value")
    unseen = frame["role"] == "held out"
    return [
        *marks.dots(frame[~unseen], x=x, y=y, color=colour, tips=_TIPS),
        *marks.rings(frame[unseen], x=x, y=y, color=colour, tips=_TIPS),
    ]


def _how_many(frame: pd.DataFrame, lost: pd.DataFrame) -> str:
    roles = frame["role"].value_counts()
    said = f"{counted(len(frame), 'run')}"
    if "fitted" in roles:
        said = f"{counted(int(roles['fitted']), 'fitted run')}"
        said += f", {roles['held out']} that the fit has not seen (hollow)" if "held out" in roles else ""
    return f"{said}{_lost_words(lost)}.{frames.sample_words(frame)}"


def _lost_words(lost: pd.DataFrame) -> str:
    return f", {len(lost)} diverged or failed (crosses at the top)" if len(lost) else ""


def _frontier_words(fit: Fit | None, frontier: pd.DataFrame) -> str:
    if fit is None or frontier.empty:
        return ""
    what = "at the best size for each budget" if "params" in fit.inputs.values() else "as fitted"
    return f" Dashed: {fit.law.name} {what}."


def _curve_words(curves: pd.DataFrame) -> str:
    return " Thin: training loss before decay." if len(curves) else ""
