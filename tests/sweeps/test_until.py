"""A sweep that chooses its own next runs, over losses that obey a known law (nothing is trained)."""

from __future__ import annotations

import json
import math
import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from allometry.cli import run
from allometry.errors import CorruptFile, InputError, RecipeError, Refusal
from allometry.recipe import Recipe
from allometry.runs.run import Run, Runs, Status
from allometry.runs.study import Study
from allometry.sweeps import running
from allometry.sweeps.designs import Design
from allometry.sweeps.fits import fit_study, forecast_from
from allometry.sweeps.leftovers import Asked
from allometry.sweeps.round_files import Round, read_asked, read_rounds, state_round
from allometry.sweeps.rounds import judge_forecast, next_round, sweep_until
from allometry.sweeps.spec import quickstart_path, read_spec
from allometry.sweeps.until import Until, read_rule

NOISE = 0.01
QUICKSTART = quickstart_path().read_text()
SPEC = """name = "until"
[[fits]]
law = "power_law_with_floor"
inputs = { x = "flops" }
draws = 60
""" + QUICKSTART[QUICKSTART.index("[design]") :].replace("check_tokens = 131072", "check_tokens = 0")
WIDE, STRICT = Until(width=0.058), Until(width=0.03)


def loss(flops: float) -> float:
    """Henighan et al. 2020, eq. 1.1, with a laptop's numbers."""
    return 2.0 + 40 * math.pow(flops, -0.1)


