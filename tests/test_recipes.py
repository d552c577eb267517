"""Every recipe, found recursively, loads, dry-runs on the tiny model, and opens with command, cost and result."""

from pathlib import Path

import pytest
import yaml

from emovlm import recipe as recipes
from emovlm import study as studies

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "recipes").rglob("*.yaml"))
# Where a recipe's data lie on the user's disk.
VARIABLES = ("LONDON_FACES", "DFEW_ROOT")


@pytest.fixture(autouse=True)
def _roots(monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.setenv(name, str(tmp_path))


def is_study(path):
    return "arms" in yaml.safe_load(path.read_text()) or "grid" in yaml.safe_load(path.read_text())


def by_kind(study):
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in FILES if is_study(path) == study]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_header_says_command_cost_and_result(path):
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    text = "\n".join(header)
    verb = "study" if is_study(path) else "train"
    assert f"emovlm {verb} {path.relative_to(ROOT)}" in text
    for word in ("Cost", "Result", "Follows"):
        assert f"# {word}" in text or f"{word} " in text, f"{path}: the header has no {word}"


@pytest.mark.parametrize("path", by_kind(study=False))
def test_recipe_dry_runs_on_the_tiny_model(path, capsys):
    from emovlm.train.dry_run import dry_run

    found = recipes.load(path)
    if found.data.source != "demo":
        found = found.model_copy(update={"data": recipes.Data(source="demo")})
    dry_run(found.model_copy(update={"model": recipes.Model(name="demo")}))
    shown = capsys.readouterr().out
    assert "One prompt" in shown
    assert "language_model.layers.*" in shown


@pytest.mark.parametrize("path", by_kind(study=True))
def test_study_plans(path):
    planned = studies.plan(studies.load(path), path)
    assert len(planned) > 2
    assert len({(entry.run.folder, entry.key) for entry in planned}) == len(planned)
