"""A built wheel, installed where only the tested packages are seen, outside the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command, cwd):
    quiet = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=cwd, env=quiet)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_predicts_outside_the_checkout(tmp_path):
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("emovlm", "setup.py", "pyproject.toml", "README.md"):
        (source / name).symlink_to(ROOT / name)
    run(*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, source, cwd=tmp_path)
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    # A line of a path alone: where emovlm itself is installed in place (a hook in a .pth), it is not seen.
    Path(packages, "tested.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (wheel,) = tmp_path.glob("*.whl")
    run(*pip, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    where = run(python, "-c", "import emovlm; print(emovlm.__file__)", cwd=tmp_path).strip()
    assert where.startswith(packages)
    command = tmp_path / "venv" / "bin" / "emovlm"
    assert "predict" in run(command, "--help", cwd=tmp_path)
    recipe = ROOT / "recipes" / "demo" / "tiny_video.yaml"
    clip = Path(where).parent / "demo" / "clips" / "test" / "0004.mp4"
    said = json.loads(run(command, "predict", recipe, clip, "--json", "train=none", cwd=tmp_path))
    assert said["answer"] == "happy"
