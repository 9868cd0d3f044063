"""All tests of the lab run on one thread."""

import pytest


@pytest.fixture(scope="package", autouse=True)
def on_one_thread(one_thread: None) -> None:
    """As a sweep's workers do."""
