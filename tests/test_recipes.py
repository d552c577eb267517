"""Every recipe, found recursively, loads, dry-runs on the tiny model, and opens with command, cost and result.

A recipe of a known data set runs on its official layout with tiny clips (tests/data/layouts).
"""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from emovlm import recipe as recipes
from emovlm import study as studies
from emovlm.data import tables
from emovlm.data.sources import demo

from .data import layouts

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "recipes").rglob("*.yaml"))
VARIABLE = re.compile(r"\$\{oc\.env:(\w+)\}")
FOLDERS = sorted({path.parent for path in FILES} - {ROOT / "recipes" / name for name in ("demo", "london_faces")})


@pytest.fixture(autouse=True)
def _roots(monkeypatch, tmp_path):
    """Where a recipe's data lie on the user's disk."""
    for name in {name for path in FILES for name in VARIABLE.findall(path.read_text())}:
        monkeypatch.setenv(name, str(tmp_path))


def is_study(path):
    return "arms" in yaml.safe_load(path.read_text()) or "grid" in yaml.safe_load(path.read_text())


def source_of(path):
    return yaml.safe_load(path.read_text())["data"]["source"]


def by_kind(study):
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in FILES if is_study(path) == study]


def dry_runs():
    """Of the recipes of a set that ask the model alike, all but the first are slow: they differ in the model's name."""
    seen, found = set(), []
    for path in FILES:
        if not is_study(path):
            values = yaml.safe_load(path.read_text())
            kind = str([source_of(path), values["frames"], values.get("enrich")])
            marks = [pytest.mark.slow] if kind in seen and source_of(path) in layouts.names() else []
            seen.add(kind)
            found.append(pytest.param(path, id=str(path.relative_to(ROOT)), marks=marks))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_header_says_command_cost_and_result(path):
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    text = "\n".join(header)
    verb = "study" if is_study(path) else "train"
    assert f"emovlm {verb} {path.relative_to(ROOT)}" in text
    for word in ("Cost", "Result", "Follows"):
        assert f"# {word}" in text or f"{word} " in text, f"{path}: the header has no {word}"
    for name in VARIABLE.findall(path.read_text()):
        assert f"# Needs    {name}" in text, f"{path}: the header does not say that it needs {name}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_data_set_says_how_to_get_it(folder):
    text = (folder / "README.md").read_text()
    for word in ("## Get it", "## Licence", "## Counts", "## Traps"):
        assert word in text, f"{folder}/README.md: has no section {word}"


@pytest.fixture(scope="module")
def few_clips(tmp_path_factory):
    """A folder with one clip of each class in each split: texts of all the demo's clips would take minutes."""
    folder = tmp_path_factory.mktemp("few")
    for row in demo.load(set="micro"):
        place = folder / row["split"] / row["label"] / "0.mp4"
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(row["media"][0], place)
    return folder


@pytest.fixture(scope="module")
def layout_of(tmp_path_factory):
    """The arguments of `data:` with which a set's layout is read; each layout is written once."""
    written = {}

    def layout_of(source):
        if source not in written:
            written[source] = layouts.module(source).write(tmp_path_factory.mktemp(source))
        return written[source]

    return layout_of


def on_layout(data, args):
    """The recipe's own `data:` on the layout, which has other folds and too few clips for a large balanced test."""
    own = {"root": args["root"]}
    if data.splits.folds is not None:
        own["splits"] = {**data.splits.model_dump(), **args["splits"]}
    if data.test_subset is not None:
        own["test_subset"] = {"per_class": 1}
    return recipes.Data.model_validate({**data.model_dump(), **own})


@pytest.mark.parametrize("path", dry_runs())
def test_recipe_dry_runs_on_the_tiny_model(path, capsys, few_clips, layout_of, tmp_path, monkeypatch):
    from emovlm.enrich.run import enrich
    from emovlm.train.dry_run import dry_run

    monkeypatch.setenv("EMOVLM_CACHE", str(tmp_path))
    found = recipes.load(path).model_copy(update={"model": recipes.Model(name="demo")})
    if found.data.source in layouts.names():
        found = found.model_copy(update={"data": on_layout(found.data, layout_of(found.data.source))})
    elif found.enrich:
        data = recipes.Data.model_validate({"source": "folder", "root": str(few_clips)})
        found = found.model_copy(update={"data": data})
    elif found.data.source != "demo":
        found = found.model_copy(update={"data": recipes.Data(source="demo")})
    if found.enrich:
        assert not enrich(found).failed
    dry_run(found)
    shown = capsys.readouterr().out
    assert "One prompt" in shown
    assert "language_model.layers.*" in shown


@pytest.mark.parametrize(
    "path", [param for param in by_kind(study=False) if source_of(param.values[0]) in layouts.names()]
)
def test_the_rows_of_a_recipe_load_on_the_layout(path, layout_of):
    """Cheap, and so for every recipe: its arguments, splits and classes are those of the source."""
    found = recipes.load(path)
    by_split, classes = tables.load_rows(on_layout(found.data, layout_of(found.data.source)))
    assert {"train", "validation", "test"} <= set(by_split)
    assert {row["label"] for row in by_split["train"]} == set(classes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dfew", "mafw"])
def test_the_papers_table_3_dry_runs_by_its_commands(name, layout_of, tmp_path, monkeypatch, capsys):
    from typer.testing import CliRunner

    from emovlm.cli import app

    args = layout_of(name)
    monkeypatch.setenv("EMOVLM_CACHE", str(tmp_path))
    monkeypatch.setenv(f"{name.upper()}_ROOT", args["root"])
    # The files themselves, with the tiny model, and with as many clips and frames as the layout has.
    for file in ("paper_table3.yaml", "qwen2.5-vl-7b_enriched.yaml"):
        text = (ROOT / "recipes" / name / file).read_text()
        text = re.sub(r"per_class: \d+", "per_class: 1", re.sub(r"name: Qwen/\S+(?=[,}])", "name: demo", text))
        (tmp_path / file).write_text(text.replace("keep: 4", "keep: 2"))
    study = str(tmp_path / "paper_table3.yaml")
    refused = CliRunner().invoke(app, ["study", study, "--dry-run"])
    assert f"emovlm enrich {study}" in str(refused.exception), "texts first"
    assert CliRunner().invoke(app, ["enrich", study]).exit_code == 0
    shown = CliRunner().invoke(app, ["study", study, "--dry-run"]).output
    arms = ("keyframes_only", "enriched", "texts_of_another_clip", "texts_of_keyframes")
    parts = dict(zip(arms, re.split(r"== \w+, seed 0\n", shown)[1:], strict=True))
    for arm in arms:
        assert f"== {arm}, seed 0" in shown
        assert "One prompt" in parts[arm]
        assert ("0 -> 1:" in parts[arm]) == (arm != "keyframes_only")


@pytest.mark.parametrize("path", by_kind(study=True))
def test_study_plans(path):
    study = studies.load(path)
    # Every further seed and fold is the same recipes again.
    study = study.model_copy(update={"seeds": study.seeds[:1], "folds": study.folds and study.folds[:1]})
    planned = studies.plan(study, path)
    assert len(planned) > 2
    assert len({(entry.run.folder, entry.key) for entry in planned}) == len(planned)
