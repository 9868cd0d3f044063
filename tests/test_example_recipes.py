"""Every example recipe is legal, says how to run it, and trains: shrunk to a few seconds, its curve falls."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allometry.lab.loop import train
from allometry.recipe import Recipe, SymbolSource, TaskProblems, TextFiles
from allometry.runs.study import Study

FOLDER = Path(__file__).parents[1] / "examples" / "recipes"
FILES = sorted(FOLDER.glob("*.toml"))
RECIPES = {path.stem: Recipe.from_toml(path.read_text(), path.name) for path in FILES}
OF_RUN = {recipe.run_id: recipe for recipe in RECIPES.values()}
STEPS = 32


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_says_what_it_asks_and_how_it_is_trained(path: Path) -> None:
    assert f"allometry train examples/recipes/{path.name}" in path.read_text()
    assert "?" in path.read_text().split("\n\n")[0] or path.stem == "transformer"


def test_an_example_that_needs_another_names_the_run_of_an_example() -> None:
    for name, recipe in RECIPES.items():
        for ancestor in recipe.ancestors:
            assert ancestor in OF_RUN, f"{name} needs run {ancestor}, which no example makes"


@pytest.mark.parametrize("name", list(RECIPES))
def test_an_example_shrunk_to_seconds_has_a_falling_curve(
    name: str, text: Path, tmp_path: Path, one_thread: None
) -> None:
    study = Study.create(tmp_path / "study", "")

    run = trained(RECIPES[name], text, study)

    lines = (study.run_folder(run) / "history.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[-1] < losses[0] - 0.05


def trained(recipe: Recipe, text: Path, study: Study) -> str:
    """Train a shrunk recipe after those it begins with or learns from."""
    small = shrunk(recipe, text)
    for role in ("start", "distill"):
        needed: Any = getattr(recipe, role)
        if needed is not None:
            field = "run" if role == "start" else "teacher"
            ancestor = trained(OF_RUN[getattr(needed, field)], text, study)
            small = replace(small, **{role: replace(needed, **{field: ancestor})})
    run = train(small, study=study)
    assert run.status == "done", run.reason
    return run.run_id


def shrunk(recipe: Recipe, text: Path) -> Recipe:
    """The same kind of run in a few seconds: little text, few tokens, a small vocabulary."""
    data = replace(recipe.data, held_out_tokens=2048)
    vocab = recipe.architecture.vocab
    if data.tokenizer.kind == "bpe":
        vocab = 300
        data = replace(data, tokenizer=replace(data.tokenizer, vocab=vocab))
    if not isinstance(data.corpus, SymbolSource):
        data = replace(data, corpus=little(data.corpus, text))
    if data.unique_tokens is not None:
        data = replace(data, unique_tokens=data.unique_tokens // 64)
    corpus = data.corpus
    context = corpus.block if isinstance(corpus, TaskProblems) else min(recipe.architecture.context, 64)
    shape = replace(recipe.architecture, vocab=vocab, context=context)
    batch = context * (32 if isinstance(corpus, TaskProblems) else 4)
    return replace(recipe, architecture=shape, data=data, batch_tokens=batch, tokens=STEPS * batch)


def little(corpus: Any, text: Path) -> Any:
    """Little text of the same kind of source."""
    files = TextFiles(paths=(str(text / "*.txt"),))
    if corpus.kind != "mixture":
        return files
    return replace(corpus, domains=tuple(replace(domain, corpus=files) for domain in corpus.domains))
