"""Which run a run begins with, or learns from, is part of what it is."""

import tomllib
from dataclasses import replace
from typing import Any

import pytest
import tomli_w

from allometry.errors import RecipeError
from allometry.recipe import Continue, Distill, FineTune, Recipe, spelled_out

FIRST, SECOND = "0123456789ab", "ba9876543210"


def test_the_parents_identity_is_part_of_the_childs(tiny: Recipe) -> None:
    children = [
        tiny,
        replace(tiny, start=FineTune(run=FIRST)),
        replace(tiny, start=FineTune(run=SECOND)),
        replace(tiny, start=Continue(run=FIRST)),
        replace(tiny, distill=Distill(teacher=FIRST)),
        replace(tiny, distill=Distill(teacher=FIRST, temperature=2.0)),
        replace(tiny, distill=Distill(teacher=FIRST, share=1.0)),
    ]

    assert len({child.run_id for child in children}) == len(children)
    assert [Recipe.from_toml(child.to_toml()) for child in children] == children


def test_a_run_from_scratch_has_no_lineage_in_its_identity(tiny: Recipe) -> None:
    assert not {"start", "distill"} & spelled_out(tiny, defaults=False).keys()


def test_ancestors_are_the_runs_that_must_be_done_first(tiny: Recipe) -> None:
    child = replace(tiny, start=FineTune(run=FIRST), distill=Distill(teacher=SECOND), parent=tiny.run_id)

    assert child.ancestors == (FIRST, SECOND)


def test_the_trunk_of_a_fine_tuned_run_starts_where_it_does(tiny: Recipe) -> None:
    assert replace(tiny, start=FineTune(run=FIRST)).trunk().start == FineTune(run=FIRST)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"start": {"kind": "fine_tune", "run": "../x"}}, "[start]: 'run' is '../x'"),
        ({"start": {"kind": "fine_tune", "run": FIRST.upper()}}, "[start]: 'run' is"),
        ({"start": {"kind": "finetune", "run": FIRST}}, "finetune"),
        ({"start": {"kind": "continue"}}, "lacks 'run', which has no default"),
        ({"distill": {"teacher": FIRST, "temperature": 0.0}}, "'temperature' is 0.0"),
        ({"distill": {"teacher": FIRST, "temperature": float("inf")}}, "'temperature' is inf"),
        ({"distill": {"teacher": FIRST, "share": 1.5}}, "'share' is 1.5"),
        ({"evaluations": -1}, "'evaluations' is -1"),
    ],
    ids=str,
)
def test_what_is_wrong_is_one_sentence(tiny: Recipe, changes: dict[str, Any], says: str) -> None:
    text = tomli_w.dumps(tomllib.loads(tiny.to_toml()) | changes)

    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(text, "r.toml")

    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
