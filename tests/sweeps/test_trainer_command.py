"""The user's own trainer: told what to train, started without a shell, its result read, its failures kept."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from allometry.errors import InputError, RecipeError
from allometry.recipe import Recipe
from allometry.runs.run import Run
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Died, Ended
from allometry.sweeps.trainers import Command
from allometry.sweeps.trainers.results import JsonFile, JsonLine, Patterns, PythonResult
from allometry.sweeps.trainers.template import filled, recipe_fields, split_command
from allometry.sweeps.trainers.watch import Watch


def made(study: Study, run_id: str) -> Run:
    run = study.run(run_id)
    assert run is not None
    return run


def trained(
    study: Study, recipe: Recipe, script: str, trainer: Command | None = None, watch: Watch | None = None
) -> Ended | Died:
    """What becomes of a run whose trainer is a shell script, given the tokens and the run's folder."""
    path = study.folder / "train.sh"
    path.write_text(script)
    chosen = replace(trainer or Command(command="x"), command=f"sh {path} {{tokens}} {{folder}}")
    job = Job(recipe=recipe, study=str(study.folder), design="grid", trainer=chosen)
    return chosen.make(Job.from_json(job.to_json()), watch or Watch())


def test_values_are_filled_in_after_the_command_is_split_and_no_shell_sees_them() -> None:
    words = filled(split_command("train --name {name} --lr={rate:.1e}"), {"name": "a b; rm x", "rate": 0.02})

    assert words == ["train", "--name", "a b; rm x", "--lr=2.0e-02"]


def test_every_entry_of_a_recipe_is_a_field(tiny: Recipe) -> None:
    fields = recipe_fields(tiny, Path("runs/a"))

    words = ["{layers}", "{tokens}", "{optimizer.betas}", "{architecture.width}", "{params}", "{recipe}"]
    assert filled(words[:2], fields) == ["1", "2816"]
    assert filled(words[3:], fields) == ["16", str(tiny.architecture.params("matmul")), "runs/a/recipe.toml"]


def test_an_unknown_field_names_the_nearest_and_the_columns_there_are(tiny: Recipe) -> None:
    trainer = Command(command="python train.py --n-layer {layer}")

    with pytest.raises(
        InputError, match=r"field \{layer\} .* Did you mean 'layers'\? There are: .*, width, and"
    ):
        trainer.require([tiny], device="cpu", directory=".")


@pytest.mark.parametrize(
    ("command", "says"),
    [("", "is empty"), ("train 'x", "No closing quotation"), ("train {layers", "a brace too many")],
)
def test_a_command_that_is_none_is_refused(tiny: Recipe, command: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Command(command=command).require([tiny], device="cpu", directory=".")


def test_the_last_json_line_is_the_result_beside_the_facts_of_the_recipe(study: Study, tiny: Recipe) -> None:
    trainer = Command(command="x", result=JsonLine(columns={"val_loss": "loss"}))
    script = """echo '{"val_loss": 9}'; echo "{\\"val_loss\\": 3.5, \\"asked\\": $1}"; echo bye"""

    ended = trained(study, tiny, script, trainer)

    run = made(study, tiny.run_id)
    assert ended == Ended(run_id=tiny.run_id, status="done")
    assert (run.values["loss"], run.values["asked"], run.values["width"]) == (3.5, 2816, 16)
    assert run.values["design"] == "grid"


def test_counts_that_the_trainer_gives_hold_and_are_marked_as_its_own(study: Study, tiny: Recipe) -> None:
    trained(study, tiny, """echo '{"loss": 3, "params": 77}'""")

    values = made(study, tiny.run_id).values
    assert (values["params"], values["params_convention"]) == (77, "stated")
    assert values["flops_convention"] == "matmul"


def test_a_json_file_is_a_result(study: Study, tiny: Recipe) -> None:
    trainer = Command(command="x", result=JsonFile(path="{folder}/out-{seed}.json"))

    trained(study, tiny, """echo '{"loss": 2.5}' > $2/out-0.json""", trainer)

    assert made(study, tiny.run_id).values["loss"] == 2.5


def test_a_pattern_for_the_loss_that_matches_nothing_is_named(study: Study, tiny: Recipe) -> None:
    trainer = Command(command="x", result=Patterns(patterns={"loss": r"^val ([\d.]+)"}))

    ended = trained(study, tiny, "echo eval 3.0", trainer)

    assert isinstance(ended, Ended)
    assert r"the pattern for 'loss' matches nothing in what it printed, which is in" in ended.reason
    assert ended.reason.endswith(r": ^val ([\d.]+)")


def test_the_last_match_of_a_pattern_is_the_result(study: Study, tiny: Recipe) -> None:
    patterns = {"loss": r"^val ([\d.]+)", "seconds": r"took ([\d.]+)s"}
    trainer = Command(command="x", result=Patterns(patterns=patterns))

    trained(study, tiny, "echo val 4.0; echo val 3.25; echo took 12s", trainer)

    values = made(study, tiny.run_id).values
    assert (values["loss"], values["seconds"]) == (3.25, 12.0)


def test_a_function_of_the_users_reads_the_result(study: Study, tiny: Recipe, tmp_path: Path) -> None:
    code = "def read(finished):\n    return {'loss': float(finished.printed.split('/')[1])}\n"
    (tmp_path / "mine.py").write_text(code)
    trainer = Command(command="x", result=PythonResult(function=f"{tmp_path}/mine.py:read"))

    trained(study, tiny, "echo a/3.75/b", trainer)

    assert made(study, tiny.run_id).values["loss"] == 3.75


def test_a_loss_that_is_not_finite_is_a_divergence(study: Study, tiny: Recipe) -> None:
    ended = trained(study, tiny, """echo '{"loss": NaN}'""")

    assert isinstance(ended, Ended)
    assert ended.status == made(study, tiny.run_id).status == "diverged"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo nothing here", "ended without a result: none of the lines it printed is a JSON object"),
        (
            """echo '{"val": 3}'""",
            "it has no 'loss'. It has: val. Say which is it with columns = { theirs = \"loss\" }",
        ),
        ("""echo '{"loss": "low"}'""", "its loss is not a number: 'low'"),
        ("echo first >&2; echo 'out of luck' >&2; exit 3", "its trainer ended with code 3: out of luck"),
    ],
)
def test_a_failure_is_a_sentence_and_no_result(study: Study, tiny: Recipe, script: str, says: str) -> None:
    ended = trained(study, tiny, script)

    assert isinstance(ended, Ended)
    assert ended.status == "failed"
    assert says in ended.reason
    assert study.run(tiny.run_id) is None


