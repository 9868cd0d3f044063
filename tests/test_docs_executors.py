"""What the pages on executors tell a reader to write is understood."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from allometry.sweeps.executors.places import Local, Slurm
from allometry.sweeps.trainers import Command, read_trainer
from allometry.sweeps.trainers.results import JsonFile, JsonLine, Patterns, PythonResult

ROOT = Path(__file__).parents[1]


def blocks(page: Path) -> list[dict[str, Any]]:
    found = re.findall(r"^ *```toml\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [tomllib.loads(text) for text in found]


def test_the_page_on_executors_writes_what_is_read() -> None:
    trained, local = blocks(ROOT / "docs" / "executors.md")

    assert isinstance(read_trainer(trained["trainer"]), Command)
    assert Local(**local).needs[1].processes == 2


def test_every_way_to_a_result_that_the_page_lists_is_one() -> None:
    page = (ROOT / "docs" / "executors.md").read_text()
    listed = [
        tomllib.loads(f"result = {text}")["result"] for text in re.findall(r"^\| `(\{.*?\})` \|", page, re.M)
    ]

    made = [Command(command="x", result=result).result for result in listed]

    assert [type(result) for result in made] == [JsonLine, JsonFile, Patterns, PythonResult]


def test_the_cluster_file_of_the_example_is_one() -> None:
    (values,) = blocks(ROOT / "examples" / "04_sweep_on_slurm.md")

    place = Slurm(**values)

    assert (place.minutes, place.needs[1].from_params, place.needs[1].sharding) == (240, 3e8, "fsdp")
