"""From a source to checked splits."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from emovlm import UserError
from emovlm.data import tables
from emovlm.data.splits import load as load_splits
from emovlm.recipe import Data, Imbalance, Splits, Subset

FACES = ("happy", "sad", "fear")


def splits(**changes):
    return Splits(**changes)


def imbalance(ratio, seed=0, order="size"):
    return Imbalance(ratio=ratio, seed=seed, order=order)


def data_of(source="own_source:rows", **section):
    return Data(source=source, **section)


def rows_of(num_subjects=20, classes=FACES):
    return [
        {"id": f"{subject}-{label}", "media": ["x.mp4"], "label": label, "subject": f"{subject:03d}"}
        for subject in range(num_subjects)
        for label in classes
    ]


@pytest.fixture
def own(monkeypatch, tmp_path):
    """A user's source module `own_source` whose rows the test sets."""
    (tmp_path / "own_source.py").write_text("ROWS = []\n\ndef rows(limit=None):\n    return ROWS[:limit]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_source", raising=False)
    import own_source  # pyright: ignore

    yield own_source
    sys.modules.pop("own_source", None)


def load(own: ModuleType, rows, *, classes=None, how=None, cut=None, args=None):
    own.ROWS = rows
    return tables.load_rows(data_of(classes=classes, splits=how or splits(), imbalance=cut, **(args or {})))


def refused(own, rows, **options):
    with pytest.raises(UserError) as caught:
        load(own, rows, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_seeded_splits_keep_subjects_apart(own):
    by_split, order = load(own, rows_of())
    assert order == ["fear", "happy", "sad"]
    assert {name: len(part) for name, part in by_split.items()} == {"train": 42, "validation": 9, "test": 9}
    subjects = [{row["subject"] for row in part} for part in by_split.values()]
    assert not (subjects[0] & subjects[1])
    assert not (subjects[0] & subjects[2])
    assert not (subjects[1] & subjects[2])
    assert set(by_split["train"][0]) == {"id", "media", "label", "subject"}
    assert load(own, rows_of())[0] == by_split
    assert load(own, rows_of(), how=splits(seed=1))[0] != by_split


def test_shipped_splits_stay_as_they_are(own):
    rows = [row | {"split": "test" if row["subject"] < "005" else "train"} for row in rows_of()]
    by_split, _ = load(own, rows)
    assert {name: len(part) for name, part in by_split.items()} == {"train": 45, "test": 15}


def test_the_order_of_classes_is_the_recipes_or_the_sources_or_alphabetical(own):
    assert load(own, rows_of(), classes=["sad", "happy", "fear", "disgust"])[1] == ["sad", "happy", "fear", "disgust"]
    own.CLASSES = ["happy", "fear", "sad"]
    assert load(own, rows_of())[1] == ["happy", "fear", "sad"]


def test_the_tail_is_cut_in_training_alone_and_nested(own):
    rows = rows_of(100)
    whole, _ = load(own, rows)
    nine, _ = load(own, rows, cut=imbalance(9))
    four, _ = load(own, rows, cut=imbalance(4))
    assert Counter(row["label"] for row in nine["train"]) == {"fear": 70, "happy": 23, "sad": 8}
    assert Counter(row["label"] for row in four["train"]) == {"fear": 70, "happy": 35, "sad": 18}
    assert (nine["validation"], nine["test"]) == (whole["validation"], whole["test"])
    assert {row["id"] for row in nine["train"]} < {row["id"] for row in four["train"]}
    turned, _ = load(own, rows, cut=imbalance(4, order=["sad", "fear", "happy"]))
    assert Counter(row["label"] for row in turned["train"]) == {"sad": 70, "fear": 35, "happy": 18}


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (imbalance(1000), "data.imbalance.ratio: 1000 leaves no clip of 'happy' (the head keeps 14)"),
        (imbalance(4, order=["sad", "fear"]), "data.imbalance.order: sad, fear; must name each class once"),
    ],
)
def test_an_imbalance_that_cannot_be(own, cut, message):
    assert message in refused(own, rows_of(), cut=cut)


def test_an_imbalance_over_a_class_without_clips(own):
    message = refused(own, rows_of(), classes=[*FACES, "anger"], cut=imbalance(4))
    assert "class 'anger' has no training clip; leave it out of data.classes" in message


