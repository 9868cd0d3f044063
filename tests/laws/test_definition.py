"""A law is its formula: what is derived from it, and what is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from allometry.errors import InputError, UnknownName
from allometry.laws import LAWS, Coefficient, law, read_law

OWN_FILE = '''
from allometry.laws import Coefficient, law

@law(
    reads=("tokens",), source="mine",
    coefficients=(Coefficient(name="a", meaning="slope", unit="nat", low=0.1, high=1.0),),
)
def mine(D, *, a):
    """Loss falls with the root of tokens."""
    return a / D**0.5
'''


def test_the_catalog_offers_the_laws_by_name() -> None:
    assert set(LAWS) >= {"chinchilla", "kaplan", "power_law", "power_law_with_floor"}


def test_an_unknown_law_names_the_nearest_one() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'chinchilla'"):
        read_law("chinchila")


def test_the_coefficients_a_law_is_linear_in_are_found_from_its_formula() -> None:
    linear = {entry.name: [entry.names[i] for i in entry.derivation.linear] for entry in LAWS.values()}

    assert linear["chinchilla"] == ["E", "A", "B"]
    assert linear["power_law_with_floor"] == ["E", "A"]
    assert linear["kaplan"] == []


def test_a_law_is_read_from_a_users_own_file(tmp_path: Path) -> None:
    path = tmp_path / "mylaws.py"
    path.write_text(OWN_FILE)

    assert float(read_law(f"{path}:mine").evaluate({"tokens": 4.0}, {"a": 1.0})) == 0.5
    with pytest.raises(InputError, match="It has: mine"):
        read_law(f"{path}:minne")


def test_a_missing_file_of_laws_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file .*absent\.py"):
        read_law(f"{tmp_path}/absent.py:mine")


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("def mine(D, *, a):", "def mine(D, *, a)", r"mylaws\.py' cannot be run, line 8: SyntaxError"),
        ("import Coefficient", "import Coeficient", "line 2: ImportError"),
        ("def mine(D, *, a):", "def mine(*, a):", "line 4: ValueError: .* takes 0 inputs and reads 1"),
        ("coefficients=", "coeficients=", "line 4: TypeError"),
        ("return a", "return b", "'mine' cannot be worked out: NameError"),
        ("return a", "return __import__('math').sqrt(D)", "called once, with symbols"),
        ("return a", "if D > 1: return a", "no if, no NumPy"),
        ("return a / D**0.5", "a / D**0.5", "gives None, which is no formula"),
    ],
)
def test_a_slip_in_a_users_own_file_is_named_with_its_place(
    tmp_path: Path, right: str, wrong: str, words: str
) -> None:
    path = tmp_path / "mylaws.py"
    path.write_text(OWN_FILE.replace(right, wrong))

    with pytest.raises(InputError, match=words):
        read_law(f"{path}:mine")


def test_a_file_of_laws_without_a_name_asks_for_one() -> None:
    with pytest.raises(InputError, match=r"mylaws\.py:my_law"):
        read_law("mylaws.py")


def test_a_wrong_input_name_gets_the_right_one() -> None:
    with pytest.raises(InputError, match="Did you mean 'tokens'"):
        LAWS["chinchilla"].evaluate({"params": 1.0, "token": 1.0}, {})


def test_a_law_must_describe_the_coefficients_it_leaves_open() -> None:
    with pytest.raises(ValueError, match="in this order"):
        law(reads=("tokens",), source="mine", coefficients=())(lambda D, *, a: a / D)


def test_a_coefficient_needs_a_range_to_look_in() -> None:
    with pytest.raises(ValueError, match="must be below high"):
        Coefficient(name="a", meaning="slope", unit="1", low=2.0, high=1.0)


def test_importing_the_laws_does_not_import_sympy() -> None:
    check = "import sys, allometry.laws; sys.exit('sympy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
