"""Doublings to a wall: closed forms, order of the walls, the levelling alternative, refusals."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from allometry.cli import run
from allometry.errors import FitError, InputError
from allometry.plots import doublings_to_walls
from allometry.trends.series import Series
from allometry.trends.wall_bounds import Constraint, Range
from allometry.trends.walls import Walls, doublings_left
from allometry.trends.walls_file import parse_walls, read_walls

ROOT = Path(__file__).parents[2]
EXACT = Range.exactly


def wall(name: str = "power", bound: Range | float = 1.6e9, **more: Any) -> Constraint:
    reach = bound if isinstance(bound, Range) else EXACT(bound)
    return Constraint(name=name, now=EXACT(1e8), bound=reach, source="stated", **more)


def left(*constraints: Constraint, **more: Any) -> Walls:
    return doublings_left(constraints, **{"growth": EXACT(4.0), "start": 2025, "draws": 2000, **more})


def history(values: Any, years: Any) -> Series:
    labels = tuple(str(year) for year in years)
    return Series(name="flops", labels=labels, years=np.asarray(years, float), values=np.asarray(values))


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "examples" / "10_walls.py"))


@pytest.fixture(scope="module")
def found(example: dict[str, Any]) -> Walls:
    made: Walls = example["measure"]()
    return made


def test_known_rates_and_bounds_give_the_closed_form() -> None:
    # log2(16) = 4 doublings of the resource; half a doubling of it for each of compute, two of those a year,
    # against a bound that moves by 0.2 doublings a year: 4 / (0.5 · 2 − 0.2) = 5 years, 10 doublings.
    made = left(wall(share=EXACT(0.5), bound_growth=EXACT(2**0.2)), draws=3)

    row = made.table.iloc[0]
    assert (row["year"], row["doublings"]) == pytest.approx((2030, 10))
    assert (row["never"], row["binds_first"]) == (0, 1)


def test_a_bound_known_to_an_interval_gives_that_interval_of_doublings() -> None:
    made = left(wall(bound=Range(8e8, 3.2e9)), draws=4000)

    row = made.table.iloc[0]
    assert (row["doublings"], row["doublings_low"], row["doublings_high"]) == pytest.approx(
        (4, 3, 5), abs=0.07
    )


def test_the_first_of_two_walls_is_the_smaller_and_each_is_first_as_often_as_it_is_nearer() -> None:
    near, far = wall("near", Range(8e8, 3.2e9)), wall("far", Range(1.6e9, 6.4e9))
    made = left(near, far, draws=4000)

    # Doublings are normal: 4 and 5 with standard deviation 1 / 1.645 each.
    chance = norm.cdf(1 / (np.sqrt(2) / norm.ppf(0.95)))
    assert made.going_on.binds_first["near"] == pytest.approx(chance, abs=0.02)
    both = np.minimum(made.going_on.doublings["near"], made.going_on.doublings["far"])
    np.testing.assert_array_equal(made.going_on.first_doublings, both)


def test_draws_of_compute_growth_are_shared_by_the_walls() -> None:
    made = left(wall("one", 1.6e9), wall("two", 3.2e9), growth=Range(2.0, 8.0))

    years = made.going_on.years
    assert np.allclose(years["two"] / years["one"], 5 / 4)


def test_a_bound_that_grows_as_fast_as_use_is_never_reached_and_that_is_said() -> None:
    made = left(wall(bound_growth=EXACT(4.0)))

    assert made.table["never"].tolist() == [1, 1]
    assert made.table["year"].tolist() == [np.inf, np.inf]
    assert "no_wall_in_sight" in {one.code for one in made.findings}
    assert "never" in made.summary()


def test_a_stated_rate_says_that_the_alternative_was_not_looked_at() -> None:
    made = left(wall())

    assert made.levelling is None
    assert "no_alternative" in {one.code for one in made.findings}
    assert "nothing here can say whether growth levels off" in made.summary()


def test_where_compute_has_levelled_off_most_draws_reach_no_wall() -> None:
    years = np.linspace(2010, 2025, 14)
    rising = np.exp2(2 * (years - 2018) + 0.1 * np.random.default_rng(0).standard_normal(14))
    made = doublings_left([wall(bound=1e8 * 2**6)], history=history(rising / (1 + rising), years), draws=500)

    assert made.levelling is not None
    assert made.table.query("growth == 'levelling off'")["never"].iloc[0] > 0.9
    assert "growth_ends_first" in {one.code for one in made.findings}
    assert "A trend that levels off explains these points better" in made.summary()


def test_growth_that_goes_on_drifts_after_a_bend_and_the_levelling_alternative_never_falls() -> None:
    years = np.linspace(2015, 2025, 12)
    bent = np.exp2(np.where(years < 2022, 0.5, 3.0) * (years - 2022))
    made = doublings_left([wall()], history=history(bent, years), draws=300)

    assert made.history is not None
    assert made.levelling is not None
    assert made.history.drift > 0.3
    assert made.going_on.in_all.min() < 0 <= made.levelling.in_all.min()


def test_the_example_shows_both_ways_to_grow_and_its_page_what_it_prints(
    example: dict[str, Any], found: Walls
) -> None:
    page = (ROOT / "docs" / "trends" / "walls.md").read_text()
    shown = re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL)[-1]

    assert shown.strip() in found.summary()
    assert [way.growth for way in found.ways] == ["exponential", "levelling off"]
    assert found.going_on.binds_first["latency"] < 0.01
    assert sum(found.going_on.binds_first.values()) == pytest.approx(1)


def test_the_chart_has_a_bar_a_wall_and_way_inside_its_axis(found: Walls) -> None:
    chart = doublings_to_walls(found).to_dict()

    rows = pd.DataFrame(chart["datasets"][chart["layer"][0]["data"]["name"]])
    edge = chart["layer"][0]["encoding"]["x"]["scale"]["domain"][1]
    assert len(rows) == 2 * (5 + 1)
    assert rows["doublings_high"].max() == edge


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bound": EXACT(5e7)}, r"power: the bound, 5e\+07, does not lie above the present value, 1e\+08"),
        ({"bound": EXACT(1e8)}, "That wall is passed"),
    ],
)
def test_a_bound_below_the_present_value_is_refused(given: dict[str, Range], message: str) -> None:
    with pytest.raises(InputError, match=message):
        wall(**given)  # type: ignore[arg-type]


def test_wrong_input_gets_a_sentence() -> None:
    years = [2020.0, 2021, 2022]
    with pytest.raises(InputError, match="at a rate of zero or less no wall is ever reached"):
        left(wall(), growth=EXACT(1.0))
    with pytest.raises(InputError, match="at least one constraint"):
        left()
    with pytest.raises(InputError, match="Two constraints have one name"):
        left(wall(), wall())
    with pytest.raises(InputError, match="not both"):
        doublings_left([wall()])
    with pytest.raises(InputError, match="from which date"):
        doublings_left([wall()], growth=EXACT(4))
    with pytest.raises(FitError, match="needs 4 dated points or more; there are 3"):
        doublings_left([wall()], history=history([1.0, 2, 4], years))
    with pytest.raises(InputError, match="the lower one first"):
        Range(3, 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"constraints": {}}, r"no \[constraints.NAME\] table"),
        ({"constraints": {"power": {"now": 1}}}, "has no 'bound'"),
        ({"constraints": {"power": {"now": 1, "bound": "many"}}}, "write a number, or"),
        ({"constraints": {"power": {"now": 1, "bund": 2}}}, "unknown 'bund'. Did you mean 'bound'"),
        ({"constraints": {"power": 3}}, r"write \[constraints.power\]"),
    ],
)
def test_a_file_that_is_not_understood_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_walls(given)


def test_the_command_reads_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "walls.toml"
    path.write_text(
        'start = "2025-01-01"\ngrowth = 4\n[constraints.power]\nnow = 1e8\nbound = 1.6e9\nsource = "x"\n'
    )

    assert run(["trend", "walls", str(path), "--draws", "10", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["walls"][0]
    assert (row["constraint"], row["doublings"]) == ("power", pytest.approx(4))
    with pytest.raises(InputError, match="There is no file"):
        read_walls(tmp_path / "absent.toml")
    path.write_text("start = ")
    with pytest.raises(InputError, match="cannot be read as TOML"):
        read_walls(path)
