"""The report: one file, offline, with the library's numbers, whatever state the study is in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from allometry.errors import InputError
from allometry.fitting import Finding, Fit, bootstrap, check, fit
from allometry.forecasts.register import read_register
from allometry.forecasts.scoring import score
from allometry.laws import chinchilla
from allometry.planning.allocation import allocate
from allometry.report import write_report, writing
from allometry.report.section import Section
from allometry.runs.run import Run, Runs
from allometry.runs.study import Study
from allometry.sweeps.fits import largest_flops

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects text and links, and refuses tags that are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self.charts = 0
        self.feed(html)
        self.close()
        assert self.stack == [], f"not closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [str(given[name]) for name in ("src", "href") if name in given]
        self.charts += given.get("class") == "chart"
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.stack):
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


@pytest.fixture(scope="module")
def check_once() -> Callable[[Fit], list[Finding]]:
    """What the checks find, looked for once for each fit."""
    known: dict[str, list[Finding]] = {}

    def find(fit: Fit) -> list[Finding]:
        if fit.fit_hash not in known:
            known[fit.fit_hash] = check(fit)
        return known[fit.fit_hash]

    return find


@pytest.fixture
def words_only(check_once: Callable[[Fit], list[Finding]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the charts out, which take most of the time, where only the words are read."""
    monkeypatch.setattr("allometry.report.contents.check", check_once)
    monkeypatch.setattr("allometry.report.figures.figures", lambda contents: [])
    monkeypatch.setattr("allometry.report.figures.forecast_figures", lambda contents: [])
    nothing = Section(slug="change", title="What would change the answer")
    monkeypatch.setattr("allometry.report.writing.sensitivity_section", lambda fit, place: nothing)
    monkeypatch.setattr("allometry.report.contents.judge_fits", lambda fits: ())


def report(items: object, folder: Path) -> Page:
    path = write_report(items, folder / "report.html")  # type: ignore[arg-type]
    return Page(path.read_text())


def test_a_finished_study_leads_with_its_forecast_in_one_small_file_always_told_alike(
    make_study: Callable[..., Study], tmp_path: Path, drawn: Fit
) -> None:
    study = make_study()
    page = report(study, tmp_path)
    once = (tmp_path / "report.html").read_bytes()
    row = score(study).iloc[0]
    plan = allocate(drawn, flops=10 * 6 * 3e7 * 3e8)

    verdict = page.words[: page.words.index("What was fitted")]
    assert f"{row['median']:.3f} nat/token (90%: {row['low']:.3f} to {row['high']:.3f})" in verdict
    assert f"measured {row['outcome']:.3f}" in verdict
    assert "Inside the 90% interval" in verdict
    assert f"{plan.params.value / 1e6:.3g}M (" in verdict
    assert read_register(study)[-1].hash in page.words
    assert f"fit {drawn.fit_hash}, data {drawn.data_hash}" in page.words
    assert f"allometry report {study.folder}" in page.words
    assert "same data & same recipe" in page.words
    assert page.charts == 16
    assert_small_and_loads_nothing(once)
    assert write_report(study, tmp_path / "report.html").read_bytes() == once


def assert_small_and_loads_nothing(html: bytes) -> None:
    assert len(html) < 3_000_000
    assert all(link.startswith("data:") for link in Page(html.decode()).links)
    assert b"default-src 'none'" in html
    assert html.count(b"window.vegaEmbed=") == 1


@pytest.mark.usefixtures("words_only")
def test_what_others_wrote_is_text_and_never_code(make_study: Callable[..., Study], tmp_path: Path) -> None:
    attack = "<script>alert(1)</script>"
    study = make_study(name=attack)
    values = {"params": 1e7, "tokens": 1e8, "flops": 6e15, "design": attack}
    study.save_run(Run(run_id="x1", status="failed", values=values, reason=f"</script>{attack}"))
    html = write_report(study, tmp_path / "report.html").read_text()

    assert attack not in html
    assert f"</script>{attack}" in Page(html).words


@pytest.mark.usefixtures("words_only")
@pytest.mark.parametrize(
    ("stage", "says"),
    [
        ("runs", "no forecast for it has been registered yet"),
        ("runs", "Nothing has been fitted yet"),
        ("fitted", "no forecast for it has been registered yet"),
        ("stated", "No outcome: not run yet"),
    ],
)
def test_an_unfinished_study_says_what_is_missing(
    make_study: Callable[..., Study], tmp_path: Path, stage: str, says: str
) -> None:
    assert says in report(make_study(stage), tmp_path).words


