"""Public tables by name: found, fetched, checked, and brought to headers that say what they count."""

from __future__ import annotations

import hashlib
import re
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from allometry.errors import CorruptFile, InputError, TableError, UnknownName
from allometry.runs.importers.published import PUBLISHED, PublishedTable, TableFile, fetching, reading
from allometry.runs.importers.published.reading import read_table
from allometry.runs.importers.table import read_runs

SHARED = Path(__file__).parents[4] / "shared" / "data"
TEXT = "Model Size,Training FLOP,loss\n1e9,6e19,2.5\n2e9,6e19,2.7\n1e9,6e18,3.1\n"
# Rows of each prepared table, as its documentation counts them.
ROWS = {
    "hoffmann2022": 245, "gadre2024": 69, "llama3_isoflop": 266, "step_law": 1911, "muennighoff2023": 229,
    "gemstones": 220, "mixing_2domain": 220, "bnsl_4digit_addition": 17, "olmo_ladder": 3569,
    "beyond_chinchilla": 34, "obs_scaling": 148, "obs_scaling_emergent": 84, "monkeys_pythia_math": 512,
    "o1_mini_aime": 19, "metr_horizons": 33, "metr_logistic_fits": 17, "metr_bootstrap": 1000,
    "price_frontier": 45, "price_frontier_fits": 7, "epoch_models": 1396,
}  # fmt: skip
# Headers as the authors wrote them, a made-up row, and how it must be understood.
AUTHORS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama3_isoflop": (
        "source,dataset,model,condition,experiment,tokens,params,budget,loss,outlier,reason",
        "llama_3,llama_3,llama_3,exp_loss,llama_3__exp_loss,2e9,5e8,6e18,2.5,True,spline_outlier",
        {"params": 5e8, "tokens": 2e9, "flops": 6e18, "loss": 2.5, "condition": "exp_loss", "outlier": True},
    ),
    "step_law": (
        "N,D,lr,bs,smooth loss,loss",
        "1e9,2e10,0.001,64,2.4,2.5",
        {"params": 1e9, "tokens": 2e10, "learning_rate": 0.001, "batch_tokens": 131072.0, "loss": 2.4},
    ),
    "beyond_chinchilla": (
        "Model Name,Parameters,Tokens/Params,Tokens,Batch Size,Smoothed Loss",
        "150M,1.5e8,10,1.5e9,160.0,3.7",
        {"model": "150M", "params": 1.5e8, "tokens": 1.5e9, "tokens_per_param": 10, "loss": 3.7},
    ),
    "obs_scaling": (
        "Model,Model Family,Model Size (B),Pretraining Data Size (T),FLOPs (1E21),MMLU",
        "m,f,7.0,2.0,84.0,0.4",
        {"params": 7e9, "tokens": 2e12, "flops": 84e21, "MMLU": 0.4},
    ),
    "price_frontier": (
        "bench,threshold_model,performance_range,Model Name,Release Date,USD per 1M Tokens",
        'MMLU,GPT-3,"[43.9, 100]",GPT-3,2021-11-20,60.0',
        {"bench": "MMLU", "Release Date": "2021-11-20", "USD per 1M Tokens": 60.0},
    ),
}


def table_at(source: Path, **of_file: Any) -> PublishedTable:
    """A table whose author's file lies at `source`."""
    return PublishedTable(
        name="made_up",
        holds="Nothing.",
        paper="-",
        origin="-",
        licence="-",
        know=(),
        upstream=TableFile(name=source.name, address=source.as_uri(), **of_file),
        prepared=TableFile(name="prepared.csv"),
    )


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(fetching.FOLDER, raising=False)
    monkeypatch.setenv("ALLOMETRY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    path = tmp_path / "author" / "runs.csv"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []

    def refuse(request: urllib.request.Request, timeout: float) -> None:
        asked.append(request.full_url)
        raise URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return asked


@pytest.mark.parametrize("table", PUBLISHED.values(), ids=list(PUBLISHED))
def test_every_address_is_pinned_and_every_hash_is_one(table: PublishedTable) -> None:
    assert table.know
    assert re.fullmatch(r"[0-9a-f]{64}", table.prepared.sha256)
    if table.upstream is None:
        assert table.made_from
    else:
        assert re.match(r"https://[a-z.]*github[a-z]*\.com/.*/[0-9a-f]{7,40}/", table.upstream.address)
        assert re.fullmatch(r"([0-9a-f]{64})?", table.upstream.sha256)


@pytest.mark.public_data
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the public tables are not at {SHARED}")
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_table_is_read_from_the_folder_of_the_user(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fetching.FOLDER, str(SHARED))

    runs = read_runs(f"published:{name}")

    assert len(runs) == ROWS[name]
    assert runs.source == f"published:{name}"


@pytest.mark.public_data
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the public tables are not at {SHARED}")
def test_a_batch_in_sequences_is_read_in_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fetching.FOLDER, str(SHARED))

    runs = read_runs("published:step_law")

    # The first run by its own name: bs736, and 66342 steps of 736 sequences of 2048 tokens are 100e9 tokens.
    assert runs.table["batch_tokens"][0] == 736 * 2048
    assert runs.table["batch_tokens"][0] * runs.table["steps"][0] == pytest.approx(100e9, rel=1e-4)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'hoffmann2022'"):
        read_runs("published:hofmann2022")


