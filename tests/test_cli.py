"""The command line as a user meets it: what it prints, and one sentence when input is wrong."""

import json
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import product
from pathlib import Path

import pytest

from allometry.cli import app, main, run

ORDER = ["sweep", "status", "import", "fit", "check", "forecast", "score", "plan", "report"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of noiseless runs that obey the law of Hoffmann et al. 2022, eq. 10."""
    path = tmp_path / "runs.csv"
    rows = [
        (n, d, 1.69 + 406.4 / n**0.34 + 410.7 / d**0.28)
        for n, d in product((1e7, 1e8, 1e9), (1e9, 1e10, 1e11))
    ]
    path.write_text("params,tokens,loss\n" + "".join(f"{n},{d},{loss}\n" for n, d, loss in rows))
    return path


Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command that must fail; gives back its one sentence."""

    def attempt(*arguments: object, code: int) -> str:
        assert run([str(argument) for argument in arguments]) == code
        said = capsys.readouterr().err.strip()
        assert "Traceback" not in said
        return said

    return attempt


def test_help_shows_the_path_from_design_to_report_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    app(["--help"], exit_on_error=False, result_action="return_value")

    help_text = capsys.readouterr().out
    entries = [line[2:14].strip() for line in help_text.splitlines()]  # wrapped help is indented further
    assert [name for name in entries if name in ORDER] == ORDER


@pytest.mark.parametrize("name", [name for name in app if not name.startswith("-")])
def test_every_command_has_help_and_can_print_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    app([name, "--help"], exit_on_error=False, result_action="return_value")

    help_text = capsys.readouterr().out
    assert "--json" in help_text
    assert len(help_text.split("\n\n")[1].strip()) > 20


def test_a_fit_from_the_command_line_finds_the_law(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", str(table), "--draws", "20", "--json"]) == 0

    fitted = json.loads(capsys.readouterr().out)["chinchilla"]
    assert fitted["coefficients"]["E"] == pytest.approx(1.69, rel=1e-6)
    assert fitted["coefficients"]["alpha"] == pytest.approx(0.34, rel=1e-6)


def test_a_saved_fit_is_checked_forecasts_and_plans(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit = table.with_name("fit.json")
    assert run(["fit", str(table), "--draws", "20", "--save", str(fit)]) == 0
    capsys.readouterr()

    assert run(["forecast", str(fit), "--params", "10B", "--tokens", "1T", "--json"]) == 0
    forecast = json.loads(capsys.readouterr().out)
    assert forecast["median"] == pytest.approx(1.69 + 406.4 / 1e10**0.34 + 410.7 / 1e12**0.28, rel=1e-6)
    assert run(["check", str(fit)]) == 0
    assert run(["plan", str(fit), "--flops", "1e22"]) == 0
    assert "tokens per parameter" in capsys.readouterr().out


def test_a_dry_run_shows_the_runs_and_makes_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["quickstart", "--dry-run", "--json"]) == 0

    designs = [row["design"] for row in json.loads(capsys.readouterr().out)]
    assert designs.count("ladder") >= 12
    assert list(tmp_path.iterdir()) == []


def test_an_import_is_the_table_in_base_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, into = tmp_path / "theirs.csv", tmp_path / "ours.csv"
    source.write_text("Model Size (B),toks,loss\n7,1.4T,2.1\n")

    assert run(["import", str(source), "--into", str(into), "--columns", "toks=tokens"]) == 0

    assert "Model Size (B) -> params, times 1e9" in capsys.readouterr().out
    assert into.read_text().splitlines()[1].startswith("7000000000.0,1400000000000.0,2.1")


def test_laws_are_listed_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["laws"]) == 0

    assert "arXiv:2203.15556" in capsys.readouterr().out


def test_a_table_without_tokens_is_refused_naming_the_nearest_column(
    tmp_path: Path, refused: Refused
) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("params,tokns,loss\n1e7,1e9,3.5\n")

    said = refused("fit", path, code=2)

    assert "'tokens'" in said
    assert "Did you mean 'tokns'?" in said
    assert "--columns" in said


def test_text_in_a_number_column_is_refused_with_its_row(table: Path, refused: Refused) -> None:
    table.write_text(table.read_text() + "1e8,lots,3.1\n")

    said = refused("fit", table, code=2)

    assert "tokens" in said
    assert "row 10" in said
    assert "lots" in said


def test_three_runs_for_five_coefficients_are_refused(table: Path, refused: Refused) -> None:
    table.write_text("\n".join(table.read_text().splitlines()[:4]) + "\n")

    said = refused("fit", table, code=3)

    assert said.startswith("Refused: Law 'chinchilla' leaves 5 coefficients open and 3 runs were given")
    assert "hold" in said


def test_an_unknown_law_is_refused_with_the_nearest(table: Path, refused: Refused) -> None:
    assert "Did you mean 'chinchilla'?" in refused("fit", table, "--law", "chinchila", code=2)


def test_an_unknown_key_in_a_study_is_refused_with_the_nearest(tmp_path: Path, refused: Refused) -> None:
    from allometry.sweeps.spec import quickstart_path

    path = tmp_path / "study.toml"
    path.write_text(quickstart_path().read_text().replace("decay_fraction", "decay_fractoin"))

    said = refused("sweep", path, "--into", tmp_path / "out", code=2)

    assert "has no key 'decay_fractoin'. Did you mean 'decay_fraction'?" in said
    assert not (tmp_path / "out").exists()


def test_a_study_that_cannot_be_written_is_refused(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "file").write_text("")

    said = refused("quickstart", tmp_path / "file" / "study", code=2)

    assert "choose another folder" in said


def test_a_saved_fit_that_is_cut_off_is_refused(table: Path, refused: Refused) -> None:
    fit = table.with_name("fit.json")
    fit.write_text('{"law": "chin')

    assert str(fit) in refused("check", fit, code=2)


def test_a_full_disk_leaves_the_old_file_whole(
    table: Path, refused: Refused, files_of_at_most: Callable[[int], AbstractContextManager[None]]
) -> None:
    fit = table.with_name("fit.json")
    fit.write_text("old")

    with files_of_at_most(4096):
        said = refused("fit", table, "--draws", 20, "--save", fit, code=2)

    assert "size limit was reached" in said
    assert said.count("\n") == 0
    assert fit.read_text() == "old"
    assert sorted(path.name for path in table.parent.iterdir()) == ["fit.json", "runs.csv"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fit", "nowhere.csv"], "nowhere.csv"),
        (["plan", "nowhere.json", "--flops", "1e21"], "nowhere.json"),
        (["sweep", "nowhere.toml"], "There is no study at nowhere.toml"),
        (["status", "nowhere"], "nowhere is not a study"),
        (["score", "nowhere"], "nowhere is not a study"),
        (["report", "nowhere"], "nowhere is not a study"),
        (["forecast", "nowhere.json", "--params", "7Q"], "7Q"),
    ],
)
def test_wrong_arguments_get_one_sentence(
    arguments: list[str], sentence: str, refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert sentence in refused(*arguments, code=2)
    assert list(tmp_path.iterdir()) == []


def test_a_coefficient_held_at_nothing_is_refused(table: Path, refused: Refused) -> None:
    assert "'E' is not of the form name=value" in refused("fit", table, "--hold", "E", code=2)


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, refused: Refused, tmp_path: Path) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("allometry.sweeps.fits.read_runs", interrupted)

    said = refused("fit", tmp_path / "runs.csv", code=130)

    assert said == "Stopped: run the same command again to go on from here"


def test_sigterm_ends_as_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    closed = []

    def terminated(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            closed.append(True)  # as a sweep closes its workers

    monkeypatch.setattr("allometry.sweeps.fits.read_runs", terminated)

    with pytest.raises(SystemExit) as ended:
        main(["fit", str(tmp_path / "runs.csv")])

    assert (ended.value.code, closed) == (143, [True])
    assert capsys.readouterr().err == "Stopped: run the same command again to go on from here\n"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
