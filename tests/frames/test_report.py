"""The survey of a split: which clips, which frames, which events."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from emovlm import UserError
from emovlm import recipe as recipes
from emovlm.frames import decode, look, report

from .made_up_videos import grey, write_video
from .test_real_clips import SHARED, needs_clips


def every(times_s_T, _span_s):
    return np.arange(len(times_s_T))


@pytest.fixture
def made(tmp_path):
    """Four clips of 2 s at 20 fps: an event hit, one missed, one clip without, one that is no clip; and its recipe."""
    for name in ("hit", "missed", "none"):
        write_video(tmp_path / f"{name}.mp4", [grey(index) for index in range(40)], options={"crf": "5"})
    (tmp_path / "broken.mp4").write_bytes(b"no clip")
    marks = {
        "hit": {"onset_s": 0.4, "apex_s": 0.5, "offset_s": 0.6},
        "missed": {"onset_s": 0.7, "apex_s": 0.8, "offset_s": 0.9},
    }
    rows = [
        {"id": name, "media": f"{name}.mp4", "label": "a", "split": "test"} | marks.get(name, {})
        for name in ("hit", "missed", "none", "broken")
    ]
    rows += [row | {"id": f"{row['id']}-2", "split": "train"} for row in rows[:2]]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    path = tmp_path / "recipe.yaml"
    path.write_text(f"data: {{source: jsonl, root: {tmp_path}/rows.jsonl, classes: [a, b]}}\nmodel: {{name: demo}}\n")

    def load(*overrides):
        return recipes.load(path, list(overrides))

    return load


def text(tables):
    console = Console(width=140, file=io.StringIO())
    console.print(*tables)
    return " ".join(console.file.getvalue().split())


def test_a_split_is_surveyed(made, tmp_path):
    # Two frames at .5 and 1.5 s (those nearest before): the first event is hit, the second not.
    found, tables = report.frames_report(made("frames.keep=2"), None, tmp_path / "out")
    assert found["split"] == "test"
    assert found["clips"] == 3
    assert list(found["unreadable"]) == ["broken"]
    assert found["events"]["missed"] == ["missed"]
    assert found["apex"]["error_s"]["most"] == pytest.approx(0.3)
    assert found["seconds_per_clip"]["median"] == pytest.approx(2.0)
    assert found["probability"]["0.5"]["one frame"] == pytest.approx(1 / 1.5)
    assert json.loads((tmp_path / "out" / "coverage.json").read_text()) == found
    shown = text(tables)
    assert "50.0%" in shown
    assert "0.667" in shown
    assert "1 (broken)" in shown
    svg = (tmp_path / "out" / "coverage.svg").read_text()
    assert "<svg" in svg
    report.frames_report(made("frames.keep=2"), None, tmp_path / "again")
    assert (tmp_path / "again" / "coverage.svg").read_text() == svg


def test_nothing_is_decoded(made, monkeypatch):
    monkeypatch.setattr(decode.video, "_decode", None)
    found, _ = report.frames_report(made("frames.pick=segment_random", "frames.keep=4"), "train", None)
    assert found["clips"] == 2


def test_a_policy_that_looks_is_surveyed_on_what_it_saw(made):
    found, _ = report.frames_report(made("frames.pick=keyframes", "frames.keep=2"), "train", None)
    assert found["frames_per_clip"]["mean"] == 2
    assert found["seconds_per_clip"]["median"] == pytest.approx(2.0)


def test_the_training_split_is_drawn_as_in_the_first_epoch(made, monkeypatch):
    keys, glance = [], look.glance
    monkeypatch.setattr(report.look, "glance", lambda row, frames, key: keys.append(key) or glance(row, frames, key))
    recipe = made("frames.pick=segment_random", "seed=3")
    report.frames_report(recipe, "train", None)
    report.frames_report(recipe, "test", None)
    assert keys == [(3, 0, "hit-2"), (3, 0, "missed-2"), None, None, None, None]


def test_the_cap_of_a_rate(made):
    found, tables = report.frames_report(made("frames.pick=fps", "frames.rate=5", "frames.max=8"), "train", None)
    assert found["cap_bites"] == 1
    assert "cap" in text(tables)
    found, _ = report.frames_report(made("frames.pick=fps"), "train", None)  # 4 frames by the defaults
    assert (found["cap_bites"], found["frames_per_second"]["mean"]) == (0, 2)
    found, _ = report.frames_report(made("frames.input=video", "frames.keep=5"), "train", None)
    assert (found["cap_bites"], found["steps_per_clip"]["mean"]) == (None, 3)


def test_a_split_that_is_not_there(made):
    with pytest.raises(UserError, match=r"--split: no rows in 'validation'; there are train, test"):
        report.frames_report(made(), "validation", None)


@needs_clips
@pytest.mark.parametrize("name", ["crying_laughing.mp4", "face_noface.mov", "no_face.mp4", "single_face.mp4"])
def test_a_glance_at_real_clips_tells_what_decoding_tells(name):
    media = [str(Path(SHARED) / "clips" / name)]
    spans = []
    decoded = decode.read(media, lambda t, s: spans.append(s) or every(t, s), max_pixels=100, rough=True)
    times_s_T, span_s, timed = decode.glance(media)
    assert timed
    np.testing.assert_array_equal(times_s_T, decoded.times_s_T)
    assert span_s == spans[-1]


@needs_clips
def test_a_glance_at_a_late_span():
    media = [str(Path(SHARED) / "clips" / "crying_laughing.mp4")]
    decoded = decode.read(media, every, start_s=10.0, end_s=11.0, max_pixels=100, rough=True)
    np.testing.assert_array_equal(decode.glance(media, start_s=10.0, end_s=11.0)[0], decoded.times_s_T)
    with pytest.raises(decode.ClipError, match=r"no frame can be seen from 99\.0 s"):
        decode.glance(media, start_s=99.0, end_s=100.0)
