"""Commands that ask one question of a recipe or of a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

import allometry as al
from allometry.cli.application import Flag, app
from allometry.errors import InputError
from allometry.units import read_quantity


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(read_quantity(part) for part in text.split(","))


def _whole_numbers(text: str) -> tuple[int, ...]:
    numbers = _numbers(text)
    if any(number % 1 for number in numbers):
        raise InputError(f"'{text}' is not a list of whole numbers; write it like 32,64,128.")
    return tuple(map(int, numbers))


# Lists in one word, with commas between: --widths 32,64,128
Numbers = Annotated[
    tuple[float, ...],
    Parameter(converter=lambda _, tokens: _numbers(tokens[0].value), n_tokens=1, negative=()),
]
WholeNumbers = Annotated[
    tuple[int, ...],
    Parameter(converter=lambda _, tokens: _whole_numbers(tokens[0].value), n_tokens=1, negative=()),
]
# Refused before anything is trained
Picture = Annotated[Path, Parameter(validator=validators.Path(ext=("svg", "png")))]


@app.command(sort_key=2.62)
def floor(recipe: Path, *, json: Flag = False) -> int:
    """State the least loss that any model can reach on a recipe's synthetic source: its exact entropy rate.

    Parameters
    ----------
    recipe
        A recipe file (.toml).
    json
        Print the floor as JSON.
    """
    from allometry.lab.synthetic import recipe_floor
    from allometry.recipe.reading import read_recipes
    from allometry.report.terminal import show

    (read,) = read_recipes([recipe])
    least, kind = recipe_floor(read), read.data.corpus.kind
    text = f"{least:.6f} nat/token is the entropy rate of {kind}: no model has a lower expected loss."
    return show({"source": kind, "floor": least, "unit": "nat/token"}, text, json)


@app.command(sort_key=2.64)
def coordinates(
    recipe: Path, *, widths: WholeNumbers, steps: int = 5, seeds: int = 2, json: Flag = False
) -> int:
    """Check whether activations keep their size as a recipe's model gets wider, over a few steps.

    Parameters
    ----------
    recipe
        A recipe file (.toml).
    widths
        At least two, for example 32,64,128.
    steps
        Training steps at each width.
    seeds
        Initialisations at each width.
    json
        Print the slopes as JSON.
    """
    from allometry.lab.coordinate_check import coordinate_check
    from allometry.recipe.reading import read_recipes
    from allometry.report.terminal import show

    (read,) = read_recipes([recipe])
    found = coordinate_check(read, widths, steps=steps, seeds=seeds)
    return show({"slopes": found.slopes(), "drifting": found.drifting()}, found.describe(), json)


@app.command(sort_key=2.66)
def transfer(
    recipe: Path,
    *,
    widths: WholeNumbers,
    rates: Numbers,
    seeds: int = 1,
    into: Path | None = None,
    plot: Picture | None = None,
    json: Flag = False,
) -> int:
    """Train a recipe at several widths and learning rates, and say whether the best rate moves.

    Parameters
    ----------
    recipe
        A recipe file (.toml).
    widths
        For example 32,64,128.
    rates
        Peak learning rates, for example 0.005,0.01,0.02.
    seeds
        Runs of each.
    into
        The folder of a study that keeps the runs, and from which they are taken up again; none if not given.
    plot
        Where to save loss against rate, a line a width, as a picture: a .svg or .png file.
    json
        Print the best rates and the runs as JSON.
    """
    from allometry.fitting.learning_rates import best_rates, describe_rates
    from allometry.lab.rate_transfer import learning_rate_transfer
    from allometry.plots import learning_rate_transfer as drawn
    from allometry.plots import save_picture
    from allometry.recipe.reading import read_recipes
    from allometry.report.terminal import show
    from allometry.sweeps.spec import open_collection

    (read,) = read_recipes([recipe])
    runs = learning_rate_transfer(
        read, widths, rates, seeds=seeds, study=open_collection(into) if into else None
    )
    if plot:
        save_picture(drawn(runs), plot)
    best = best_rates(runs)
    return show({"best": best, "runs": runs}, describe_rates(best), json)


@app.command(sort_key=2.7)
def quantize(
    study: Path, run: str, *, bits: WholeNumbers = (8, 6, 5, 4, 3, 2), device: str = "cpu", json: Flag = False
) -> int:
    """Score a finished run again with its weights rounded to few bits, beside the run itself; kept as rows.

    Parameters
    ----------
    study
        The folder of a study.
    run
        The id of a finished run in it.
    bits
        From 2 to 8, for example 8,4,3,2; each makes a row.
    device
        cpu, cuda, cuda:1 …
    json
        Print the rows as JSON.
    """
    from allometry.lab.quantization import quantize as rounded
    from allometry.report.terminal import show_table

    place = al.Study.open(study)
    rows = [row.run_id for row in rounded(place, run, bits=bits, device=device)]
    table = place.runs().table
    table = table[table["run_id"].isin([run, *rows])].sort_values(
        "quantized_bits", ascending=False, na_position="first"
    )
    return show_table(table.filter(["run_id", "quantized_bits", "loss", "bits_per_byte"]), json)


def attempts(
    study: Path,
    run: str,
    *,
    attempts: int = 100,
    temperature: float = 1.0,
    problems: int = 512,
    seed: int = 0,
    device: str = "cpu",
    json: Flag = False,
) -> int:
    """Let a finished run make many attempts at held-out problems of its task, and count the right ones.

    Parameters
    ----------
    study
        The folder of a study.
    run
        The id of a finished run in it, trained on a task.
    attempts
        At every problem.
    temperature
        Of the sampling, above 0.
    problems
        Held-out problems.
    seed
        Of the sampling.
    device
        cpu, cuda, cuda:1 …
    json
        Print pass@k, the cost and the counts as JSON.
    """
    from allometry.lab.tasks.finished import attempt_held_out, attempts_file
    from allometry.report.terminal import show

    place = al.Study.open(study)
    found = attempt_held_out(
        place, run, attempts=attempts, temperature=temperature, problems=problems, seed=seed, device=device
    )
    file = attempts_file(place, run, found, seed=seed)
    passed = found.pass_table()
    counts = {"pass": passed, "tokens": found.tokens, "flops": found.flops, "file": file}
    return show({**counts, "problems": found.table()}, f"{found.describe()}\nThe counts are in {file}.", json)
