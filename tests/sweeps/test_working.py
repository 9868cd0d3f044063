"""The processes that make runs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from allometry.sweeps.executors.working import SETTINGS

STEPS = """
import resource
def step():
    return len([b"x" * 2**22 for _ in range(4)])  # freed when it returns, as activations are
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are those of glibc's malloc")
def test_a_worker_keeps_the_memory_of_a_step_for_the_next() -> None:
    told = subprocess.run(
        [sys.executable, "-c", STEPS], env=os.environ | SETTINGS, capture_output=True, text=True, check=True
    )

    assert int(told.stdout) < 100  # pages fetched from the system; a step has 4096
