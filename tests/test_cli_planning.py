"""Planning from the command line: budgets, targets, published laws, costs, devices, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from allometry.cli import run

LAW = "besiroglu_2024"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_published_law_plans_days_on_devices(capsys: pytest.CaptureFixture[str]) -> None:
    budget = ("--days", "30d", "--device", "h100-sxm", "--devices", "8", "--price", "$2.50")

    plan = printed(capsys, "plan", f"published:{LAW}", *budget, "--served", "5T", "--unique-tokens", "400B")

    assert plan["cost"]["run"]["money"]["value"] == pytest.approx(14_400)
    assert plan["compute"]["value"] == pytest.approx(8 * 30 * 86_400 * 0.4 * 989.4e12)
    assert plan["data"]["epochs"]["value"] == pytest.approx(plan["tokens"]["value"] / 4e11)
    assert plan["lifetime"]["demand"]["generated_tokens"] == 5e12


def test_weeks_hours_and_days_are_the_same_time(capsys: pytest.CaptureFixture[str]) -> None:
    flops = [
        printed(capsys, "plan", LAW, "--days", text, "--device", "b200")["flops"]
        for text in ("2w", "336h", "14")
    ]

    assert flops[0] == flops[1] == flops[2]


def test_a_target_loss_prints_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", LAW, "--loss", "2.0"]) == 0

    said = capsys.readouterr().out
    assert "At the very least" in said
    assert "probability 1 by the draws" in said


def test_a_law_without_published_intervals_says_so_and_how_far_the_others_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["plan", "muennighoff_2023", "--flops", "1e22"]) == 0

    said = capsys.readouterr().out
    assert "the source of muennighoff_2023 gives none; fit its runs for some, published:muenn" in said
    assert "In place of a range: the published fits ask for" in said


def test_a_plan_is_written_as_a_recipe_and_printed_as_flags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "run.toml"
    template = "--n-layer {layers} --tokens {tokens}"

    assert run(["plan", LAW, "--flops", "1e20", "--export", str(recipe), "--flags", template]) == 0

    flags = capsys.readouterr().out.splitlines()[-1].split()
    layers, tokens = int(flags[1]), int(flags[3])
    assert f"layers = {layers}" in recipe.read_text()
    assert f"tokens = {tokens}" in recipe.read_text()


def test_the_cost_of_llama_65b_is_its_published_hours_and_energy(capsys: pytest.CaptureFixture[str]) -> None:
    run_of = ("--params", "65.3B", "--tokens", "1.4T", "--device", "a100-sxm-80gb", "--devices", "2048")
    assumed = ("--utilisation", "0.4779", "--watts", "400", "--pue", "1.1", "--kg-per-kwh", "0.385")

    cost = printed(capsys, "cost", *run_of, *assumed)["sheet"]

    assert cost["run"]["device_hours"]["value"] == pytest.approx(1_022_362, rel=1e-3)  # Touvron et al. 2023
    assert cost["run"]["energy"]["value"] == pytest.approx(449_000, rel=3e-3)
    assert cost["run"]["carbon"]["value"] == pytest.approx(173_000, rel=3e-3)


def test_a_configuration_is_priced_by_its_own_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "gpt2", **sizes}))

    cost = printed(capsys, "cost", str(path), "--tokens", "10B")

    assert cost["params"] == 124_439_808
    # 6 · (85e6 in blocks + 38.6e6 of the tied head) + 12 · 12 · 768 · 1024 for all scores (PaLM, appendix B).
    assert cost["sheet"]["flops"]["value"] / 1e10 == pytest.approx(
        6 * 123.53e6 + 12 * 12 * 768 * 1024, rel=2e-3
    )


def test_memory_is_printed_by_stage_and_by_what_is_computed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "gpt2", **sizes}))
    layout = ("--devices", "8", "--zero", "1", "--micro-batch", "4", "--recompute", "full")

    memory = printed(capsys, "cost", str(path), "--tokens", "10B", "--context", "512", *layout)["memory"]

    held = 124_439_808 * 12 / 8  # bytes of the optimizer, over eight devices: Rajbhandari et al. 2020
    assert memory["memory"]["states"]["optimizer"] == held
    assert memory["memory"]["activations"] == 4 * 512 * 12 * 2 * 768  # two bytes of each layer's input
    assert memory["least_devices"] == {"0": 1, "1": 1, "2": 1, "3": 1}


def test_devices_are_listed_and_shown_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["devices"]) == 0
    assert "rtx-4090: NVIDIA GeForce RTX 4090" in capsys.readouterr().out
    assert run(["devices", "h100-sxm"]) == 0
    assert "[Epoch AI, ml_hardware.csv" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["plan", LAW, "--flops=-1e21"], "buys no training"),
        (["plan", LAW, "--flops", "1e21", "--usd", "5"], "flops and usd were given"),
        (["plan", LAW, "--usd", "5"], "depends on the device"),
        (["plan", LAW, "--usd", "1M", "--device", "b200"], "No price is known for b200"),
        (["plan", LAW, "--loss", "1.8"], "the floor of"),
        (["plan", LAW, "--loss", "2.0", "--unique-tokens", "1B"], "the least they allow"),
        (["plan", "besiroglu_2023", "--flops", "1e21"], "Did you mean 'besiroglu_2024'"),
        (["plan", "deepseek_2024", "--flops", "1e21"], "predicts no loss"),
        (["plan", LAW, "--days", "3x", "--device", "h100-sxm"], "write it like 30d"),
        (["plan", LAW, "--flops", "1e21", "--flags", "{layer}"], "Did you mean 'layers'"),
        (["cost", "--params", "7B"], "a number of tokens above zero"),
        (["cost", "--tokens", "7B"], "one of the two"),
        (["cost", "--params", "7B", "--tokens", "1T", "--device", "v100-sxm"], "It has: fp16, fp32"),
        (["cost", "--params", "7B", "--tokens", "1T", "--price", "abc"], "no amount of US dollars"),
        (["devices", "h1000"], "h100"),
    ],
)
def test_what_cannot_be_planned_gets_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2

    told = capsys.readouterr()
    assert sentence in " ".join((told.err + told.out).replace("│", " ").split())


def test_a_configuration_without_a_field_is_refused_by_the_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12}')

    assert run(["cost", str(path), "--tokens", "1B"]) == 2

    assert "vocab_size" in capsys.readouterr().err


def test_without_a_law_of_ones_own_the_spread_over_published_laws_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = printed(capsys, "plan", "--flops", "5.76e23")

    sizes = [one["answer"]["params"] for one in made["what_if"]["changes"] if one["kind"] == "law"]
    assert min(sizes) < made["plan"]["params"]["value"] < max(sizes)


def test_a_target_loss_needs_the_law_of_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--loss", "2.0"]) == 2

    assert "belongs to a text and a tokenizer" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["md", "html"])
def test_a_plan_is_written_as_one_page(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / f"brief.{suffix}"
    budget = ("--days", "30d", "--device", "h100-sxm", "--devices", "8")

    assert run(["plan", LAW, *budget, "--brief", str(page)]) == 0

    assert capsys.readouterr().out.endswith(f"Brief: {page}\n")
    assert "USD" in page.read_text()


def test_a_stock_of_sources_is_told_with_what_more_of_each_saves(capsys: pytest.CaptureFixture[str]) -> None:
    plan = printed(
        capsys, "plan", LAW, "--flops", "1e24", "--stock", "web=4e11", "--stock", "code=5e10,1.5,own"
    )

    assert [one["weight_from"] for one in plan["question"]["stock"]["sources"]] == ["", "own"]
    assert plan["data"]["unique_tokens"] == 4.5e11
    saved = {one["name"]: one["saved"]["value"] for one in plan["sources"]}
    assert saved["web"] + saved["code"] == pytest.approx(plan["data"]["saved_by_data"]["value"])
    assert any("2410.03083" in note for note in plan["notes"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--usd", "-1.5M", "--device", "h100-sxm"], "A budget in USD is a number above zero"),
        (["--days", "-30d", "--device", "h100-sxm"], "A budget in days is a number above zero"),
        (["--flops", "1e21", "--unique-tokens", "-5B"], "unique tokens holds nothing"),
        (["--flops", "1e21", "--stock", "web=-4e11"], "unique tokens of source 'web' is a number above zero"),
        (["--flops", "1e21", "--stock", "web=nan"], "'nan' is not a quantity"),
        (["--flops", "1e21", "--stock", "web"], "'web' is no source of data; write it like web=4e11"),
        (["--flops", "1e21", "--stock", "a=1e9", "--stock", "a=2e9"], "Source 'a' is given 2 times"),
        (["--flops", "1e21", "--stock", "a=1e9", "--unique-tokens", "1e9"], "not both"),
        (["--flops", "1e21", "--price", "2.50"], "--price belongs to a device: name one"),
        (["--flops", "1e21", "--kg-per-kwh", "0.4"], "--kg-per-kwh belongs to a device: name one"),
        (["--days", "30", "--device", "t4", "--devices", "2.5"], "'2.5' is no count"),
    ],
)
def test_a_slip_in_a_number_is_named_for_what_it_is(
    given: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", LAW, *given]) == 2

    said = capsys.readouterr()
    assert words in " ".join((said.out + said.err).replace("│", " ").split())


def test_naming_an_architecture_is_asking_for_its_shape(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", LAW, "--flops", "1e20", "--architecture", "state_space"]) == 0

    assert "A run that can be trained" in capsys.readouterr().out


def test_whole_numbers_are_read_however_they_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"vocab_size": 1000, "n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 1024}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "gpt2", **sizes}))

    assert printed(capsys, "serving", str(path), "--context", "1e3")["context"] == 1000
    assert printed(capsys, "serving", str(path), "--context", "1k", "--batch", "1e1")["batch"] == 10
    assert run(["serving", str(path), "--context", "1e6"]) == 2
    assert "learned positions for 1024 tokens and none for 1000000" in capsys.readouterr().err
    assert run(["count", str(path), "--context", "2048"]) == 2
    assert "learned positions" in capsys.readouterr().err


OWN_LAW = """
from allometry.laws import Coefficient, law

