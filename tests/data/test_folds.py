"""Splits and thinning: by hand, and what holds for any rows."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovlm.data import folds

SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12).map(str)), min_size=1, max_size=80)


def deal(rows, shares=SHARES, seed=0):
    return folds.split_by_unit([label for label, _ in rows], [unit for _, unit in rows], shares, seed=seed)


@given(ROWS, st.integers(0, 5))
def test_no_unit_is_in_two_splits_and_the_order_of_rows_does_not_matter(rows, seed):
    dealt = deal(rows, seed=seed)
    where = {}
    for (_, unit), split in zip(rows, dealt, strict=True):
        assert where.setdefault(unit, split) == split
    assert deal(rows[::-1], seed=seed) == dealt[::-1]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(0, 5))
def test_independent_rows_are_stratified_to_within_a_row(sizes, seed):
    rows = [(str(label), f"{label}-{index}") for label, size in enumerate(sizes) for index in range(size)]
    dealt = deal(rows, seed=seed)
    for label, size in enumerate(sizes):
        counts = Counter(split for (name, _), split in zip(rows, dealt, strict=True) if name == str(label))
        for split, share in SHARES.items():
            assert abs(counts[split] - share * size) <= 1.5
    assert abs(dealt.count("train") - 0.7 * len(rows)) <= len(sizes) + 1


def test_equal_subjects_are_dealt_exactly():
    rows = [(label, str(subject)) for subject in range(100) for label in ("neutral", "happy")]
    dealt = deal(rows)
    assert Counter(zip((label for label, _ in rows), dealt, strict=True)) == {
        (label, split): number
        for label in ("neutral", "happy")
        for split, number in (("train", 70), ("validation", 15), ("test", 15))
    }


def test_a_rare_class_held_by_few_subjects_reaches_every_split():
    # Subjects 0 to 5 hold two clips of the rare class each, 60 others none.
    rows = [("rare", str(subject)) for subject in range(6) for _ in range(2)]
    rows += [("common", str(subject)) for subject in range(66) for _ in range(2)]
    shares = {"train": 0.5, "validation": 0.25, "test": 0.25}
    rare = Counter(split for (label, _), split in zip(rows, deal(rows, shares), strict=True) if label == "rare")
    assert rare["train"] == 6
    assert sorted((rare["validation"], rare["test"])) in ([2, 4],)


def test_another_seed_deals_otherwise_and_a_share_of_zero_gets_nothing():
    rows = [("a", str(index)) for index in range(40)]
    assert deal(rows, seed=0) != deal(rows, seed=1)
    assert set(deal(rows, {"train": 0.8, "validation": 0.0, "test": 0.2})) == {"train", "test"}


def test_the_deal_is_the_same_everywhere():
    rows = [("a", f"s{index}") for index in range(8)]
    expected = ["train", "train", "validation", "train", "train", "test", "train", "train"]
    assert deal(rows, {"train": 0.75, "validation": 0.125, "test": 0.125}) == expected


@given(ROWS, st.sampled_from([0.3, 0.5, 0.85, 0.97]), st.integers(0, 3))
def test_every_class_with_a_row_is_learnt(rows, train, seed):
    shares = {"train": train, "validation": (1 - train) / 2, "test": (1 - train) / 2}
    dealt = deal(rows, shares, seed)
    assert {label for label, _ in rows} == {
        label for (label, _), split in zip(rows, dealt, strict=True) if split == "train"
    }


def test_a_class_of_one_or_two_units_is_learnt_first():
    # Without that, the one large unit of the rare class goes to the test split, which is due half of the rows.
    rows = [("rare", "s0")] * 9 + [("common", f"s{index}") for index in range(1, 10)]
    shares = {"train": 0.4, "validation": 0.1, "test": 0.5}
    assert deal(rows, shares)[:9] == ["train"] * 9
    two = [("rare", "s0")] * 4 + [("rare", "s1")] * 4 + [("common", f"s{index}") for index in range(2, 10)]
    assert "train" in deal(two, {"train": 0.2, "validation": 0.4, "test": 0.4})[:8]


def test_unlabelled_rows_are_no_class_that_must_be_learnt():
    rows = [("a", "0"), ("a", "1"), ("a", "2"), (None, "3")]
    assert deal(rows, {"train": 0.1, "test": 0.9})[3] == "test"


@given(ROWS, st.integers(2, 6), st.integers(0, 3))
def test_each_row_is_tested_once_no_unit_is_in_two_folds_and_none_is_empty(rows, number, seed):
    labels, units = [label for label, _ in rows], [unit for _, unit in rows]
    number = min(number, len(set(units)))
    if number < 2:
        return
    dealt = folds.fold_by_unit(labels, units, number, seed=seed)
    assert set(dealt) == set(range(1, number + 1))
    assert len(set(zip(units, dealt, strict=True))) == len(set(units))
    assert folds.fold_by_unit(labels[::-1], units[::-1], number, seed=seed) == dealt[::-1]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 30)), min_size=2, max_size=12), st.integers(0, 3))
def test_a_class_of_two_units_is_learnt_in_every_fold(units, seed):
    """Units of one class each, of any size: there is always a way to keep a class out of one single fold."""
    labels = [label for label, size in units for _ in range(size)]
    names = [str(unit) for unit, (_, size) in enumerate(units) for _ in range(size)]
    dealt = folds.fold_by_unit(labels, names, 2, seed=seed)
    for label in set(labels):
        if sum(1 for held, _ in units if held == label) > 1:
            assert len({fold for held, fold in zip(labels, dealt, strict=True) if held == label}) == 2


def test_folds_are_equal_and_stratified():
    rows = [(label, str(subject)) for subject in range(20) for label in ("neutral", "neutral", "happy")]
    dealt = folds.fold_by_unit([label for label, _ in rows], [unit for _, unit in rows], 5)
    assert Counter(zip((label for label, _ in rows), dealt, strict=True)) == {
        (label, fold): number for label, number in (("neutral", 8), ("happy", 4)) for fold in range(1, 6)
    }


def test_the_folds_are_the_same_everywhere():
    assert folds.fold_by_unit(["a"] * 6, [f"s{index}" for index in range(6)], 3) == [1, 2, 1, 3, 3, 2]


def test_the_hash_of_ids_is_blind_to_their_order_alone():
    # sha256 of '["a", "b"]', by sha256sum.
    assert folds.ids_hash(["b", "a"]) == folds.ids_hash(iter(["a", "b"])) == "3554d2b8a1e34099"
    assert folds.ids_hash(["a, b"]) != folds.ids_hash(["a", "b"]) != folds.ids_hash(["a", "b", "c"])


@pytest.mark.parametrize(
    ("available", "ratio", "expected"),
    [
        ([100, 100, 100], 4, [100, 50, 25]),
        ([100, 100], 9, [100, 11]),
        ([100, 100, 100], 1, [100, 100, 100]),
        ([100, 30, 25], 4, [60, 30, 15]),  # the second class has only 30: n_max = 60 (61 would ask for 31)
        ([100, 100, 5], 4, [21, 11, 5]),  # 21 / 4 = 5.25 -> 5; 22 / 4 = 5.5 -> 6 is too many
        ([5, 5, 5, 5], 1000, [5, 1, 0, 0]),  # 5 / 10 = .5 -> 1; 5 / 100 -> 0
        ([7], 3, [7]),
        ([0, 4], 2, [0, 0]),
    ],
)
def test_profile_by_hand(available, ratio, expected):
    assert folds.long_tail_profile(available, ratio) == expected


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.floats(1, 100))
def test_profile_is_the_largest_that_fits(available, ratio):
    wanted = folds.long_tail_profile(available, ratio)
    assert all(want <= have for want, have in zip(wanted, available, strict=True))
    assert wanted == sorted(wanted, reverse=True)
    last = max(1, len(available) - 1)
    larger = [int((wanted[0] + 1) * ratio ** (-c / last) + 0.5 + 1e-9) for c in range(len(available))]
    assert any(want > have for want, have in zip(larger, available, strict=True))


def test_thinning_keeps_the_asked_numbers_in_row_order_and_leaves_others_alone():
    labels = ["a", "b", None, "a", "b", "a"]
    kept = folds.thin(labels, list("uvwxyz"), {"a": 2, "b": 1})
    assert kept == sorted(kept)
    assert Counter(labels[row] for row in kept) == {"a": 2, "b": 1, None: 1}
    assert 2 in kept


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 3))
def test_thinning_is_nested_and_blind_to_row_order_and_to_other_rows(few, many, seed):
    few, many = sorted((few, many))
    ids = [str(index) for index in range(20)]
    small = {ids[row] for row in folds.thin(["a"] * 20, ids, {"a": few}, seed=seed)}
    large = {ids[row] for row in folds.thin(["a"] * 20, ids, {"a": many}, seed=seed)}
    assert small <= large
    turned = ids[::-1]
    assert small == {turned[row] for row in folds.thin(["a"] * 20, turned, {"a": few}, seed=seed)}


def test_another_seed_keeps_others():
    ids = [str(index) for index in range(50)]
    assert folds.thin(["a"] * 50, ids, {"a": 10}, seed=0) != folds.thin(["a"] * 50, ids, {"a": 10}, seed=1)
