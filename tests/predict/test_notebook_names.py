"""`import emovlm` costs nothing; its names for notebooks lead somewhere, and the example in its docstring runs."""

import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import emovlm

ROOT = Path(__file__).parents[2]


def test_importing_emovlm_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import emovlm; print(sorted(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(eval(found.stdout))
    assert "emovlm" in loaded
    assert not {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"emovlm"}
    assert not {name for name in loaded if name.startswith("emovlm.")}


@pytest.mark.parametrize("name", sorted(emovlm.PUBLIC))
def test_every_name_is_there_and_told(name):
    assert callable(getattr(emovlm, name))
    assert getattr(emovlm, name).__doc__, "a notebook shows it"
    assert f"\n    {name}(" in emovlm.__doc__
    assert name in dir(emovlm)


def test_other_names_are_answered_and_folders_stay_folders():
    with pytest.raises(AttributeError, match="no attribute 'train_model'; for notebooks it has load_recipe"):
        emovlm.train_model  # noqa: B018
    module = importlib.import_module("emovlm.train.sft")
    from emovlm import train

    assert train.sft is module
    assert module.train is emovlm.train_run


@pytest.mark.slow
def test_the_example_of_the_docstring_runs(tmp_path):
    example = textwrap.dedent(emovlm.__doc__.split("(paths are pathlib's):\n\n")[1])
    short = '"trainer.max_steps=2", "data.test_subset={per_class: 1}"'
    assert '"trainer.max_steps=8"' in example
    example = example.replace('"trainer.max_steps=8"', short)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "'value'" in done.stdout
    assert done.stdout.count("'surprise'") == 1
