"""What all tests share: a cache of their own, a little text, and a recipe that trains in a blink."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from allometry.architectures import Transformer
from allometry.recipe import AdamW, Bpe, Data, Recipe, TextFiles, Wsd


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache is neither read nor filled by tests, nor by the workers they start."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALLOMETRY_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """As in a sweep's workers: the order of sums is part of the bits, and threads only cost time here."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def files_of_at_most() -> Callable[[int], AbstractContextManager[None]]:
    """A disk that is full, as far as this process can tell: no file becomes larger than so many bytes."""
    resource = pytest.importorskip("resource", reason="limits of a process are set by POSIX calls")

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


def write_text(folder: Path, *, documents: int = 80, seed: int = 0) -> Path:
    """Documents of made-up words, some 2 kB each."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghilmnoprstu", k=draw.randint(2, 7))) for _ in range(300)]
    for number in range(documents):
        lines = (" ".join(draw.choices(words, k=8)) for _ in range(50))
        (folder / f"text{number:03d}.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of text; read-only."""
    return write_text(tmp_path_factory.mktemp("text"))


@pytest.fixture
def own_text(tmp_path: Path) -> Path:
    """A folder of other text that a test may change."""
    (tmp_path / "own_text").mkdir()
    return write_text(tmp_path / "own_text", documents=40, seed=1)


@pytest.fixture(scope="session")
def tiny(text: Path) -> Recipe:
    """44 steps of 64 tokens, 33 of them before the decay: neither is a multiple of the lines of the curve."""
    return Recipe(
        architecture=Transformer(vocab=300, context=16, width=16, layers=1, heads=1),
        optimizer=AdamW(learning_rate=0.01),
        schedule=Wsd(warmup_tokens=256),
        data=Data(
            corpus=TextFiles(paths=(f"{text}/*.txt",)),
            tokenizer=Bpe(vocab=300),
            held_out=0.2,
            held_out_tokens=512,
        ),
        tokens=44 * 64,
        batch_tokens=64,
    )
