"""Other packages, each installed from PyPI into an environment of its own and asked in its own process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy

HERE = Path(__file__).parent


class NotRun(Exception):
    """A peer that cannot be run here; the reason goes into the table."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A package to compare with.

    Attributes:
        name: As shown, with its version.
        requires: What pip installs.
        script: File beside this one that its Python runs: a question as JSON in, an answer as JSON out.
        python: The oldest Python it installs on.
    """

    name: str
    requires: tuple[str, ...]
    script: str
    python: tuple[int, int] = (3, 9)


NOTEBOOK = Peer(
    name="published notebook's way (autograd)",
    requires=("autograd==1.8.0", f"numpy=={np.__version__}", f"scipy=={scipy.__version__}"),
    script="ask_autograd.py",
)
CHINCHILLA = Peer(name="chinchilla 0.2.0", requires=("chinchilla==0.2.0",), script="ask_chinchilla.py")
SIMPLE = Peer(
    name="simple-scaling-laws 0.2.0",
    requires=("simple-scaling-laws==0.2.0",),
    script="ask_simple_scaling_laws.py",
    python=(3, 12),
)


def ask(peer: Peer, folder: Path | None, question: Mapping[str, Any]) -> dict[str, Any]:
    """What a peer answers; its environment is made in `folder` the first time.

    Raises:
        NotRun: If peers were not asked for, no Python is new enough, or it cannot be installed or fails.
    """
    if folder is None:
        raise NotRun("not run: give --peers FOLDER")
    answer = subprocess.run(
        [_environment(peer, folder), HERE / peer.script],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise NotRun(f"failed: {_last_line(answer.stderr)}")
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def _environment(peer: Peer, folder: Path) -> Path:
    home = folder.resolve() / Path(peer.script).stem
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = home / "installed"
    if not ready.exists():
        _run([_interpreter(peer.python), "-m", "venv", str(home)])
        _run([str(python), "-m", "pip", "install", "--quiet", *peer.requires])
        ready.touch()
    return python


def _interpreter(oldest: tuple[int, int]) -> str:
    """A Python that is new enough: this one, or one by its name."""
    if sys.version_info[:2] >= oldest:
        return sys.executable
    for minor in range(oldest[1], oldest[1] + 4):
        path = shutil.which(f"python3.{minor}")
        # A version manager may leave a name on the path that starts nothing.
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    raise NotRun(f"not run: needs Python {oldest[0]}.{oldest[1]}")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRun(f"not installed: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "without a word"
