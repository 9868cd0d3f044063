"""One dial, and everything else follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from allometry.architectures import ARCHITECTURES, Transformer
from allometry.architectures.dials import resized, shape, with_dimensions
from allometry.errors import InputError, UnknownName

TEXT = {"vocab": 512, "context": 32}


@given(depth=st.integers(1, 40), aspect=st.sampled_from([16, 32, 64]))
def test_width_and_heads_follow_from_the_depth(depth: int, aspect: int) -> None:
    made = shape("transformer", depth=depth, aspect=aspect, **TEXT)

    follows = {"layers": depth, "width": aspect * depth, "heads": aspect * depth // 16}
    assert made.dimensions() == {**TEXT, **follows}


@given(size=st.floats(2e4, 1e10))
def test_a_size_is_met_within_half_a_step_of_the_width(size: float) -> None:
    made = shape("transformer", size=size, **TEXT)

    width = made.dimensions()["width"]
    # N grows as the width squared, and the width goes in steps of 16: half a step either way, and the gains.
    assert made.params("non_embedding") / size == pytest.approx(1, abs=16 / width + 0.06)


def test_a_size_may_be_written_with_a_prefix() -> None:
    assert shape("transformer", size="0.4M", **TEXT) == shape("transformer", size=4e5, **TEXT)


def test_what_is_given_is_not_derived() -> None:
    made = shape("transformer", depth=2, width=48, mlp_ratio=2, **TEXT)
    assert isinstance(made, Transformer)
    assert (made.layers, made.width, made.heads, made.mlp_ratio) == (2, 48, 3, 2)

    deep = shape("transformer", size="100k", layers=6, **TEXT)
    assert deep.dimensions()["layers"] == 6
    assert deep.params("non_embedding") == pytest.approx(1e5, rel=0.5)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_architecture_has_the_dial(kind: str) -> None:
    made = shape(kind, size="300k", **TEXT)
    table = with_dimensions({"kind": kind, "size": "300k", **TEXT})

    assert made.params("non_embedding") == pytest.approx(3e5, rel=0.25)
    assert TypeAdapter(type(made)).validate_python(table) == made
    assert resized(shape(kind, depth=1, **TEXT), size="300k") == made


def test_heads_fit_a_width_that_is_no_multiple_of_theirs() -> None:
    assert (
        shape("transformer", depth=1, width=40, **TEXT).dimensions()["heads"] == 2
    )  # 2 of 20, not 2.5 of 16
    assert shape("transformer", depth=1, width=6, **TEXT).dimensions()["heads"] == 1


def test_a_resized_model_keeps_its_other_choices() -> None:
    base = Transformer(vocab=512, context=32, width=16, layers=1, heads=1, mlp_ratio=3)

    made = resized(base, size="100k")

    assert isinstance(made, Transformer)
    assert made.mlp_ratio == 3
    assert made.params("non_embedding") == pytest.approx(1e5, rel=0.25)


@pytest.mark.parametrize(
    ("dial", "says"),
    [
        ({}, "State depth or size, one of both"),
        ({"depth": 2, "size": 1e5}, "State depth or size, one of both"),
        ({"depth": 0}, "depth must be a whole number of at least 1, not 0"),
        ({"depth": 2.5}, "depth must be a whole number"),
        ({"depth": True}, "depth must be a whole number"),
        ({"depth": 2, "aspect": 0}, "aspect must be a whole number of at least 1"),
        ({"size": -1.0}, "size must be a number of parameters above 0"),
        ({"size": float("nan")}, "size must be a number of parameters above 0"),
        ({"size": "many"}, "'many' is not a quantity"),
        ({"size": 100}, "the nearest has 3.12k"),
        ({"size": 1e5, "width": 48, "layers": 2}, "leave size nothing to derive"),
        ({"depth": 2, "mlp_rato": 3}, "'transformer' has no field 'mlp_rato'. Did you mean 'mlp_ratio'"),
    ],
)
def test_a_dial_that_says_nothing_clear_is_refused(dial: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        shape("transformer", **TEXT, **dial)  # type: ignore[arg-type]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'transformer'"):
        shape("transfomer", depth=2, **TEXT)


@pytest.mark.parametrize(
    "table", [3, "transformer", {"kind": "transformer", "width": 16}, {"kind": "unheard of", "depth": 2}]
)
def test_what_has_no_dial_is_read_as_it_is(table: object) -> None:
    assert with_dimensions(table) == table


def test_a_table_with_a_dial_and_another_mistake_is_left_to_its_reader() -> None:
    table = with_dimensions({"size": 1e5, "vocab": "x", "context": 32, "no such key": 1})

    assert table == {"vocab": "x", "context": 32, "no such key": 1, "width": 16, "layers": 1, "heads": 1}