@dataclass
class Lab:
    """Trains by a formula, with noise of each recipe's own; may be cut off after so many runs.

    Attributes:
        flops: What was trained: a trunk from where it was left, a branch from where its trunk has come to.
        parts: What was trained of each trunk, from step to step.
    """

    study: Study
    most: int = 10**9
    made: list[str] = field(default_factory=list)
    flops: float = 0.0
    parts: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def train(self, design: Design) -> Runs:
        for planned in design.recipes(self.study.runs()):
            recipe, steps = planned.recipe, planned.part[1] if planned.part else planned.recipe.steps
            run = self.study.run(recipe.run_id)
            if run is not None and (run.status == "done" or run.values["last_good_step"] >= steps):
                continue
            if len(self.made) >= self.most:
                raise KeyboardInterrupt
            begun = int(run.values["last_good_step"]) if run else self.parted(recipe)
            if planned.part:
                self.parts.setdefault(recipe.run_id, []).append((begun, steps))
            self.flops += recipe.flops() * (steps - begun) / recipe.steps
            params, noise = recipe.architecture.params(), np.random.default_rng(int(recipe.run_id, 16))
            values = {
                "design": planned.design, "parent": recipe.parent, "params": params, "seed": recipe.seed,
                "tokens": recipe.tokens, "flops": recipe.flops(), "decayed": planned.design != "trunk",
                "loss": loss(recipe.flops()) * float(np.exp(NOISE * noise.standard_normal())),
                "last_good_step": steps,
            }  # fmt: skip
            status: Status = "done" if steps == recipe.steps else "stopped"
            self.study.save_run(Run(run_id=recipe.run_id, status=status, values=values))
            self.made.append(recipe.run_id)
        return self.study.runs()

    def parted(self, recipe: Recipe) -> int:
        """The step up to which a branch need not be trained."""
        trunk = self.study.run(recipe.parent) if recipe.parent else None
        return min(recipe.trunk_steps, trunk.values["last_good_step"]) if trunk else 0


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was swept until its forecast was narrow enough."""
    study = Study.create(tmp_path_factory.mktemp("until") / "study", SPEC)
    sweep_until(study, WIDE, train=Lab(study).train)
    return study.folder


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """What trained a study by a stricter rule, in more rounds."""
    lab = Lab(Study.create(tmp_path_factory.mktemp("strict") / "study", SPEC))
    sweep_until(lab.study, STRICT, train=lab.train)
    return lab


@pytest.fixture
def swept(template: Path, tmp_path: Path) -> Study:
    shutil.copytree(template, tmp_path / "study")
    return Study.open(tmp_path / "study")


def test_it_ends_when_the_interval_is_narrow_enough_and_leaves_runs_unmade(swept: Study) -> None:
    *rounds, last = read_rounds(swept)

    assert last.runs == ()
    assert last.width is not None
    assert last.width < WIDE.width
    assert last.because.startswith("Done: the interval is")
    assert len(swept.runs().where("design = 'ladder' AND seed = 0")) < 16  # of four sizes and four horizons
    assert [one.number for one in rounds] == list(range(1, len(rounds) + 1))


def test_the_first_round_has_runs_for_a_fit_and_seeds_for_the_noise(swept: Study) -> None:
    first = swept.runs().table.set_index("run_id").loc[list(read_rounds(swept)[0].runs)]

    branches = first[first["design"] == "ladder"]
    assert (branches["seed"] == 0).sum() == 3 + 3  # coefficients of the law, and three
    assert sorted(branches.loc[branches["seed"] > 0, "seed"]) == [1, 2, 3, 4]
    assert read_rounds(swept)[0].width is None


def test_what_the_rounds_say_they_cost_is_what_is_trained(strict: Lab) -> None:
    rounds = read_asked(strict.study)

    assert len(rounds) > 2
    assert strict.flops == pytest.approx(sum(one.flops for one in rounds))


def test_a_trunk_is_gone_on_with_when_a_longer_branch_comes(strict: Lab) -> None:
    assert max(map(len, strict.parts.values())) > 1
    for parts in strict.parts.values():
        assert [begun for begun, _ in parts] == [0, *(end for _, end in parts[:-1])]


def test_a_trainer_that_makes_no_branches_is_planned_for_as_it_trains(tmp_path: Path) -> None:
    trainer = '[trainer]\nkind = "command"\ncommand = "train {tokens}"\n\n[design]'
    study = Study.create(tmp_path / "study", SPEC.replace("[design]", trainer, 1))

    made, asked = next_round(study, WIDE)

    assert "trunk" not in {one.design for one in asked.planned}
    assert made.flops == pytest.approx(sum(one.recipe.flops() for one in asked.planned))


def test_a_second_call_trains_nothing(swept: Study) -> None:
    lab = Lab(swept)

    again = sweep_until(swept, WIDE, train=lab.train)

    assert lab.made == []
    assert again == read_rounds(swept)


def test_a_stricter_rule_goes_on_from_where_the_first_one_ended(swept: Study) -> None:
    before, lab = read_rounds(swept), Lab(swept)

    after = sweep_until(swept, STRICT, train=lab.train)

    assert after[: len(before) - 1] == before[:-1]
    assert lab.made


@pytest.mark.parametrize("rounds_made", [0, 1])
def test_a_killed_loop_ends_as_an_undisturbed_one(template: Path, tmp_path: Path, rounds_made: int) -> None:
    study = Study.create(tmp_path / "killed", SPEC)
    first = len(read_rounds(Study.open(template))[0].runs)
    most = first if rounds_made else first // 2  # at the first run of the second round, or within the first
    with pytest.raises(KeyboardInterrupt):
        sweep_until(study, WIDE, train=Lab(study, most=most).train)

    sweep_until(study, WIDE, train=Lab(study).train)

    assert read_rounds(study) == read_rounds(Study.open(template))


def test_more_than_the_stated_compute_is_never_spent(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "study", SPEC)

    rounds = sweep_until(study, Until(width=1e-9, flops=1.2e12), train=Lab(study).train)

    # Doubling would end at 0.7e12 of it: the last round takes what is left.
    assert 0.85 * 1.2e12 < sum(one.flops for one in rounds) <= 1.2e12
    assert "would take that above 1.2e12" in rounds[-1].because


def test_it_ends_when_as_much_compute_again_would_gain_little(swept: Study) -> None:
    rounds = sweep_until(swept, Until(gain=0.9), train=Lab(swept).train)

    assert "as much compute again would narrow it by" in rounds[-1].because


def test_compute_again_narrows_by_the_share_that_theory_says_of_what_is_measured(swept: Study) -> None:
    made, _ = next_round(swept, Until(gain=0.01))

    assert made.width is not None
    assert made.expected is not None
    assert 0.5 < made.expected / made.width < 0.99


def test_a_plan_reaches_a_little_further_than_the_rule(swept: Study) -> None:
    planned = [one.expected for one in read_asked(swept) if one.expected is not None]

    assert planned
    assert max(planned) <= 0.99 * WIDE.width


def test_the_width_is_that_of_the_law_on_the_runs_it_is_fitted_to(swept: Study) -> None:
    respecify(swept, 'draws = 60\nwhere = "seed = 0"\nbecause = "one seed"\n')
    fit_study(swept)

    judged = judge_forecast(swept)

    stated = forecast_from(swept.folder, level=0.9, inputs={})
    assert judged is not None
    assert judged.width == pytest.approx((stated.high - stated.low) / stated.median)


def test_only_laws_of_the_same_inputs_and_runs_are_held_against_the_main_one(swept: Study) -> None:
    others = '[[fits]]\nlaw = "power_law"\ninputs = { x = "flops" }\ndraws = 20\n'
    part = others.replace("[[fits]]", '[[fits]]\nname = "part"\nwhere = "seed = 0"')
    respecify(swept, f'draws = 60\n{others}{part}[[fits]]\nlaw = "kaplan"\ndraws = 20\n')

    judged = judge_forecast(swept)

    assert judged is not None
    assert list(judged.laws) == ["power_law_with_floor", "power_law"]


def test_the_way_out_names_the_largest_run_while_it_is_not_made(swept: Study) -> None:
    largest = max(read_spec(swept).design.outline(), key=lambda one: one.recipe.flops()).recipe
    made = judge_forecast(swept)
    shutil.rmtree(swept.run_folder(largest.run_id))
    unmade = judge_forecast(swept)

    assert made is not None
    assert unmade is not None
    assert made.larger == ""
    assert unmade.larger.startswith(f"{largest.run_id} (")


def respecify(study: Study, fits: str) -> None:
    """Another end of the main law's table, and what follows it."""
    path = study.folder / "study.toml"
    path.write_text(path.read_text().replace("draws = 60\n", fits, 1))


