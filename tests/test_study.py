import json

import pytest

from emovlm import UserError, study
from emovlm import run as runs
from emovlm.data import tables

RECIPE = """\
data: {source: demo}
model: {name: demo}
trainer: {max_steps: 3, per_device_train_batch_size: 4}
global_batch: 4
"""
STUDY = """\
recipe: r.yaml
arms:
  natural: [sampler.strategy=natural]
  root: [sampler.strategy=square_root]
seeds: [0, 1]
control: natural
contrast: [root, natural]
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE)

    def write(text=STUDY):
        path = tmp_path / "s.yaml"
        path.write_text(text + f"output: {tmp_path / 'out'}\n")
        return path

    return write


def named(entry):
    return (entry.arm, entry.seed) if entry.fold is None else (entry.arm, entry.fold, entry.seed)


def conduct(path, **asked):
    """A study whose runs only write what a finished run leaves behind. -> what was done, in order."""
    did = []

    def train(entry):
        did.append(("train", *named(entry)))
        entry.run.adapter.mkdir(parents=True)

    def evaluate(entry):
        did.append(("evaluate", *named(entry)))
        runs.begin(entry.trained_as, entry.run)
        runs.update_report(
            entry.run, entry.recipe, evaluation=(entry.key, {"recipe_hash": runs.recipe_hash(entry.recipe)})
        )

    return did, study.conduct(study.load(path), path, train=train, evaluate=evaluate, **asked)


def test_arms_times_seeds_then_nothing_the_second_time(write):
    path = write()
    did, counts = conduct(path)
    assert did[0] == ("evaluate", "zero_shot", 0)
    trained = [(arm, seed) for verb, arm, seed in did if verb == "train"]
    assert trained == [("natural", 0), ("natural", 1), ("root", 0), ("root", 1)]
    assert counts == (5, 0)
    assert conduct(path) == ([], (0, 5))
    report = json.loads((path.parent / "out" / "report.json").read_text())
    assert [arm["name"] for arm in report["arms"]] == ["zero_shot", "natural", "root"]
    assert report["arms"][2]["runs"][1] == {"seed": 1, "folder": "root/seed1"}
    assert (report["control"], report["contrast"]) == ("natural", ["root", "natural"])


def test_only_the_changed_arm_is_run_again(write):
    conduct(write())
    path = write(STUDY.replace("  root:", "  balanced: [sampler.strategy=class_balanced]\n  root:"))
    did, counts = conduct(path)
    assert did == [(verb, "balanced", seed) for seed in (0, 1) for verb in ("train", "evaluate")]
    assert counts == (2, 5)


SCORED_TWICE = STUDY.replace(
    "  root:", "  adjusted: [sampler.strategy=natural, evaluate.prior=effective, evaluate.tau=fit]\n  root:"
)


def test_arms_that_are_only_scored_otherwise_share_a_training(write):
    path = write(SCORED_TWICE)
    did, counts = conduct(path)
    assert [step for step in did if step[0] == "train" and step[1] == "adjusted"] == []
    assert ("evaluate", "adjusted", 1) in did
    assert counts == (7, 0)
    assert conduct(path) == ([], (0, 7))
    report = json.loads((path.parent / "out" / "report.json").read_text())
    arms = {arm["name"]: arm for arm in report["arms"]}
    assert arms["adjusted"]["runs"] == arms["natural"]["runs"]
    assert arms["adjusted"]["evaluation"] == "test-likelihood-effective_prior-tau_fit"
    assert arms["natural"]["evaluation"] == "test-likelihood"


def test_an_arm_that_was_changed_is_refused_before_anything_runs(write):
    conduct(write())
    path = write(
        STUDY.replace("sampler.strategy=square_root", "sampler.strategy=square_root, trainer.learning_rate=0.1")
    )
    did, error = [], None
    try:
        did, _ = conduct(path)
    except UserError as caught:
        error = str(caught)
    assert did == []
    assert "root/seed0: holds a run of another recipe" in error


def test_another_scoring_is_scored_again_and_not_trained_again(write):
    conduct(write())
    (write().parent / "r.yaml").write_text(RECIPE + "evaluate: {batch_size: 2}\n")
    did, counts = conduct(write())
    assert {step[0] for step in did} == {"evaluate"}
    assert counts == (5, 0)


FOLDS = STUDY.replace("seeds: [0, 1]", "seeds: [0, 1]\nfolds: [1, 2, 3]")
DEALT = """\
data: {source: jsonl, root: ROOT, splits: {folds: 3, fold: 1, unit: id}}
model: {name: demo}
trainer: {max_steps: 3, per_device_train_batch_size: 4}
global_batch: 4
"""


@pytest.fixture
def dealt(tmp_path):
    """A recipe over 12 rows of a jsonl file, by folds that emovlm deals."""
    (tmp_path / "a.mp4").touch()
    rows = [{"id": str(index), "media": "a.mp4", "label": ("happy", "sad")[index % 2]} for index in range(12)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return DEALT.replace("ROOT", str(tmp_path / "rows.jsonl"))


def test_every_arm_and_seed_is_run_for_every_fold_and_zero_shot_once_a_fold(write, dealt, tmp_path):
    path = write(FOLDS)
    (tmp_path / "r.yaml").write_text(dealt)
    did, counts = conduct(path)
    assert [entry[1:] for entry in did if entry[0] == "evaluate"] == [
        *(("zero_shot", fold, 0) for fold in (1, 2, 3)),
        *((arm, fold, seed) for arm in ("natural", "root") for fold in (1, 2, 3) for seed in (0, 1)),
    ]
    assert counts == (15, 0)
    assert conduct(path) == ([], (0, 15))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["arms"][0]["runs"][2] == {"seed": 0, "fold": 3, "folder": "zero_shot/fold3/seed0"}
    assert report["arms"][2]["runs"][3] == {"seed": 1, "fold": 2, "folder": "root/fold2/seed1"}


def test_a_further_fold_runs_alone_and_its_rows_are_tested_once(write, dealt, tmp_path):
    (tmp_path / "r.yaml").write_text(dealt)
    conduct(write(FOLDS.replace("[1, 2, 3]", "[1, 3]")))
    path = write(FOLDS)
    did, counts = conduct(path)
    assert {fold for _, _, fold, _ in did} == {2}
    assert counts == (5, 10)
    planned = [entry for entry in study.plan(study.load(path), path) if (entry.arm, entry.seed) == ("root", 1)]
    tested = [row["id"] for entry in planned for row in tables.load_rows(entry.recipe.data)[0]["test"]]
    assert sorted(tested, key=int) == [str(index) for index in range(12)]


def test_folds_that_a_source_ships_are_its_own_argument(write, tmp_path, monkeypatch):
    (tmp_path / "official.py").write_text("def rows(root: str, fold: int) -> list:\n    return []\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = write(FOLDS)
    (tmp_path / "r.yaml").write_text(RECIPE.replace("{source: demo}", "{source: 'official:rows', root: x}"))
    planned = study.plan(study.load(path), path)
    assert [entry.recipe.data.args["fold"] for entry in planned[:4]] == [1, 2, 3, 1]
    assert [entry.name for entry in planned[2:4]] == ["zero_shot, fold 3, seed 0", "natural, fold 1, seed 0"]
    assert len({runs.recipe_hash(entry.recipe) for entry in planned}) == 15


@pytest.mark.parametrize(
    ("folds", "says"),
    [
        (
            "[1, 2]",
            "folds: {base} gives no data.splits.folds, and the source 'demo' ships no folds; set data.splits.fo",
        ),
        ("[1, 1]", "folds: [1, 1]: a fold is given twice"),
        ("[]", "folds"),
    ],
)
def test_folds_that_cannot_be(write, folds, says):
    path = write(FOLDS.replace("[1, 2, 3]", folds))
    with pytest.raises(UserError) as caught:
        study.plan(study.load(path), path)
    assert says.format(base=path.parent / "r.yaml") in str(caught.value)


def test_a_fold_beyond_the_last_is_found_before_anything_runs(write, dealt, tmp_path):
    path = write(FOLDS.replace("[1, 2, 3]", "[1, 4]"))
    (tmp_path / "r.yaml").write_text(dealt)
    with pytest.raises(UserError, match=r"s\.yaml: arm 'zero_shot': .*data\.splits: fold 4: must be from 1 to 3"):
        study.plan(study.load(path), path)


def test_grid_makes_arms_out_of_all_combinations():
    values = {"recipe": "r.yaml", "control": "strategy=natural,rank=4", "contrast": ["strategy=natural,rank=8"] * 2}
    found = study.Study.model_validate(
        {**values, "grid": {"sampler.strategy": ["natural", "square_root"], "lora.rank": [4, 8]}}
    )
    assert list(found.all_arms()) == [
        *("strategy=natural,rank=4", "strategy=natural,rank=8"),
        *("strategy=square_root,rank=4", "strategy=square_root,rank=8"),
    ]
    assert found.all_arms()["strategy=square_root,rank=8"] == ['sampler.strategy="square_root"', "lora.rank=8"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("control: natural", "control: naturl", "there is no arm 'naturl'"),
        ("contrast: [root, natural]", "contrast: [root]", "contrast"),
        ("seeds: [0, 1]", "seeds: [0, 0]", "a seed is given twice"),
        ("strategy=square_root", "strategy=sqare_root", "did you mean 'square_root'"),
        ("[sampler.strategy=square_root]", "[trainer.max_steps=9]", "equal optimiser steps"),
        ("arms:", "amrs:", "did you mean 'arms'"),
        ("recipe: r.yaml", "recipe: q.yaml", "no such file"),
        ("  root:", "  zero_shot:", "cannot be called zero_shot"),
    ],
)
def test_faults_are_found_before_anything_runs(write, old, new, says):
    assert old in STUDY
    path = write(STUDY.replace(old, new))
    with pytest.raises(UserError) as caught:
        study.plan(study.load(path), path)
    assert says in str(caught.value)
    assert not (path.parent / "out").exists()


def test_parts_are_the_whole_and_the_last_to_end_writes_the_report(write):
    path = write()
    report = path.parent / "out" / "report.json"
    did = [conduct(path, only=f"{k}/3") for k in (1, 2, 3)]
    assert [counts for _, counts in did] == [(2, 0), (2, 0), (1, 0)]
    assert [entry for part, _ in did for entry in part if entry[0] == "evaluate"] == [
        ("evaluate", "zero_shot", 0),
        ("evaluate", "root", 0),
        ("evaluate", "natural", 0),
        ("evaluate", "root", 1),
        ("evaluate", "natural", 1),
    ]
    assert len(json.loads(report.read_text())["arms"]) == 3
    report.unlink()
    assert conduct(path, only="7/9") == ([], (0, 0)), "more jobs than runs"
    assert report.is_file()


def test_an_unfinished_study_has_no_report(write):
    path = write()
    conduct(path, only="1/2")
    assert study.left(study.load(path), path) == 2
    assert not (path.parent / "out" / "report.json").exists()


def test_runs_that_share_a_training_are_one_part(write):
    text = STUDY.replace("  root:", "  prior_off: [sampler.strategy=natural, evaluate.prior=effective]\n  root:")
    path = write(text)
    planned = study.plan(study.load(path), path)
    parts = [study.part(planned, f"{k}/5") for k in range(1, 6)]
    assert [[entry.name for entry in part] for part in parts] == [
        ["zero_shot, seed 0"],
        ["natural, seed 0", "prior_off, seed 0"],
        ["natural, seed 1", "prior_off, seed 1"],
        ["root, seed 0"],
        ["root, seed 1"],
    ]


@pytest.mark.parametrize("only", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"])
def test_what_is_no_part_is_refused(write, only):
    path = write()
    with pytest.raises(UserError, match=r"--only: .*such as 3/15"):
        study.part(study.plan(study.load(path), path), only)