def part(name, low, high):
    return Coefficient(name=name, meaning="mine", unit="1", low=low, high=high)

@law(reads=("params", "tokens"), source="mine", coefficients=(
    part("c", 0.1, 10), part("n", 1, 1e5), part("d", 1, 1e5), part("p", 0.05, 1), part("q", 0.05, 1)))
def mine(N, D, *, c, n, d, p, q):
    return c + n / N**p + d / D**q
"""


def test_a_law_of_ones_own_plans_as_the_same_law_of_the_catalog(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes, ratios = (1e7, 3e7, 1e8, 3e8, 1e9), (5, 20, 60)
    rows = [(n, n * r, 1.8 + 480 / n**0.35 + 2100 / (n * r) ** 0.37) for n in sizes for r in ratios]
    table, law = tmp_path / "runs.csv", f"{tmp_path / 'mylaws.py'}:mine"
    table.write_text("params,tokens,loss\n" + "".join(f"{n},{d},{loss}\n" for n, d, loss in rows))
    (tmp_path / "mylaws.py").write_text(OWN_LAW)
    for name in (law, "chinchilla"):
        saved = str(tmp_path / f"{'own' if name == law else 'catalog'}.json")
        assert run(["fit", str(table), "--law", name, "--draws", "2", "--save", saved]) == 0
    capsys.readouterr()

    own = printed(capsys, "plan", str(tmp_path / "own.json"), "--law", law, "--flops", "1e22")
    catalog = printed(capsys, "plan", str(tmp_path / "catalog.json"), "--flops", "1e22")

    assert own["params"]["value"] == pytest.approx(catalog["params"]["value"], rel=1e-3)
    assert run(["plan", LAW, "--law", law, "--flops", "1e22"]) == 2
    assert "belongs to a saved fit" in capsys.readouterr().err
