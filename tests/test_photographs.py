"""Real photographs through the folder source: the recipe in recipes/london_faces, from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emovlm.evaluate.predictions import read
from emovlm.run import RunFolder

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("EMOVLM_SHARED_DATA", ROOT.parent / "shared" / "data"))
FACES = Path(os.environ.get("LONDON_FACES", SHARED / "london_faces")).resolve()


@pytest.mark.slow
@pytest.mark.skipif(not FACES.is_dir(), reason=f"no photographs in {FACES} (LONDON_FACES)")
def test_the_tiny_model_trains_on_photographs(tmp_path):
    recipe = ROOT / "recipes" / "london_faces" / "tiny_photos.yaml"
    command = [sys.executable, "-m", "emovlm", "train", str(recipe), "output=run", "trainer.max_steps=12"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LONDON_FACES": str(FACES)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = RunFolder(tmp_path / "run")
    available = json.loads(run.ledger.read_text())["available"]
    assert available[0] / available[1] == pytest.approx(9, abs=0.9), "nine to one in training"
    found = read(run.predictions("test-likelihood"))
    targets_N = found.targets_N()
    assert (targets_N == 0).sum() == (targets_N == 1).sum() >= 25, "balanced test"
    evaluation = json.loads(run.report.read_text())["evaluations"]["test-likelihood"]
    assert evaluation["classes"] == ["neutral", "happy"]
    assert evaluation["tail"] == ["happy"]
    prompts = found.header["protocol"]["question"]
    assert "happy" not in prompts, "the file names spell the label; the prompt must not"
