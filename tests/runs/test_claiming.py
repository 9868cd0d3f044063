"""A run is one process's at a time, whoever wants it; a claim outlives its holder by a minute at most."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from allometry.errors import StudyBusy, StudyError
from allometry.runs import claiming
from allometry.runs.claiming import AHEAD_SECONDS, CLAIM, STALE_SECONDS, Claim, claimed, holder_of, try_claim
from allometry.runs.processes import Process
from allometry.runs.study import Study

# Made once: what the many share is the study's folder and nothing else.
WRITERS = """
import json, os, random, sys
from pathlib import Path
from allometry.runs.claiming import try_claim
from allometry.runs.run import Run
from allometry.runs.study import Study

study = Study.open(sys.argv[1])
names = [f"{number:012x}" for number in range(int(sys.argv[3]))]

def work(seed):
    random.seed(seed)
    left = random.sample(names, len(names))
    while left := [name for name in left if not is_made(name)]:
        pass

def is_made(name):
    if study.run(name):
        return True
    claim = try_claim(study.run_folder(name))
    if claim is None:
        return False
    try:
        if not study.run(name):
            make(name, claim)
    finally:
        claim.release()
    return True

def make(name, claim):
    folder = study.run_folder(name)
    with (folder / "history.jsonl").open("a") as curve:
        for step in range(1, 4):
            print(json.dumps({"step": step, "loss": 3 / step, "maker": os.getpid()}), file=curve, flush=True)
    claim.confirm()
    study.save_run(Run(run_id=name, status="done", values={"loss": 1.0, "maker": os.getpid()}))

children = []
for seed in range(int(sys.argv[2])):
    child = os.fork()
    if not child:
        work(seed)
        os._exit(0)
    children.append(child)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


def elsewhere() -> Process:
    return Process(machine="another", host="node7", number=1, began="1")


def leave_claim(folder: Path, process: Process, *, silent: float) -> None:
    """What a holder leaves behind that last beat so many seconds ago."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {"process": asdict(process), "token": "theirs", "begun": "2026-01-01T00:00:00.000+00:00"}
    (folder / CLAIM).write_text(json.dumps(said))
    os.utime(folder / CLAIM, (time.time() - silent,) * 2)


def ended_process() -> Process:
    code = (
        "import json; from dataclasses import asdict; from allometry.runs.processes import Process\n"
        "print(json.dumps(asdict(Process.own())))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    return Process(**json.loads(said))


@pytest.mark.parametrize(
    ("writers", "runs"), [(4, 30), pytest.param(8, 500, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_of_many_writers_none_loses_repeats_or_spoils_a_run(tmp_path: Path, writers: int, runs: int) -> None:
    study = Study.create(tmp_path / "study", "")

    made = subprocess.run([sys.executable, "-c", WRITERS, str(study.folder), str(writers), str(runs)])

    assert made.returncode == 0
    table = study.runs().table
    assert list(table["run_id"]) == [f"{number:012x}" for number in range(runs)]
    for run_id, maker in zip(table["run_id"], table["maker"], strict=True):
        curve = study.history(run_id)
        assert list(curve["step"]) == [1, 2, 3]
        assert set(curve["maker"]) == {maker}
        left = {path.name for path in study.run_folder(run_id).iterdir()}
        assert left == {"history.jsonl", "run.json"}


def test_a_run_that_is_claimed_is_no_others(tmp_path: Path) -> None:
    with (
        claimed(tmp_path),
        pytest.raises(StudyBusy, match=r"is being made by another process \(\d+ on .+\); wait"),
    ):
        claimed(tmp_path).__enter__()

    with claimed(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_claim_of_a_process_that_is_gone_is_taken_over_at_once(tmp_path: Path) -> None:
    leave_claim(tmp_path, ended_process(), silent=0)

    assert holder_of(tmp_path) is None
    with claimed(tmp_path):
        assert holder_of(tmp_path) is not None


@pytest.mark.parametrize(("silent", "free"), [(STALE_SECONDS / 2, False), (STALE_SECONDS + 1, True)])
def test_a_claim_from_another_machine_holds_until_it_is_silent_for_long(
    tmp_path: Path, silent: float, free: bool
) -> None:
    leave_claim(tmp_path, elsewhere(), silent=silent)

    claim = try_claim(tmp_path)

    assert (claim is not None) is free
    if claim is not None:
        claim.release()


@pytest.mark.parametrize(("ahead", "free"), [(AHEAD_SECONDS / 2, False), (AHEAD_SECONDS + 60, True)])
def test_a_claim_from_before_the_clock_was_set_back_does_not_hold_for_days(
    tmp_path: Path, ahead: float, free: bool
) -> None:
    leave_claim(tmp_path, elsewhere(), silent=-ahead)

    assert (holder_of(tmp_path) is None) is free


def test_a_claim_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path.write_bytes

    def cut_off(path: Path, text: bytes) -> int:
        whole(path, text[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", cut_off)
    with pytest.raises(StudyError, match="the disk is full"):
        try_claim(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_silence_is_judged_by_the_clock_of_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_claim(tmp_path, elsewhere(), silent=0)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(time, "time_ns", lambda: 2 * 10**18)

    assert try_claim(tmp_path) is None


def test_a_process_number_that_was_given_out_again_holds_nothing(tmp_path: Path) -> None:
    own = Process.own()
    if not own.began:
        pytest.skip("this system does not say when a process was started")
    leave_claim(tmp_path, Process(machine=own.machine, host="", number=own.number, began="1"), silent=0)

    assert holder_of(tmp_path) is None


def test_a_holder_whose_run_was_taken_over_is_told_so_and_leaves_the_claim(tmp_path: Path) -> None:
    with claimed(tmp_path) as claim:
        claim.confirm()
        leave_claim(tmp_path, elsewhere(), silent=0)
        with pytest.raises(StudyBusy, match="was taken up by another process"):
            claim.confirm()

    assert json.loads((tmp_path / CLAIM).read_text())["token"] == "theirs"


def test_a_claim_beats_while_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "BEAT", 0.01)
    with claimed(tmp_path):
        os.utime(tmp_path / CLAIM, (0, 0))
        deadline = time.monotonic() + 30
        while (tmp_path / CLAIM).stat().st_mtime == 0:
            assert time.monotonic() < deadline, "no beat"
            time.sleep(0.005)


def test_of_two_who_find_a_stale_claim_the_slower_takes_nothing_from_the_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_claim(tmp_path, elsewhere(), silent=STALE_SECONDS + 1)
    judged = claiming.Holder.is_gone
    faster: list[Claim | None] = []

    def slowly(holder: claiming.Holder, now_ns: int) -> bool:
        found = judged(holder, now_ns)
        if not faster:
            faster.append(None)
            faster[0] = try_claim(tmp_path)  # between the other's look and its move
        return found

    monkeypatch.setattr(claiming.Holder, "is_gone", slowly)

    assert try_claim(tmp_path) is None
    (first,) = faster
    assert first is not None
    first.confirm()
    first.release()


def test_a_file_system_without_links_has_claims_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)

    with claimed(tmp_path) as claim:
        claim.confirm()
        assert try_claim(tmp_path) is None

    assert list(tmp_path.iterdir()) == []


def test_a_half_written_claim_holds_as_long_as_it_is_young(tmp_path: Path) -> None:
    (tmp_path / CLAIM).write_text('{"process": ')

    assert try_claim(tmp_path) is None

    os.utime(tmp_path / CLAIM, (0, 0))
    with claimed(tmp_path):
        pass