def test_a_round_of_another_design_is_refused(swept: Study) -> None:
    rounds = read_rounds(swept)
    path = swept.folder / "rounds" / f"{len(rounds) - 1:03d}.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"runs": ["0123456789ab"]}))

    with pytest.raises(Refusal, match=r"run 0123456789ab, which the design in study.toml no longer has"):
        sweep_until(swept, WIDE, train=Lab(swept).train)
    path.write_text("{")
    with pytest.raises(CorruptFile, match="is not a round of a sweep"):
        read_rounds(swept)


def test_what_comes_next_is_said_without_training_or_writing(swept: Study) -> None:
    *asked, last = read_rounds(swept)
    first, runs = next_round(Study.create(swept.folder.parent / "new", SPEC), WIDE)
    assert first == asked[0]
    assert tuple(one.recipe.run_id for one in runs.planned) == first.runs
    assert sum(one.own_flops for one in runs.planned) == pytest.approx(first.flops)

    assert next_round(swept, WIDE) == (last, Asked([]))
    made, more = next_round(swept, STRICT)
    assert made.number == last.number
    assert {one.recipe.run_id for one in more.planned} == set(made.runs) != set()
    assert read_rounds(swept) == [*asked, last]


def test_a_killed_round_is_what_comes_next_and_before_all_come_the_checks(tmp_path: Path) -> None:
    killed = Study.create(tmp_path / "killed", SPEC)
    with pytest.raises(KeyboardInterrupt):
        sweep_until(killed, WIDE, train=Lab(killed, most=2).train)
    checked = Study.create(tmp_path / "checked", SPEC.replace("check_tokens = 0", "check_tokens = 131072"))

    made, left = next_round(killed, WIDE)
    before, checks = next_round(checked, WIDE)

    assert len(left.planned) == len(made.runs) - 2
    assert before.number == 0
    assert {one.design for one in checks.planned} == {"learning_rate_check"}


def test_how_a_loop_ended_is_no_end_once_another_has_gone_on(swept: Study) -> None:
    *asked, last = read_rounds(swept)
    state_round(swept, replace(asked[0], number=last.number))

    assert read_rounds(swept) == [*asked, replace(asked[0], number=last.number)]


def test_of_two_loops_that_state_a_round_at_once_the_second_adopts_it(swept: Study) -> None:
    first, *_ = read_rounds(swept)

    adopted = state_round(swept, replace(first, runs=("0123456789ab",)))

    assert adopted == first == read_rounds(swept)[0]


def test_two_loops_on_one_study_make_the_rounds_of_one(template: Path, tmp_path: Path) -> None:
    study = Study.create(tmp_path / "shared", SPEC)
    first = Lab(study)

    def train(design: Design) -> Runs:
        """While the first loop trains its first round, the second goes through."""
        runs = first.train(design)
        if len(read_rounds(study)) == 1:
            sweep_until(study, WIDE, train=Lab(study).train)
        return runs

    sweep_until(study, WIDE, train=train)

    assert read_rounds(study) == read_rounds(Study.open(template))


def test_two_loops_of_different_rules_share_their_rounds_and_end_by_their_own(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "shared", SPEC)
    loose, strict = Lab(study), Lab(study, most=1)

    def train(design: Design) -> Runs:
        """After the loose loop's first round the strict one is in its second."""
        runs = loose.train(design)
        with suppress(KeyboardInterrupt):
            sweep_until(study, WIDE, train=strict.train)
        return runs

    *rounds, last = sweep_until(study, Until(width=0.09), train=train)
    strict.most = 10**9
    *after, end = sweep_until(study, WIDE, train=strict.train)

    assert loose.made == list(rounds[0].runs)
    assert "below 9.00%" in last.because
    assert after[: len(rounds)] == rounds
    assert f"below {WIDE.width:.2%}" in end.because
    assert loose.flops + strict.flops == pytest.approx(sum(one.flops for one in after))


def test_a_loop_makes_no_round_of_another_that_exceeds_its_own_compute(swept: Study) -> None:
    asked, lab = read_asked(swept), Lab(swept)
    state_round(swept, replace(next_round(swept, STRICT)[0], number=len(asked) + 1))

    *_, last = sweep_until(swept, Until(flops=sum(one.flops for one in asked)), train=lab.train)

    assert lab.made == []
    assert last.because.startswith("Done: the rounds of this study take")
    assert next_round(swept, Until(flops=1.0))[0].runs == ()