def test_a_program_that_does_not_exist_is_a_sentence(study: Study, tiny: Recipe) -> None:
    trainer = Command(command="no-such-program {tokens}")
    job = Job(recipe=tiny, study=str(study.folder), design="grid", trainer=trainer)

    ended = trainer.make(job, Watch())

    assert isinstance(ended, Ended)
    assert ended.reason == "its trainer ended with code 127: no-such-program: No such file or directory"


def test_a_trainer_that_hangs_is_ended_with_all_that_it_started(study: Study, tiny: Recipe) -> None:
    trainer = Command(command="x", timeout_seconds=0.3, grace_seconds=0.2)
    begun = time.monotonic()

    ended = trained(study, tiny, "trap '' TERM; sleep 60 & echo $! > $2/child; wait; wait", trainer)

    assert time.monotonic() - begun < 30
    assert isinstance(ended, Ended)
    assert ended.reason == "its trainer did not end within 0.3 s (timeout_seconds)"
    child = int((study.run_folder(tiny.run_id) / "child").read_text())
    assert not Path(f"/proc/{child}").exists() or "zombie" in Path(f"/proc/{child}/status").read_text()


def test_a_trainer_that_is_killed_is_told_from_one_that_fails(study: Study, tiny: Recipe) -> None:
    died = trained(study, tiny, "kill -9 $$")

    assert died == Died(run_id=tiny.run_id, by_signal=True, reason="its trainer was killed by SIGKILL")


def test_a_trainer_asked_to_stop_may_save_and_its_time_counts_on(study: Study, tiny: Recipe) -> None:
    script = """
    trap 'echo saved > $2/checkpoint; exit 0' TERM
    if [ -e $2/checkpoint ]; then echo '{"loss": 3}'; exit 0; fi
    echo on > $2/going; while :; do sleep 0.05; done
    """
    going = study.run_folder(tiny.run_id) / "going"

    stopped = trained(study, tiny, script, watch=Watch(should_stop=going.exists))
    first = made(study, tiny.run_id).values
    ended = trained(study, tiny, script)

    assert isinstance(stopped, Ended)
    assert isinstance(ended, Ended)
    assert (stopped.status, ended.status) == ("stopped", "done")
    assert made(study, tiny.run_id).values["seconds"] > first["seconds"] > 0
    assert made(study, tiny.run_id).values["started"] == first["started"]


def test_a_finished_run_is_not_started_again(study: Study, tiny: Recipe) -> None:
    trained(study, tiny, """echo '{"loss": 3}'""")

    ended = trained(study, tiny, "exit 1")

    assert ended == Ended(run_id=tiny.run_id, status="done")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_killed_worker_leaves_no_trainer_behind(study: Study, tiny: Recipe) -> None:
    folder = study.run_folder(tiny.run_id)
    worker = os.fork()
    if not worker:
        trained(study, tiny, "echo $$ > $2/pid.part; mv $2/pid.part $2/pid; while :; do sleep 0.05; done")
        os._exit(0)
    deadline = time.monotonic() + 60
    while not (folder / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    trainer = int((folder / "pid").read_text())

    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)

    while is_alive(trainer) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert time.monotonic() < deadline


def is_alive(process: int) -> bool:
    """Whether it runs: one that is dead and not yet taken note of has no command line."""
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):  # gone, or going while it is read
        return False


@pytest.mark.parametrize("pattern", ["loss", "(a)(b)", "(("])
def test_a_pattern_needs_one_group(pattern: str) -> None:
    with pytest.raises(RecipeError, match=r"The pattern for 'loss' "):
        Patterns(patterns={"loss": pattern})


def test_a_trainer_finds_its_recipe_whole_and_no_file_beside_it(study: Study, tiny: Recipe) -> None:
    trained(study, tiny, """cp $2/recipe.toml $2/read.toml; ls -a $2 > $2/there; echo '{"loss": 3}'""")

    folder = study.run_folder(tiny.run_id)
    assert Recipe.from_toml((folder / "read.toml").read_text()) == tiny
    assert not [name for name in (folder / "there").read_text().split() if name.startswith(".recipe")]
