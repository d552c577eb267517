"""Every recipe, found recursively, loads, dry-runs on the tiny model, and opens with command, cost and result."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from emovlm import recipe as recipes
from emovlm import study as studies
from emovlm.data.sources import demo

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


@pytest.fixture(scope="module")
def few_clips(tmp_path_factory):
    """A folder with two clips of each class in each split: texts of all the demo's clips would take minutes."""
    folder, counts = tmp_path_factory.mktemp("few"), Counter()
    for row in demo.load(set="micro"):
        place = folder / row["split"] / row["label"] / f"{counts[row['split'], row['label']]}.mp4"
        counts[row["split"], row["label"]] += 1
        if counts[row["split"], row["label"]] <= 2:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(row["media"][0])
    return folder


@pytest.mark.parametrize("path", by_kind(study=False))
def test_recipe_dry_runs_on_the_tiny_model(path, capsys, few_clips, tmp_path, monkeypatch):
    from emovlm.enrich.run import enrich
    from emovlm.train.dry_run import dry_run

    monkeypatch.setenv("EMOVLM_CACHE", str(tmp_path))
    found = recipes.load(path).model_copy(update={"model": recipes.Model(name="demo")})
    if found.enrich:
        found = found.model_copy(update={"data": recipes.Data(source="folder", root=str(few_clips))})
        assert not enrich(found).failed
    elif found.data.source != "demo":
        found = found.model_copy(update={"data": recipes.Data(source="demo")})
    dry_run(found)
    shown = capsys.readouterr().out
    assert "One prompt" in shown
    assert "language_model.layers.*" in shown


@pytest.mark.parametrize("path", by_kind(study=True))
def test_study_plans(path):
    planned = studies.plan(studies.load(path), path)
    assert len(planned) > 2
    assert len({(entry.run.folder, entry.key) for entry in planned}) == len(planned)
