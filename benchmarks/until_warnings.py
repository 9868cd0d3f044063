"""How often `sweep --until` warns of its own forecast: where the law is the true one, and where not.

Whole loops on the quickstart's ladder with more sizes and horizons; losses follow a formula, with noise
between seeds, and nothing is trained. Kaplan's law is fitted throughout.

Use: python benchmarks/until_warnings.py [--full] [--studies N] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

import allometry as al
from allometry.laws import kaplan
from allometry.sweeps.closing import Closing
from allometry.sweeps.designs import Design
from allometry.sweeps.fits import target_inputs
from allometry.sweeps.rounds import judge_forecast, sweep_until
from allometry.sweeps.spec import quickstart_path
from allometry.sweeps.until import Until
from benchmarks.parts.page import Table, goal, options, progress, publish

NOISE = 0.003  # standard deviation of the log loss between seeds
RULE = Until(width=0.025)
DRAWS = 100
FALSE_ALARMS, ALARMS = 0.1, 0.5
QUICKSTART = quickstart_path().read_text()
SIZES = "".join(
    f"  {{ width = {16 * heads}, layers = {layers}, heads = {heads} }},\n"
    for heads, layers in ((1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 2))
)
HORIZONS = "196608, 242176, 298496, 367616, 453120, 558592, 688128"


def obeyed(params: float, tokens: float) -> float:
    """Kaplan et al. 2020, eq. 1.5, at its published coefficients: the law that is fitted."""
    return float(kaplan.evaluate({"params": params, "tokens": tokens}, kaplan.typical))


def broken(params: float, tokens: float) -> float:
    """The same, with a break in compute among the runs: tenfold beyond it, losses are 6% above the law's."""
    return obeyed(params, tokens) * float((1 + (6 * params * tokens / 5e10) ** 2) ** 0.0125)


def broken_late(params: float, tokens: float) -> float:
    """The same, at the largest runs that a loop makes: tenfold beyond it, losses are 4% above the law's."""
    return obeyed(params, tokens) * float((1 + (6 * params * tokens / 2e11) ** 2) ** 0.0085)


def floored(params: float, tokens: float) -> float:
    """Hoffmann et al. 2022, eq. 2, with half of the loss in the floor, which Kaplan's law has none of."""
    return float(1.9 + 70 / params**0.35 + 44 / tokens**0.3)


TRUTHS: Mapping[str, Callable[[float, float], float]] = {
    "the fitted law": obeyed, "a break among the runs": broken, "a floor": floored,
    "a break at the largest": broken_late,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ended:
    """One loop: what it says of its forecast, and by how much that missed the truth."""

    judged: Closing
    outside: bool


@dataclass(frozen=True, kw_only=True)
class Lab:
    """Makes runs by a formula, with noise of each study and recipe."""

    study: al.Study
    truth: Callable[[float, float], float]
    seed: int

    def train(self, design: Design) -> al.Runs:
        """Make what is not there, trunks whole."""
        for planned in design.recipes(self.study.runs()):
            recipe = planned.recipe
            if self.study.run(recipe.run_id) is not None:
                continue
            params = recipe.architecture.params()
            noise = np.random.default_rng([self.seed, int(recipe.run_id, 16)]).standard_normal()
            values = {
                "design": planned.design, "parent": recipe.parent, "params": params, "seed": recipe.seed,
                "tokens": recipe.tokens, "flops": recipe.flops(), "decayed": planned.design != "trunk",
                "loss": self.truth(params, recipe.tokens) * float(np.exp(NOISE * noise)),
            }  # fmt: skip
            self.study.save_run(al.Run(run_id=recipe.run_id, status="done", values=values))
        return self.study.runs()


def specification() -> str:
    """The quickstart's study.toml with more sizes and horizons to choose from, one law and no checks."""
    design = QUICKSTART[QUICKSTART.index("[design]") :].replace("check_tokens = 131072", "check_tokens = 0")
    before, _, rest = design.partition("sizes = [\n")
    _, _, after = rest.partition("horizons = [")
    _, _, after = after.partition("]\n")
    design = f"{before}sizes = [\n{SIZES}]\nhorizons = [{HORIZONS}]\n{after}"
    return f'name = "until"\n[[fits]]\nlaw = "kaplan"\ndraws = {DRAWS}\n\n{design}'


def loop(truth: Callable[[float, float], float], seed: int) -> Ended:
    """One study, from its first round to the end of its rule."""
    with tempfile.TemporaryDirectory() as folder:
        study = al.Study.create(Path(folder) / "study", specification())
        sweep_until(study, RULE, train=Lab(study=study, truth=truth, seed=seed).train)
        judged = judge_forecast(study)
        assert judged is not None, "a loop that ended has a fit"
        found, at = al.bootstrap(al.fit("kaplan", _fitted(study)), draws=DRAWS), target_inputs(study)
        forecast = found.predict(0.9, params=at["params"], tokens=at["tokens"])
        noise = np.random.default_rng([seed, 1]).standard_normal()
        outcome = truth(at["params"], at["tokens"]) * float(np.exp(NOISE * noise))
        return Ended(judged=judged, outside=not forecast.low <= outcome <= forecast.high)


def _fitted(study: al.Study) -> al.Runs:
    return study.runs().where("design = 'ladder'", because="trunks are not fitted")


def _row(name: str, found: list[Ended]) -> tuple[str, ...]:
    missed = [one for one in found if one.outside]
    return (
        name,
        f"{len(missed) / len(found):.0%}",
        f"{_warned(found):.0%}",
        f"{_warned(missed):.0%}" if missed else "",
        f"{np.median([one.judged.beyond for one in found]):.1f}",
    )


def _warned(found: list[Ended]) -> float:
    return float(np.mean([one.judged.warns for one in found]))


def main() -> None:
    """Print one table."""
    parser = options(__doc__)
    parser.add_argument("--studies", type=int, help="a truth; 100 with --full, else 5")
    asked = parser.parse_args()
    studies = asked.studies or (100 if asked.full else 5)
    found: dict[str, list[Ended]] = {}
    for name, truth in TRUTHS.items():
        progress(name)
        found[name] = [loop(truth, seed) for seed in range(studies)]
    right, *wrong, _late = found.values()
    table = Table(
        name="until-warnings",
        title="Warnings of a sweep that chose its runs",
        command="benchmarks/until_warnings.py --full",
        says=f"{studies} simulated loops a truth, noise of a run {NOISE:.1%}, until the interval is narrower "
        f"than {RULE.width:.1%}; Kaplan's law is fitted. Missed: the target fell outside the 90% interval. "
        "Warned: the law did not forecast the largest runs from the others. Beyond: compute of the target "
        "over that of the largest run, median. A break at the largest runs shows in none of them.",
        header=("truth", "missed", "warned", "warned of those missed", "beyond"),
        rows=[_row(name, each) for name, each in found.items()],
        notes=[
            goal(
                f"At most {FALSE_ALARMS:.0%} warned of the right law",
                _warned(right) <= FALSE_ALARMS,
                f"{_warned(right):.0%}",
            ),
            goal(
                "Most warned of a wrong one",
                min(map(_warned, wrong)) > ALARMS,
                f"{min(map(_warned, wrong)):.0%}",
            ),
        ],
    )
    publish(table, markdown=asked.markdown)


if __name__ == "__main__":
    main()
