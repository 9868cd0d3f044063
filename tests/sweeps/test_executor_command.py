"""A sweep over worker processes with a user's own trainer: no trunks, no torch, nothing made twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from allometry.errors import InputError
from allometry.runs.study import Study
from allometry.sweeps.designs import Ladder
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import Command

SCRIPT = """
echo $1 >> {made}
[ $1 = 1792 ] && [ ! -e {made}.killed ] && touch {made}.killed && kill -9 $$
[ $2 = 24 ] && [ $1 = 2816 ] && echo 'cannot do that' >&2 && exit 1
echo '{{"loss": 3.0}}'
"""


def test_a_ladder_is_made_straight_and_a_failed_cell_is_tried_again_by_the_next_sweep(
    ladder: Ladder, study: Study, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    (tmp_path / "train.sh").write_text(SCRIPT.format(made=made))
    trainer = Command(command=f"sh {tmp_path}/train.sh {{tokens}} {{width}}")

    first = run_sweep(ladder, study, trainer=trainer, workers=1).table
    tries = made.read_text().split()
    (tmp_path / "train.sh").write_text("""echo '{"loss": 3.0}'""")
    second = run_sweep(ladder, study, trainer=trainer, workers=1).table

    assert sorted(first["status"]) == ["done", "done", "done", "failed"]
    assert set(first["design"]) == {"ladder"}
    assert sorted(tries) == ["1792", "1792", "1792", "2816", "2816"]  # one of them killed once, and taken up
    assert "its trainer ended with code 1: cannot do that" in set(first["reason"])
    assert list(second["status"]) == ["done"] * 4


def test_an_unknown_field_is_refused_before_anything_starts(ladder: Ladder, study: Study) -> None:
    with pytest.raises(InputError, match=r"\{n_layer\}"):
        run_sweep(ladder, study, trainer=Command(command="train {n_layer}"))

    assert not study.runs().table.size
    assert not (study.folder / "workers.log").exists()