def test_a_study_in_object_storage_makes_the_rounds_of_a_folder(swept: Study) -> None:
    pytest.importorskip("upath", reason="object storage is read through universal_pathlib")
    study = Study.create(f"memory:/{swept.folder}", SPEC)

    sweep_until(study, WIDE, train=Lab(study).train)

    assert read_rounds(study) == read_rounds(swept)


def test_a_round_takes_less_where_little_width_is_missing() -> None:
    until = Until(width=0.03)

    assert until.round_flops(1e12, width=None) == until.round_flops(1e12, width=0.06) == 1e12
    assert until.round_flops(1e12, width=0.03 * math.sqrt(1.5)) == pytest.approx(0.5e12)
    assert until.round_flops(1e12, width=0.0301) == pytest.approx(0.1e12)
    assert Until(gain=0.1).round_flops(1e12, width=0.0301) == 1e12


def test_the_next_round_is_small_where_little_width_is_missing(swept: Study) -> None:
    *asked, last = read_rounds(swept)
    spent = sum(one.flops for one in asked)
    assert last.width is not None

    made, _ = next_round(swept, Until(width=0.95 * last.width))

    assert len(made.runs) > 0
    assert made.flops <= (0.95**-2 - 1) * spent  # the width falls by the square root of the compute at best


def test_a_study_without_a_target_is_refused_before_any_run(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "study", SPEC[: SPEC.index("[target]")])

    with pytest.raises(RecipeError, match="forecasts nothing: add a"):
        sweep_until(study, WIDE, train=Lab(study).train)


def test_a_round_is_read_as_it_was_written(swept: Study) -> None:
    assert all(isinstance(one, Round) and isinstance(one.runs, tuple) for one in read_rounds(swept))


@pytest.mark.parametrize(
    "rule", ["width", "width > 1%", "loss < 2", "width < 1% and gain < 2%", "", "or", "flops > 5%"]
)
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(InputError, match="rule to stop by"):
        read_rule(rule)


@pytest.mark.parametrize(
    ("rule", "words"),
    [("width < 0%", "never or always true: give a number above zero"),
     ("width < 1", "'width < 1' is true before any run: give a share below 100%, such as 1%"),
     ("width < 1% or gain < 500%", "'gain < 500%' is true before any run"),
     ("width < 2% or width < 1%", "says width twice"),
     ("width < few%", "'few' is not a quantity")],
)  # fmt: skip
def test_a_rule_that_stops_at_once_never_or_ambiguously_is_refused(rule: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_rule(rule)


def test_a_rule_may_have_several_parts() -> None:
    assert read_rule("Width < 1% OR gain < 0.05 or flops > 2e15") == Until(width=0.01, gain=0.05, flops=2e15)


def test_the_command_makes_and_shows_the_rounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study.create(tmp_path / "study", SPEC)
    lab = Lab(study)
    monkeypatch.setattr(running, "run_sweep", lambda design, **_: lab.train(design))

    assert run(["sweep", str(study.folder), "--until", "width < 8%", "--json"]) == 0

    *rounds, last = json.loads(capsys.readouterr().out)
    assert sum(len(one["runs"]) for one in rounds) == len(lab.made)
    assert last["width"] < 0.08
    assert last["forecast"]["law"] == "power_law_with_floor"
    assert last["forecast"]["beyond"] > 1


def test_a_dry_run_of_a_rule_shows_the_next_round_and_writes_nothing(
    swept: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.toml").write_text(SPEC)
    before = sorted(swept.folder.rglob("*"))

    for source in (tmp_path / "new.toml", swept.folder):
        assert run(["sweep", str(source), "--until", "width < 3%", "--dry-run"]) == 0
    fresh, further = capsys.readouterr().out.split("Round 1: ")

    assert fresh.count("ladder") == 6 + 4  # for a fit of three coefficients, and seeds
    assert f"Round {len(read_rounds(swept))}: " in further
    assert sorted(swept.folder.rglob("*")) == before


def test_the_command_refuses_what_is_no_rule_and_trains_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study.create(tmp_path / "study", SPEC)

    assert run(["sweep", str(study.folder), "--until", "loss < 2"]) == 2

    assert "no rule to stop by" in capsys.readouterr().err
    assert not (study.folder / "runs").exists()


def test_the_target_is_not_trained_by_a_rule_for_the_design(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study.create(tmp_path / "study", SPEC)

    assert run(["sweep", str(study.folder), "--target", "--until", "width < 1%"]) == 2

    assert "sweep with --until first, then state the forecast" in capsys.readouterr().err
    assert not (study.folder / "runs").exists()