@pytest.mark.usefixtures("words_only")
def test_lost_runs_stay_in_the_table_with_the_reason(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study()
    values = {"params": 1e7, "tokens": 1e8, "flops": 6e15, "design": "ladder"}
    study.save_run(Run(run_id="x1", status="diverged", values=values, reason="the loss was not finite"))
    page = report(study, tmp_path)

    assert "17 done, 1 diverged" in page.words
    assert "the loss was not finite" in page.words


def test_a_list_without_a_study_is_a_report_too(
    tmp_path: Path, drawn: Fit, make_study: Callable[..., Study]
) -> None:
    runs = make_study("runs").runs()
    plan = allocate(drawn, flops=1e17)
    page = report([runs, drawn, plan, drawn.predict(params=3e7, tokens=3e8)], tmp_path)

    assert "1e17 FLOP" in page.words
    assert "It is in no register." in page.words
    assert "Register of forecasts" not in page.words


def test_a_law_of_one_input_gets_its_own_charts_and_no_plan(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study("runs")
    chain = study.runs().where("tokens > 2e8")
    made = bootstrap(fit("power_law_with_floor", chain, inputs={"x": "flops"}, hold={"E": 1.8}), draws=50)
    made.save(study.folder / "fits" / "power_law_with_floor.json")
    page = report(study, tmp_path)

    assert "No plan:" in page.words
    assert "held, not fitted" in page.words


def test_a_run_that_diverged_does_not_set_the_budget_of_the_plan(make_study: Callable[..., Study]) -> None:
    study = make_study("fitted")
    study.save_run(Run(run_id="huge", status="diverged", values={"flops": 1e30}))

    assert largest_flops(study.runs()) == pytest.approx(6 * 1e7 * 3e8)


@pytest.mark.usefixtures("words_only")
def test_two_laws_are_both_told_and_the_studys_own_comes_first(
    make_study: Callable[..., Study], tmp_path: Path, other_law: Fit
) -> None:
    study = make_study()
    other_law.save(study.folder / "fits" / "a_kaplan.json")
    words = report(study, tmp_path).words

    assert words.index("Coefficients of chinchilla") < words.index("Coefficients of kaplan")


@pytest.mark.usefixtures("words_only")
def test_a_broken_register_and_a_damaged_fit_are_red_flags(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study()
    path = study.folder / "forecasts.jsonl"
    path.write_text(path.read_text().replace('"level": 0.9', '"level": 0.8'))
    (study.folder / "fits" / "zz.json").write_text("{")
    words = report(study, tmp_path).words

    assert "Red flags" in words
    assert "was changed after it was written" in words
    assert "zz.json' is not a saved fit" in words


@pytest.mark.usefixtures("words_only")
def test_a_forecast_stated_after_the_run_began_does_not_pass_as_good(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study()
    run = study.run("t1")
    assert run is not None
    study.save_run(
        Run(run_id="t1", status="done", values={**run.values, "started": "2020-01-01T00:00:00+00:00"})
    )
    html = write_report(study, tmp_path / "report.html").read_text()

    assert "stated after the run began" in html
    assert 'class="line bad"' in html


@pytest.mark.usefixtures("words_only")
def test_the_formula_is_mathml_with_its_latex(make_study: Callable[..., Study], tmp_path: Path) -> None:
    html = write_report(make_study("fitted"), tmp_path / "report.html").read_text()

    assert '<math display="block">' in html
    assert f'<annotation encoding="application/x-tex">{chinchilla.latex()}</annotation>' in html


def test_what_cannot_be_reported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to report"):
        write_report([], tmp_path / "report.html")
    with pytest.raises(InputError, match="not a str"):
        write_report(["runs.csv"], tmp_path / "report.html")  # type: ignore[list-item]
    with pytest.raises(InputError, match="one Runs"):
        write_report([Runs.of([]), Runs.of([])], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.usefixtures("words_only")
def test_the_report_holds_what_reproduces_it(make_study: Callable[..., Study], tmp_path: Path) -> None:
    study = make_study()
    record = {"data_hash": "d4ta", "origin": "files <b>.txt", "sha256": "abc123"}
    (study.folder / "data").mkdir()
    (study.folder / "data" / "d4ta.json").write_text(json.dumps(record))

    page = write_report(study, tmp_path / "report.html").read_text()

    assert f"allometry sweep study.toml --into {study.folder}" in page
    assert "plan_factor = 10" in page
    assert "files &lt;b&gt;.txt, SHA-256 abc123" in page


def test_the_charts_script_is_bundled_once_and_never_taken_in_half(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundled: list[str] = []
    monkeypatch.setenv("ALLOMETRY_CACHE", str(tmp_path))

    def bundle() -> str:
        bundled.append("script")
        return "script"

    monkeypatch.setattr(writing, "_bundle", bundle)
    read = writing._vega.__wrapped__

    assert [read(), read()] == ["script", "script"]
    assert len(bundled) == 1

    (kept,) = tmp_path.glob("vega-*.js")
    kept.write_bytes(kept.read_bytes()[:-3])
    assert read() == "script"
    assert len(bundled) == 2
