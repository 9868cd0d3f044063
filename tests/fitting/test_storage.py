"""A saved fit comes back bit for bit, or says what is wrong."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from allometry.errors import CorruptFile, InputError
from allometry.fitting import Fit, bootstrap, fit
from allometry.fitting.reproducing import reproduce
from allometry.laws import Coefficient, law
from allometry.runs.run import Runs

MakeRuns = Callable[..., Runs]


def test_a_loaded_fit_equals_the_saved_one_bit_for_bit(drawn: Fit, tmp_path: Path) -> None:
    drawn.save(tmp_path / "fit.json")
    loaded = Fit.load(tmp_path / "fit.json")

    assert loaded.fit_hash == drawn.fit_hash
    assert loaded.data_hash == drawn.data_hash
    assert loaded.draws is not None
    assert drawn.draws is not None
    np.testing.assert_array_equal(loaded.draws.to_numpy(), drawn.draws.to_numpy())
    assert loaded.summary() == drawn.summary()
    assert loaded.predict(params=1e8, tokens=2e9) == drawn.predict(params=1e8, tokens=2e9)
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "fit.json").read_bytes()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"checksum": "0", "format": 1}', "\0\xff"])
def test_a_file_that_is_no_fit_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "fit.json"
    path.write_bytes(content.encode("latin-1"))

    with pytest.raises(CorruptFile, match=r"fit\.json"):
        Fit.load(path)


def test_a_changed_digit_is_noticed(drawn: Fit, tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    drawn.save(path)
    stored = json.loads(path.read_text())
    stored["coefficients"]["alpha"] += 0.01
    path.write_text(json.dumps(stored))

    with pytest.raises(CorruptFile, match="was changed"):
        Fit.load(path)


@pytest.mark.parametrize(
    ("part", "value"),
    [("status", "fine"), ("coefficients", {"A": "many"}), ("data", {"inputs": {}}), ("starts", 16)],
)
def test_a_file_with_a_part_of_another_kind_is_refused_whatever_its_checksum(
    drawn: Fit, tmp_path: Path, part: str, value: object
) -> None:
    path = tmp_path / "fit.json"
    drawn.save(path)
    stored = {**json.loads(path.read_text()), part: value}
    content = {key: entry for key, entry in stored.items() if key != "checksum"}
    signed = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**content, "checksum": signed}))

    with pytest.raises(CorruptFile, match=r"fit\.json"):
        Fit.load(path)


def test_draws_of_one_start_each_come_out_again_to_the_last_digit(drawn: Fit, tmp_path: Path) -> None:
    bootstrap(drawn, draws=20, starts=1).save(tmp_path / "fit.json")

    assert reproduce(Fit.load(tmp_path / "fit.json")).identical


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        Fit.load(tmp_path / "none.json")


def test_a_users_own_law_is_asked_for_and_checked(tmp_path: Path, ladder: MakeRuns) -> None:
    coefficients = (Coefficient(name="a", meaning="scale", unit="nat/token", low=0.1, high=100.0),)

    @law(reads=("params",), source="own", coefficients=coefficients)
    def own(N, *, a):  # type: ignore[no-untyped-def]
        return a / N**0.1

    @law(reads=("params",), source="own", coefficients=coefficients)
    def other(N, *, a):  # type: ignore[no-untyped-def]
        return a / N**0.2

    fit(own, ladder(0.01)).save(tmp_path / "fit.json")

    assert Fit.load(tmp_path / "fit.json", law=own).law is own
    with pytest.raises(InputError, match="Give the law"):
        Fit.load(tmp_path / "fit.json")
    with pytest.raises(InputError, match="Fit again"):
        Fit.load(tmp_path / "fit.json", law=other)


def test_a_summary_names_values_units_intervals_and_what_was_left_out(
    drawn: Fit, ladder: MakeRuns, changed: MakeRuns
) -> None:
    runs = changed(ladder(0.005), status=["failed", *["done"] * 19])

    assert "left out    1 by not: status = 'done'" in fit("chinchilla", runs).summary()
    for words in ("0.3", "nat/token", " to ", "90%", "16 starts", "delta 0.001"):
        assert words in drawn.summary()


def test_a_summary_names_the_scale_of_comparison(ladder: MakeRuns) -> None:
    runs = Runs(ladder().table.assign(score=np.linspace(0.9, 0.1, 20)))
    made = {
        on: fit("power_law", runs, inputs={"x": "params"}, output="score", on=on) for on in ("log", "logit")
    }

    assert "on log score: " in made["log"].summary()
    assert "on logit score: " in made["logit"].summary()
