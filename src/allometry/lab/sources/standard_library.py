"""The running Python's own standard library as text."""

from __future__ import annotations

import ast
import hashlib
import os
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from allometry.errors import InputError
from allometry.lab.documents import Document

# encodings/ is tables, not code; the others are tests, bundled copies or installed packages, which
# distributions ship or strip as they like.
_NOT_LIBRARY = {
    "encodings", "test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "ensurepip",
}  # fmt: skip
# No single file may dominate the sample: pydoc_data/topics.py alone is 0.7 MB of generated text.
_LARGEST_SHARE = 0.05


def read_library(size: int, *, docstrings: bool = False) -> list[Document]:
    """Whole files of the library, in an order of their own, until there are `size` bytes.

    Args:
        docstrings: Take only the docstrings of each file, a blank line between them.

    Raises:
        InputError: If this Python has no readable library.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    kept = sorted(path.relative_to(root).as_posix() for path in _python_files(root))
    if not kept:
        raise InputError(
            f"No .py files under {root}: this Python has no readable standard library. Use files."
        )
    sample: list[Document] = []
    taken = 0
    # In the order of another hash than the split's: being taken says nothing about a file's side.
    for name in sorted(kept, key=lambda name: hashlib.sha256(b"sample " + name.encode()).digest()):
        if taken >= size:
            break
        text = (root / name).read_text(encoding="utf-8", errors="replace")
        document = Document(name=name, text=_docstrings(text) if docstrings else text)
        if 0 < len(document.text) <= _LARGEST_SHARE * size:
            sample.append(document)
            taken += document.bytes
    return sample


def _python_files(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root):
        folders[:] = set(folders) - _NOT_LIBRARY  # not entered: installed packages are most of what is there
        yield from (Path(place, name) for name in names if name.endswith(".py"))


def _docstrings(source: str) -> str:
    """Those of a module, its classes and functions, in their order; none of what is not Python of today."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old escapes in strings
            tree = ast.parse(source)
    except SyntaxError:  # lib2to3 keeps some files of Python 2
        return ""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds))
    return "\n\n".join(text for text in found if text)