def changed(index, **columns):
    rows = rows_of()
    rows[index] |= columns
    return rows


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "data.source: own_source:rows gave no row"),
        (
            changed(3, id="0-happy"),
            {},
            "row 4: id '0-happy' was given before, at own_source:rows, row 1",
        ),
        (changed(3, media=[]), {}, "row 4: no media"),
        (
            changed(3, label="hapy"),
            {"classes": list(FACES)},
            "row 4: label 'hapy' is not one of data.classes; did",
        ),
        (changed(3, label="Happy"), {}, "classes 'Happy' and 'happy' differ only in case"),
        (changed(3, label="7"), {}, "row 4: label 7 is a bare number"),
        (
            changed(3, subject=None),
            {},
            "row 4: no subject, and data.splits.unit keeps each subject in one split (59",
        ),
        (changed(3, split="test"), {}, "row 1: no split, while other rows have one"),
        (rows_of(), {"how": splits(unit="film")}, "row 1: no film, and data.splits.unit keeps each film"),
        (rows_of(2), {}, "data.splits.validation: 0.15 of 6 rows is less than one subject (2 of them)"),
        (rows_of(), {"how": splits(validation=0.5, test=0.5)}, "leave nothing to train on"),
        (rows_of(), {"args": {"limt": 3}}, "unexpected keyword argument 'limt'; arguments of this source: limit"),
        (changed(3, soft_label=[1.0, 0.0, 0.0]), {}, "row 4: a soft_label as a list needs data.classes"),
        (changed(3, apex_s="late"), {}, "row 4: apex_s 'late' is not a number"),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(own, rows, options, message):
    assert message in refused(own, rows, **options)


def test_a_subject_in_two_splits_is_named_with_both(own):
    rows = [row | {"split": "train"} for row in rows_of()]
    rows[-1]["split"] = "test"
    assert "row 60: subject '019' is in test and in train (own_source:rows, row 58)" in refused(own, rows)


def test_films_are_kept_apart_where_they_are_the_unit(own):
    rows = [row | {"split": "test" if index < 9 else "train", "source": "film"} for index, row in enumerate(rows_of())]
    assert "source 'film' is in train and in test" in refused(own, rows, how=splits(unit="source"))
    assert load(own, rows)[1]


def test_independent_rows_by_their_id(own):
    rows = [{key: value for key, value in row.items() if key != "subject"} for row in rows_of()]
    by_split, _ = load(own, rows, how=splits(unit="id"))
    assert sum(len(part) for part in by_split.values()) == 60


def test_datasets_share_one_schema(own):
    own.ROWS = rows_of()
    own.ROWS[0] |= {"apex_s": "0.5", "action_units": "AU6 AU12", "film": "x", "year": 1999}
    own.ROWS[1] |= {"label": None, "soft_label": {"happy": 1.0}}
    sets = load_splits(data_of())
    assert list(sets) == ["train", "validation", "test"]
    features = sets["train"].features
    assert list(features) == ["id", "media", "label", "soft_label", "subject", "apex_s", "action_units", "film", "year"]
    assert features["label"].names == ["fear", "happy", "sad"]
    assert sets["test"].features == features
    first = next(row for part in sets.values() for row in part if row["id"] == "0-happy")
    assert first["label"] == 1
    assert (first["apex_s"], first["action_units"], first["film"], first["year"]) == (0.5, ["AU6", "AU12"], "x", 1999)
    second = next(row for part in sets.values() for row in part if row["id"] == "0-sad")
    assert (second["label"], second["soft_label"]) == (1, [0.0, 1.0, 0.0])  # its largest share


def test_rows_with_answers_need_no_label(own):
    own.ROWS = [{"id": str(index), "media": "x.mp4", "answer": f"smile {index}"} for index in range(20)]
    sets = load_splits(data_of(splits=splits(unit="id")))
    assert sets["train"].features["label"].names == []
    assert sets["train"][0]["label"] is None
    assert sets["train"][0]["answer"].startswith("smile")


def test_a_column_of_mixed_types_is_named(own):
    own.ROWS = changed(0, year=1999)
    own.ROWS[1]["year"] = "unknown"
    with pytest.raises(UserError, match="column year: its values are of different types"):
        load_splits(data_of())


