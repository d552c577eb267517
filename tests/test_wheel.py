"""A built wheel, installed outside the checkout beside the tested packages, has all that a user needs and no tests."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from emovlm import recipe as recipes

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def done(*command, cwd):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    found = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: a `build` folder of the checkout could hold files that are no more."""
    home = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "emovlm", home / "src" / "emovlm", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, home / "src")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    done(*pip, "wheel", *options, "--wheel-dir", home, home / "src", cwd=home)
    (path,) = home.glob("emovlm-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """-> (folder of the environment's programs, its site-packages)."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(home, symlinks=True)
    programs = home / "bin"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", programs / "python"]
    done(*pip, "install", "--no-deps", "--no-index", wheel, cwd=home)
    packages = next(home.glob("lib/python*/site-packages"))
    # The folder is searched behind this one, and its own .pth files, such as that of an editable emovlm, are not read.
    (packages / "tested.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return programs, packages


def test_it_holds_every_file_of_the_package_and_no_tests(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "emovlm"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.splitlines()
    missing = [path for path in tracked if path not in held and (ROOT / path).exists()]
    assert not missing, missing[:5]
    assert {"emovlm/py.typed", "emovlm/report/card.md.j2", "emovlm/demo/clips/test/metadata.csv"} <= held
    assert not [path for path in held if path.startswith(("tests", "tools", "recipes", "build"))]


def test_it_helps_outside_the_checkout(installed, tmp_path):
    programs, packages = installed
    where = done(programs / "python", "-c", "import emovlm; print(emovlm.__file__)", cwd=tmp_path)
    assert where.strip() == str(packages / "emovlm" / "__init__.py")
    assert "predict" in done(programs / "emovlm", "--help", cwd=tmp_path)


def test_it_predicts_a_demo_clip_with_the_demo_model(installed, small, tmp_path):
    programs, packages = installed
    (tmp_path / "demo.yaml").write_text(yaml.safe_dump(recipes.resolved(small(train="none"))))
    clip = packages / "emovlm" / "demo" / "clips" / "test" / "0001.mp4"
    said = done(programs / "emovlm", "predict", "demo.yaml", clip, "--json", cwd=tmp_path)
    (line,) = said.splitlines()
    probabilities = json.loads(line)["probabilities"]
    assert set(probabilities) >= {"happy", "fear"}
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-3)
