"""The index of papers names whatever can be named in a recipe, and every paper that a docstring cites by number."""

import re
from pathlib import Path

import pytest

from emovlm import lookup

ROOT = Path(__file__).parents[1]
INDEX = ROOT / "recipes" / "PAPERS.md"
TEXT = INDEX.read_text(encoding="utf-8")


@pytest.mark.parametrize("home", [lookup.STRATEGY, lookup.CLASS_LOSS], ids=lambda home: home.key)
def test_every_strategy_and_loss_is_in_the_index(home):
    missing = [name for name in home.names() if f"`{name}`" not in TEXT]
    assert not missing, f"{INDEX}: {missing}"


def test_every_arxiv_number_in_the_code_is_in_the_index():
    cited = {
        number: path
        for path in (ROOT / "emovlm").rglob("*.py")
        if "data" not in path.parts and "demo" not in path.parts
        for number in re.findall(r"arXiv:? ?(\d{4}\.\d{4,5})", path.read_text(encoding="utf-8"))
    }
    assert len(cited) > 10
    assert {number: path for number, path in cited.items() if number not in TEXT} == {}


def test_files_and_recipes_of_the_index_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (INDEX.parent / target).exists(), target
    for place in re.findall(r"`(emovlm/[\w/.]+)`", TEXT):
        assert (ROOT / place).exists(), place