def test_rows_come_without_importing_datasets_or_torch(tmp_path):
    (tmp_path / "a.mp4").touch()
    lines = [json.dumps({"id": str(index), "media": "a.mp4", "label": "happy"}) for index in range(20)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    program = (
        "import sys\nfrom emovlm.data.tables import load_rows\nfrom emovlm.recipe import Data, Splits\n"
        f"load_rows(Data(source='jsonl', root={str(tmp_path / 'rows.jsonl')!r}, splits=Splits(unit='id')))\n"
        "print([name for name in ('datasets', 'torch', 'pandas', 'av') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def subset(per_class, seed=0):
    return {"test_subset": Subset(per_class=per_class, seed=seed)}


def test_the_test_subset_is_balanced_and_the_same_in_any_order_of_rows(own):
    rows = [row | {"split": "test" if row["subject"] < "010" else "train"} for row in rows_of()]
    drawn, _ = load(own, rows, args=subset(4))
    assert Counter(row["label"] for row in drawn["test"]) == dict.fromkeys(FACES, 4)
    assert len(drawn["train"]) == 30
    ids = [row["id"] for row in drawn["test"]]
    turned, _ = load(own, rows[::-1], args=subset(4))
    assert [row["id"] for row in turned["test"]] == ids[::-1]
    fewer, _ = load(own, rows, args=subset(3))
    assert {row["id"] for row in fewer["test"]} < set(ids)
    other, _ = load(own, rows, args=subset(4, seed=1))
    assert {row["id"] for row in other["test"]} != set(ids)
    assert sorted(ids)[:3] == ["0-sad", "1-sad", "2-happy"], "drawn once for all time"


def test_a_test_subset_leaves_unlabelled_rows_out(own):
    rows = [row | {"split": "test" if row["subject"] < "010" else "train"} for row in rows_of()]
    rows[0]["label"] = None
    assert "0-happy" not in {row["id"] for row in load(own, rows, args=subset(9))[0]["test"]}


@pytest.mark.parametrize(
    ("per_class", "classes", "message"),
    [
        (
            4,
            None,
            "data.test_subset.per_class: 4, but the test split has fewer clips of some classes (happy 2, sad 3);"
            " give at most 2",
        ),
        (1, [*FACES, "contempt"], "(contempt 0); leave the subset out, or a class without rows out of data.classes"),
    ],
)
def test_a_test_subset_that_cannot_be(own, per_class, classes, message):
    rows = [row | {"split": "test" if row["subject"] < "004" else "train"} for row in rows_of()]
    rows = [row for row in rows if row["id"] not in ("0-happy", "1-happy", "1-sad")]
    assert message in refused(own, rows, classes=classes, args=subset(per_class))


def test_a_fold_as_the_test_split(own):
    by_split, _ = load(own, rows_of(), how=splits(folds=4, fold=2))
    assert {name: len(part) for name, part in by_split.items()} == {"train": 39, "validation": 6, "test": 15}


SHARED = Path(os.environ.get("EMOVLM_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


def test_real_photographs_subject_by_subject():
    root = Path(os.environ.get("LONDON_FACES", SHARED / "london_faces"))
    if not root.is_dir():
        pytest.skip(f"no photographs in {root} (LONDON_FACES)")
    by_split, order = tables.load_rows(
        data_of("folder", root=str(root), splits=splits(validation=0.15, test=0.3), imbalance=imbalance(9))
    )
    assert order == ["happy", "neutral"]
    counts = {name: Counter(row["label"] for row in part) for name, part in by_split.items()}
    assert counts["test"]["happy"] == counts["test"]["neutral"]
    assert 8 <= counts["train"]["happy"] / counts["train"]["neutral"] <= 10
    assert by_split["train"][0]["subject"].startswith("0")


def test_classes_of_one_set_under_those_of_another(tmp_path):
    """A class without an equal is left out and counted; a recipe with a null in its map is the same when read again."""
    import yaml

    from emovlm import recipe as recipes
    from emovlm.data.leftout import LeftOut

    table = {"happy": "joy", "surprise": "joy", "sad": "sadness", "neutral": None, "angry": None}
    table |= {"disgust": None, "fear": None}
    values = {"data": {"source": "demo", "map": table, "classes": ["sadness", "joy"]}, "model": {"name": "demo"}}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(values))
    found = recipes.load(tmp_path / "r.yaml")
    with pytest.warns(LeftOut, match="188 neutral"):
        rows, order = tables.load_rows(found.data)
    assert order == ["sadness", "joy"]
    assert Counter(row["label"] for row in rows["test"]) == {"joy": 80, "sadness": 40}
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(recipes.resolved(found)))
    assert recipes.load(tmp_path / "again.yaml") == found
    without = {key: value for key, value in table.items() if key != "fear"}
    with pytest.raises(UserError, match=r"data.map: fear cannot be matched with one of sadness, joy; give each a line"):
        tables.load_rows(found.data.model_copy(update={"map": without}))
    with pytest.raises(UserError, match=r"data.map: has no line for fear"):
        tables.load_rows(found.data.model_copy(update={"map": without, "classes": None}))
    # What is the same emotion by another word needs no line.
    short = {key: value for key, value in table.items() if key not in ("happy", "sad")}
    assert tables.load_rows(found.data.model_copy(update={"map": short})) == (rows, order)


def test_lists_of_shares_are_in_the_order_of_the_map(own):
    rows = [{**row, "soft_label": [0.5, 0.2, 0.3], "label": None} for row in rows_of()]
    table = {"sad": "low", "happy": "high", "fear": "low"}
    by_split, order = load(own, rows, classes=["high", "low"], args={"map": table})
    assert order == ["high", "low"]
    assert by_split["train"][0]["soft_label"] == pytest.approx([0.2, 0.8])
    assert by_split["train"][0]["label"] == "low"


def test_a_fault_is_told_briefly_to_whoever_gathers_the_rows(own):
    own.ROWS = [row | {"label": None, "apex_s": "late\nlater " * 1000} for row in rows_of()]
    with pytest.raises(UserError) as caught:
        tables.gather(data_of())
    assert len(str(caught.value)) <= tables.MOST_TOLD
    assert "\n" not in str(caught.value)