def test_the_author_s_file_of_hoffmann_gets_tokens_and_the_published_exclusion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(fetching.FOLDER, str(tmp_path))
    (tmp_path / "svg_extracted_data.csv").write_text(TEXT + "".join(f"1e9,6e19,{x}\n" for x in (4, 5, 6)))
    table = PUBLISHED["hoffmann2022"]
    assert table.upstream is not None

    cells = read_table(replace(table, upstream=replace(table.upstream, sha256="")))

    assert [float(value) for value in cells.columns["tokens"][:3]] == [1e10, 5e9, 1e9]
    assert cells.columns["excluded_in_published_fit"] == ["False"] + 5 * ["True"]
    assert cells.columns["params_convention"] == 6 * ["total"]


@pytest.mark.parametrize("name", AUTHORS)
def test_the_author_s_headers_are_understood(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, row, expected = AUTHORS[name]
    table = PUBLISHED[name]
    assert table.upstream is not None
    unchecked = replace(table, upstream=replace(table.upstream, sha256=""))
    monkeypatch.setattr(reading, "PUBLISHED", {name: unchecked})
    monkeypatch.setenv(fetching.FOLDER, str(tmp_path))
    (tmp_path / table.upstream.name).write_text(f"{header}\n{row}\n")

    runs = read_runs(f"published:{name}")

    assert runs.table[list(expected)].iloc[0].to_dict() == expected


def test_rows_of_another_table_in_the_same_file_are_left_out(upstream: Path) -> None:
    upstream.write_text("source,loss\nllama_3,2.5\nothers,9\nllama_3,2.4\n")

    cells = read_table(table_at(upstream, keep={"source": "llama_3"}))

    assert cells.columns["loss"] == ["2.5", "2.4"]


def test_a_file_of_another_version_is_refused_with_what_it_lacks(upstream: Path) -> None:
    with pytest.raises(TableError, match=r"runs\.csv has no column 'source'.*It has: Model Size"):
        read_table(table_at(upstream, keep={"source": "llama_3"}))


def test_a_table_is_downloaded_once(upstream: Path) -> None:
    table = table_at(upstream, sha256=sha256(upstream))
    first = read_table(table)
    upstream.unlink()

    assert read_table(table) == first


def test_the_folder_goes_before_cache_and_address(
    upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: list[str]
) -> None:
    monkeypatch.setenv(fetching.FOLDER, str(tmp_path))
    (tmp_path / "prepared.csv").write_text("loss\n1.5\n")

    assert read_table(table_at(upstream)).columns == {"loss": ["1.5"]}
    assert not no_network


def test_a_download_that_is_another_file_is_not_kept(upstream: Path, tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="Nothing was kept"):
        read_table(table_at(upstream, sha256="0" * 64))

    assert not list(tmp_path.glob("cache/**/*.csv"))


@pytest.mark.parametrize("known", [True, False], ids=["known hash", "hash of the first download"])
def test_a_file_changed_in_the_cache_is_noticed(upstream: Path, tmp_path: Path, known: bool) -> None:
    table = table_at(upstream, sha256=sha256(upstream) if known else "")
    read_table(table)
    (cached,) = tmp_path.glob("cache/**/runs.csv")
    cached.write_text(TEXT.replace("2.5", "2.4"))

    with pytest.raises(CorruptFile, match="Delete it and read the table again"):
        read_table(table)


def test_a_file_changed_in_the_folder_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fetching.FOLDER, str(tmp_path))
    (tmp_path / "gadre_overtraining.csv").write_text("loss\n1\n")

    with pytest.raises(CorruptFile, match=r"gadre_overtraining\.csv is not the file that was published"):
        read_runs("published:gadre2024")


def test_without_network_and_folder_the_address_and_the_folder_are_named(no_network: list[str]) -> None:
    with pytest.raises(InputError, match=r"no route to host.*svg_extracted_data\.csv.*ALLOMETRY_DATA"):
        read_runs("published:hoffmann2022")

    assert PUBLISHED["hoffmann2022"].upstream is not None
    assert no_network == [PUBLISHED["hoffmann2022"].upstream.address]


def test_a_table_without_a_file_upstream_says_what_it_is_made_from(no_network: list[str]) -> None:
    with pytest.raises(InputError, match=r"made from one JSON file a model.*ALLOMETRY_DATA"):
        read_runs("published:gadre2024")

    assert not no_network


def test_a_download_beyond_the_limit_is_cut_off(upstream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "LARGEST", 10)

    with pytest.raises(InputError, match="is larger than"):
        read_table(table_at(upstream))


def test_a_folder_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fetching.FOLDER, str(tmp_path / "nowhere"))

    with pytest.raises(InputError, match="which is not a folder; correct it or unset it"):
        read_runs("published:hoffmann2022")
