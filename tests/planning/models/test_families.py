"""Public models counted from the fields of their `config.json`, against what their checkpoints hold.

published.json has, for each, those fields and all parameters to the last.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from allometry.planning.models import FAMILIES, model_of

PUBLISHED: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("published.json").read_text())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_checkpoint_is_counted_to_the_last_parameter(name: str) -> None:
    published = PUBLISHED[name]

    assert model_of(published["config"]).shape.params("total") == published["params"]


def test_every_family_with_checkpoints_is_held_against_one() -> None:
    counted = {published["config"]["model_type"] for published in PUBLISHED.values()}

    assert set(FAMILIES) - counted == {"lstm", "gru"}  # which no publisher's files name
