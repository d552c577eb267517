"""Folds, validation from training rows, and what a split lacks."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovlm import UserError
from emovlm.data.dealing import class_notes, deal
from emovlm.data.schema import PLACE
from emovlm.recipe import Splits

FACES = ("happy", "sad", "fear")


def rows_of(num_subjects=10, shipped=None):
    """A clip of each class for each subject. shipped: subject number -> split."""
    rows = []
    for subject in range(num_subjects):
        for label in FACES:
            row = {"id": f"{subject}-{label}", "label": label, "subject": f"{subject:02d}", "source": f"film{subject}"}
            row |= {PLACE: f"rows.jsonl:{len(rows) + 1}"} | ({"split": shipped(subject)} if shipped else {})
            rows.append(row)
    return rows


def dealt(rows, **splits):
    deal(rows, Splits(**splits))
    return rows


def subjects(rows, split):
    return {row["subject"] for row in rows if row["split"] == split}


def refused(rows, **splits):
    with pytest.raises(UserError) as caught:
        deal(rows, Splits(**splits))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("number", "unit"), [(5, "subject"), (3, "source"), (10, "subject"), (4, "id")])
def test_every_row_is_the_test_of_one_fold_and_no_unit_is_in_two_splits(number, unit):
    tested = Counter()
    for fold in range(1, number + 1):
        rows = dealt(rows_of(), folds=number, fold=fold, unit=unit, validation=0.25)
        assert {row["split"] for row in rows} == {"train", "validation", "test"}
        assert len({(row[unit], row["split"]) for row in rows}) == len({row[unit] for row in rows})
        tested.update(row["id"] for row in rows if row["split"] == "test")
    assert tested == Counter(row["id"] for row in rows_of())


def test_each_leaves_one_unit_out_in_sorted_order():
    # Validation: a third of the nine others.
    for fold, left_out in enumerate(sorted(f"{subject:02d}" for subject in range(10)), start=1):
        rows = dealt(rows_of()[::-1], folds="each", fold=fold, validation=1 / 3)
        assert subjects(rows, "test") == {left_out}
        assert (len(subjects(rows, "validation")), len(subjects(rows, "train"))) == (3, 6)


def test_the_share_test_is_not_used_by_folds_and_without_validation_there_is_none():
    rows = dealt(rows_of(), folds=2, fold=1, validation=0, test=0.9)
    assert Counter(row["split"] for row in rows) == {"train": 15, "test": 15}


def test_validation_is_carved_from_training_and_the_test_is_left_alone():
    def shipped(subject):
        return "test" if subject < 2 else "train"

    rows = dealt(rows_of(shipped=shipped), validation_from_train=0.25)
    assert subjects(rows, "test") == {"00", "01"}
    assert len(subjects(rows, "validation")) == 2
    assert not subjects(rows, "validation") & subjects(rows, "train")
    assert dealt(rows_of(shipped=shipped)) == rows_of(shipped=shipped), "0 by default"


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=4, max_size=60)


@given(ROWS, st.integers(2, 4))
def test_what_is_outside_the_test_of_a_fold_is_learnt_and_no_fold_crashes(pairs, number):
    units = {unit for _, unit in pairs}
    if len(units) < number:
        return
    for fold in range(1, number + 1):
        rows = [
            {"id": str(index), "label": label, "subject": str(unit), PLACE: "here"}
            for index, (label, unit) in enumerate(pairs)
        ]
        try:
            deal(rows, Splits(folds=number, fold=fold))
        except UserError as error:
            assert "data.splits.validation" in str(error)  # noqa: PT017
            continue
        outside = {row["label"] for row in rows if row["split"] != "test"}
        assert {row["label"] for row in rows if row["split"] == "train"} == outside


def with_split(subject):
    return "train" if subject else "validation"


@pytest.mark.parametrize(
    ("rows", "splits", "message"),
    [
        (
            rows_of(3),
            {"folds": 5, "fold": 1},
            "data.splits.folds: 5 for 3 subjects; a fold needs a subject of its own, and two folds are the least",
        ),
        (rows_of(1), {"folds": "each", "fold": 1}, "data.splits.folds: each for 1 subjects"),
        (rows_of(3), {"folds": "each", "fold": 4}, "data.splits.fold: 4 of 3 folds; must be from 1 to 3"),
        (
            rows_of(3, with_split),
            {"folds": 2, "fold": 1},
            "data.splits.folds: 2, but the rows ship their splits (rows.jsonl:1: 'validation'); leave folds out",
        ),
        (
            rows_of(3, with_split),
            {"validation_from_train": 0.2},
            "validation_from_train: 0.2, but the rows ship a validation split; set it to 0",
        ),
        (
            rows_of(3, lambda _: "test"),
            {"validation_from_train": 0.2},
            "validation_from_train: 0.2, but the rows ship no train split; set it to 0",
        ),
        (
            rows_of(3),
            {"validation_from_train": 0.2},
            "validation_from_train: 0.2 of the shipped training rows, but these rows ship no split; use data.splits.va",
        ),
        (
            rows_of(2, lambda _: "train"),
            {"validation_from_train": 0.1},
            "data.splits.validation_from_train: 0.1 of 6 rows is less than one subject (2 of them); raise the share or",
        ),
        (
            [{"id": str(index), "label": str(index), "subject": str(index), PLACE: "here"} for index in range(9)],
            {},
            "0.15 of 9 rows is less than one subject (9 of them, 9 of which hold all of a class and stay in training)",
        ),
        (rows_of(3), {"folds": 3, "fold": 1, "unit": "film"}, "rows.jsonl:1: no film, and data.splits.unit keeps"),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(rows, splits, message):
    assert message in refused(rows, **splits)


def test_what_a_split_lacks_is_said_with_where_it_is():
    by_split = {
        "train": [{"label": "happy"}, {"label": "fear"}, {}],
        "validation": [{"label": "happy"}],
        "test": [{"label": "happy"}, {"label": "sad"}],
    }
    assert class_notes(by_split, [*FACES, "contempt"]) == [
        "no clip in train: sad (only in test)",
        "no clip in validation: sad (only in test), fear (only in train)",
        "no clip in test: fear (only in train)",
    ]
    assert class_notes({"train": [{"label": "happy"}], "test": [{"label": "happy"}]}, list(FACES)) == []


def test_a_class_of_one_subject_stays_in_training_and_the_notes_say_so():
    rows = [*rows_of(), {"id": "x", "label": "contempt", "subject": "00", PLACE: "here"}]
    for seed in range(20):
        deal(rows, Splits(seed=seed))
        by_split = {split: [row for row in rows if row["split"] == split] for split in ("train", "validation", "test")}
        assert class_notes(by_split, [*FACES, "contempt"]) == [
            "no clip in validation: contempt (only in train)",
            "no clip in test: contempt (only in train)",
        ]
        for row in rows:
            del row["split"]
