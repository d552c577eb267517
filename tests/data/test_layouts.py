"""The contract of a source of a known data set, over its official layout. Sources and layouts are found, not listed."""

import importlib
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from emovlm import UserError, lookup
from emovlm.data.tables import load_rows
from emovlm.recipe import Data

from . import layouts

pytestmark = pytest.mark.filterwarnings("ignore::emovlm.data.leftout.LeftOut")
# These read what anybody has, not the layout of one set; and the demo is its own layout.
GENERAL = {"jsonl", "folder", "demo", "hub"}


LISTS = {".csv", ".txt", ".xlsx"}
DAMAGE = [b"\x00", b"\xff", b"\r", b"\n", b",", b"\t", b'"', b" ", b"../", b"-1", b"9" * 400, "é".encode(), b""]


@pytest.fixture(scope="module", params=layouts.names())
def known(request, tmp_path_factory):
    """(name, layout module, arguments of the data: section)"""
    layout = layouts.module(request.param)
    return request.param, layout, layout.write(tmp_path_factory.mktemp(request.param))


def load(name, args):
    return load_rows(Data.model_validate({"source": name, **args}))


def counts(by_split):
    return {split: Counter(row.get("label") for row in rows) for split, rows in by_split.items()}


def test_every_source_of_a_known_set_has_a_layout():
    assert set(lookup.SOURCE.names()) - GENERAL == set(layouts.names())


@pytest.mark.parametrize("name", layouts.names())
def test_the_source_says_where_its_set_is_and_how_it_was_verified(name):
    text = importlib.import_module(f"emovlm.data.sources.{name}").__doc__
    for word in ("\nWhere ", "\nLicence ", "\n    root/", "Traps:"):
        assert word in text, f"{name}: its docstring has no {word.strip()}"
    assert re.search(r"\bVerified\s|\bBy description", text), f"{name}: its docstring does not say how it was verified"


def test_the_rows_of_the_layout(known):
    name, layout, args = known
    by_split, classes = load(name, args)
    rows = [row for part in by_split.values() for row in part]
    source = importlib.import_module(f"emovlm.data.sources.{name}")
    assert len({row["id"] for row in rows}) == len(rows)
    assert classes == args.get("classes", source.CLASSES)
    assert {row["label"] for row in rows if "label" in row} == set(classes)
    for row in rows:
        assert row["media"]
        assert all(Path(path).is_file() for path in row["media"])
    found = counts(by_split)
    if "all" in layout.COUNTS:
        found = {"all": sum(found.values(), Counter())}
    assert found == layout.COUNTS


def test_no_subject_is_in_two_splits(known):
    name, _, args = known
    by_split, _ = load(name, args)
    with_subject = [row for part in by_split.values() for row in part if row.get("subject")]
    if not with_subject:
        pytest.skip("the set names no subjects")
    assert len(by_split) > 1
    splits = {(row["subject"], split) for split, rows in by_split.items() for row in rows if row.get("subject")}
    assert len(splits) == len({subject for subject, _ in splits})


def test_every_row_is_tested_in_one_fold(known):
    name, layout, args = known
    if not hasattr(layout, "FOLDS"):
        pytest.skip("the set ships no folds")
    tested = Counter()
    everything = set()
    for fold in range(1, layout.FOLDS + 1):
        by_split, _ = load(name, args | {"fold": fold})
        assert not {row["id"] for row in by_split["train"]} & {row["id"] for row in by_split["test"]}
        tested.update(row["id"] for row in by_split["test"])
        everything |= {row["id"] for rows in by_split.values() for row in rows}
    assert set(tested) == everything
    assert set(tested.values()) == {1}


@pytest.mark.parametrize("name", layouts.names())
def test_a_damaged_list_is_read_or_refused_in_one_line(name, tmp_path):
    args = layouts.module(name).write(tmp_path)
    lists = sorted(path for path in tmp_path.rglob("*") if path.suffix in LISTS)
    if not lists:
        pytest.skip("the set has no lists")
    told = []
    for seed, piece in enumerate(DAMAGE):
        rng = random.Random(seed)
        path = rng.choice(lists)
        whole = path.read_bytes()
        start = rng.randrange(len(whole))
        path.write_bytes(whole[:start] + piece + whole[start + rng.choice([0, 1, 30]) :])
        try:
            load(name, args)
        except UserError as error:
            told.append(str(error))
        path.write_bytes(whole)
    assert not [message for message in told if "\n" in message]
