"""Rows that a list names are left out and counted; what is known to be unreadable is refused."""

import json
import os

import pytest
from pydantic import ValidationError

from emovlm import UserError
from emovlm.data import checked, splits, tables
from emovlm.data.leftout import LeftOut
from emovlm.recipe import Data


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOVLM_CACHE", str(tmp_path / "cache"))


def twelve(tmp_path, **more):
    """Six subjects with two clips; the splits are by subject."""
    lines = []
    for number in range(12):
        (tmp_path / f"{number}.mp4").write_bytes(b"x" * (number + 1))
        row = {"id": str(number), "media": f"{number}.mp4", "label": "happy" if number % 2 else "sad"}
        lines.append(json.dumps({**row, "subject": f"p{number // 2}", "split": ["train", "test"][number > 7]}))
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    return Data.model_validate({"source": "jsonl", "root": str(tmp_path / "rows.jsonl"), **more})


def listed(tmp_path, *lines):
    path = tmp_path / "quarantine.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_rows_are_left_out_and_counted_by_split(tmp_path):
    lines = [{"id": "0", "reason": "empty"}, {"id": "3", "reason": "truncated"}, {"id": "8", "reason": "empty"}]
    with pytest.warns(LeftOut, match=r"rows left out: train 1 empty, 1 truncated; test 1 empty"):
        by_split, _ = tables.load_rows(twelve(tmp_path, quarantine=listed(tmp_path, *lines)))
    assert [row["id"] for row in by_split["train"]] == ["1", "2", "4", "5", "6", "7"]
    assert [row["id"] for row in by_split["test"]] == ["9", "10", "11"]
    assert by_split.left_out == {"train": {"empty": 1, "truncated": 1}, "test": {"empty": 1}}


def test_nobody_takes_the_place_of_a_row(tmp_path):
    """The subset is drawn first: without the quarantine it is the same clips and one more."""
    subset = {"test_subset": {"per_class": 1}}
    chosen = [row["id"] for row in tables.load_rows(twelve(tmp_path, **subset))[0]["test"]]
    path = listed(tmp_path, {"id": chosen[0], "reason": "empty"})
    left = tables.load_rows(twelve(tmp_path, **subset, quarantine=path))[0]
    assert [row["id"] for row in left["test"]] == chosen[1:]
    assert left.left_out == {"test": {"empty": 1}}


def test_a_missing_file_is_refused_unless_its_row_is_left_out(tmp_path):
    data = twelve(tmp_path)
    (tmp_path / "5.mp4").unlink()
    listing = listed(tmp_path, {"id": "5", "reason": "missing"})
    with pytest.raises(UserError, match=r"rows.jsonl:6: names '5.mp4', but there is no file"):
        tables.load_rows(data)
    by_split, _ = tables.load_rows(data.model_copy(update={"quarantine": listing}))
    assert sum(map(len, by_split.values())) == 11


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"id": "99", "reason": "empty"}, ":1: id '99' is of no row"),
        ({"id": "1"}, ":1: a line of a quarantine needs an id and a reason"),
        ({"id": "1", "reason": " "}, "needs an id and a reason"),
    ],
)
def test_a_list_of_other_rows_is_refused(tmp_path, line, message):
    with pytest.raises(UserError, match=r"quarantine\.jsonl") as caught:
        tables.load_rows(twelve(tmp_path, quarantine=listed(tmp_path, line)))
    assert message in str(caught.value)


def test_a_list_that_is_not_there_or_takes_all(tmp_path):
    with pytest.raises(UserError, match=r"data.quarantine: 'nowhere.jsonl': no such file"):
        tables.load_rows(twelve(tmp_path, quarantine="nowhere.jsonl"))
    lines = [{"id": str(number), "reason": "empty"} for number in range(8, 12)]
    with pytest.raises(UserError, match="takes all 4 rows out of the test split"):
        tables.load_rows(twelve(tmp_path, quarantine=listed(tmp_path, *lines)))


def test_rows_known_to_be_unreadable_are_refused_until_mended(tmp_path):
    data = twelve(tmp_path)
    rows = tables.load_rows(data)[0]["train"]
    fine, broken = rows[:2]
    assert len(splits.load(data)["train"]) == 8, "nothing is known yet"
    for row, fault in ((fine, None), (broken, f"{broken['media'][0]}: is cut off")):
        checked.remember([(row, checked.files_key(row["media"]) or "", {"fault": fault})])
    with pytest.raises(UserError, match=r"1 of 12 rows cannot be read.*'1', .*1.mp4: is cut off\); mend the files"):
        splits.load(data)
    listing = listed(tmp_path, {"id": "1", "reason": "truncated"})
    left = splits.load(data.model_copy(update={"quarantine": listing}))
    assert len(left["train"]) == 7
    assert left.left_out == {"train": {"truncated": 1}}
    (tmp_path / "1.mp4").write_bytes(b"mended")
    assert len(splits.load(data)["train"]) == 8
    assert set(checked.known(rows)) == {checked.clip_key(fine)}


def test_a_share_that_may_fail_goes_with_the_key_that_lets_it():
    with pytest.raises(ValidationError, match=r"max_failed 0.05: no clip may fail; it goes with on_error: quarantine"):
        Data.model_validate({"source": "demo", "max_failed": 0.05})
    assert Data.model_validate({"source": "demo", "max_failed": 0.05, "on_error": "quarantine"}).max_failed == 0.05


def test_a_file_of_the_same_size_changed_later_is_another_one(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"1234")
    before = checked.files_key([str(path)])
    os.utime(path, ns=(1, 1))
    assert checked.files_key([str(path)]) != before
    assert checked.files_key([str(tmp_path / "nowhere")]) is None


def test_a_cache_that_is_no_database_is_named(tmp_path):
    data = twelve(tmp_path)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "checked.sqlite").write_text("hello, this is no database at all" * 20)
    with pytest.raises(UserError, match=r"checked.sqlite: cannot be used .*; remove the file"):
        splits.load(data)
