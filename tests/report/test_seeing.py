"""What an arm looked at, and macro-F1 against it."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emovlm.report.clips import MAX_PIXELS, strips
from emovlm.report.folders import load
from emovlm.report.page import write_page
from emovlm.report.seeing import against, looked_at
from emovlm.report.tables import rows

from . import folders_made_up as made_up
from .test_evidence import KEY, section

ARMS = {"natural": 32, "square_root": 64, "zero_shot": 32}


def right(num_clips: int, value: float | None) -> dict:
    return {"num_clips": num_clips, "value": value, "low": None, "high": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Arms with 32 and 64 visual tokens; in the second every event is hit."""
    folder = made_up.study(tmp_path_factory.mktemp("seeing"), arms=list(ARMS)[:2], per_class=4)
    report = json.loads((folder / "report.json").read_text())
    report["contrast"] = ["square_root", "natural"]
    (folder / "report.json").write_text(json.dumps(report))
    for name, tokens in ARMS.items():
        path = folder / name / "seed0" / "report.json"
        content = json.loads(path.read_text())
        hits = {"hit": right(10, 0.7), "missed": right(15, 0.2)}
        if tokens == 64:
            hits = {"hit": right(25, 0.6), "missed": right(0, None)}
        content["evaluations"][KEY] |= {
            "cost": {"frames": tokens / 8, "visual_tokens": tokens, "tokens": tokens + 50},
            "events": {**hits, "no_event": right(3, 1.0)},
        }
        path.write_text(json.dumps(content))
    return folder


def test_a_line_an_arm(folder: Path) -> None:
    lines = dict(looked_at(load(folder), KEY))
    assert lines["natural"] == [
        ("frames", "4", ()),
        ("visual tokens", "32", ()),
        ("tokens of the prompt", "82", ()),
        ("right, event hit", "0.700", ("10 clips",)),
        ("right, event missed", "0.200", ("15 clips",)),
        ("right, no event", "1.000", ("3 clips",)),
    ]
    assert ("right, event missed", "-", ()) in lines["square_root"]


def test_against_coverage_and_visual_tokens(folder: Path) -> None:
    study = load(folder)
    figures = against(study, KEY, rows(study, KEY), 400, "x")
    assert [heading for heading, _ in figures] == [
        "Macro-F1 against events hit by a frame",
        "Macro-F1 against frames of a clip",
        "Macro-F1 against visual tokens",
    ]
    coverage, frames, tokens = (svg for _, svg in figures)
    assert "natural 0.40, " in coverage
    assert "square_root 1.00, " in coverage
    assert "square_root 8.00, " in frames
    assert "square_root 64.00, " in tokens
    page = section(write_page(folder).read_text(encoding="utf-8"), "seeing")
    assert "0.700 10 clips 0.200 15 clips" in page


def test_files_that_know_nothing_of_it_have_no_section(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=4)
    assert looked_at(load(folder), KEY) == []
    assert 'id="seeing"' not in write_page(folder).read_text(encoding="utf-8")


def test_texts_and_crop_of_the_strip(tmp_path: Path) -> None:
    """Gap 0 lies between frames 0 and 1, -1 before the first, -2 is the whole clip; frames are cut to the crop."""
    from emovlm.frames.clip import Clip

    folder = made_up.run(tmp_path / "run", per_class=4)
    path = folder / "eval" / KEY / "predictions.jsonl"
    header, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line["media"], line["times_s"] = ["clip.mp4"], [0.5, 1.5]
        line["crop"] = [0.25, 0.0, 0.75, 1.0]
        line["texts"] = {"0": ["brows rise", "lips part"], "-1": ["still"], "-2": ["a smile comes"]}
    path.write_text("".join(json.dumps(line) + "\n" for line in [header, *lines]))
    read = []

    def wide(media, choose, *, max_pixels, **_):
        read.append(max_pixels)
        return Clip(np.zeros((2, 40, 80, 3), np.uint8), np.array([0.5, 1.5]), True, 2)

    found = strips(load(folder), KEY, wide)
    assert [strip.name for strip in found] == ["clips", "hardest"]
    [answer] = {clip.answers[0].texts for strip in found for clip in strip.clips}
    assert answer == (
        ("whole clip", "a smile comes"),
        ("before 0.50 s", "still"),
        ("0.50 s to 1.50 s", "brows rise"),
        ("0.50 s to 1.50 s", "lips part"),
    )
    clip = found[0].clips[0]
    assert set(read) == {2 * MAX_PIXELS}
    frame = Image.open(io.BytesIO(base64.b64decode(clip.frames[0][0].partition(",")[2])))
    assert frame.size == (40, 40)
    assert "brows rise" in write_page(folder, read=wide).read_text(encoding="utf-8")
