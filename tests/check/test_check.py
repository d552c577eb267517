"""Every planted fault is named with its row; what is fine is not; the photographs have nothing but telling names."""

import json
import os
from pathlib import Path

import pytest

from emovlm import UserError
from emovlm.check import decoding
from emovlm.check.run import check
from emovlm.check.telling import shown
from emovlm.data import tables
from emovlm.recipe import Recipe
from emovlm.report.data_check import write_page
from tests.check import faulty_folder

SHARED = Path(os.environ.get("EMOVLM_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
FACES = SHARED / "london_faces"


def recipe(**data):
    return Recipe.model_validate({"data": data, "model": {"name": "demo"}})


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """-> (content of data_check.json, folder that it is in, data)."""
    home = tmp_path_factory.mktemp("faulty")
    root = faulty_folder.write(home / "clips")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOVLM_CACHE", str(home / "cache"))
        patch.setattr("emovlm.frames.faces.installed", lambda: False)
        asked = recipe(source="folder", root=str(root))
        yield check(asked, home / "out", workers=1), home / "out", asked.data


def about(found, kind):
    (one,) = [one for one in found["findings"] if one["kind"] == kind]
    assert one["count"] == len(one["about"])
    assert one["examples"] == one["about"][:3]
    return one["about"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("missing", ["missing.mp4"]),
        ("git_lfs", ["pointer.mp4"]),
        ("empty", ["empty.mp4"]),
        ("truncated", ["no_index.mp4", "truncated.mkv"]),
        ("damaged", ["damaged.jpg.mp4"]),
        ("audio_only", ["sound.mp4"]),
        ("no_frame", ["no_frame.avi"]),
        ("no_video", ["no_stream.mp4"]),
        ("unreadable", ["text.mp4"]),
        ("frame_count", ["miscounted.mp4: 12 annotated, 10 there"]),
        ("behind_the_end", ["late.mp4: apex_s 3.5, the clip ends at 0.5 s"]),
        ("duration", ["long.mp4: 60 s"]),
        ("variable_rate", ["uneven.mp4"]),
        ("short", ["short.webm"]),
        ("hdr", ["hdr.mp4"]),
        ("gaps", ["frames/img_1.png: img_5.png follows img_3.png"]),
        ("without_rows", ["without_row.mp4"]),
        ("subject_across", ["twice (train, test)"]),
        ("label_in_path", ["joy_in_name.mp4"]),
        ("label_in_text", ["told.mp4: joy"]),
        ("copies_across", ["exact.mp4 (train), exact_again.mp4 (test)"]),
        ("two_labels", ["torn.mp4 (joy), torn_again.mp4 (rare)"]),
        ("copies", ["within.mp4 (train), within_again.mp4 (train)"]),
        (
            "near_copies",
            [
                "original.mp4 (train) and brightened.mp4 (test)",
                "original.mp4 (train) and mirrored.mp4 (test) (mirrored)",
                "original.mp4 (train) and smaller.mp4 (test)",
            ],
        ),
        ("absent_classes", ["no clip in test: rare (only in train)"]),
    ],
)
def test_a_planted_fault_is_named(faulty, kind, expected):
    assert sorted(about(faulty[0], kind)) == [name.replace("frames/img_1.png", "frames") for name in expected]


def test_nothing_else_is_said(faulty):
    names = {one["kind"] for one in faulty[0]["findings"]}
    planted = test_a_planted_fault_is_named.pytestmark[0].args[1]
    assert names == {kind for kind, _ in planted}
    assert not any("fine" in line for one in faulty[0]["findings"] for line in one["about"])


def test_the_quarantine_lists_what_cannot_be_used_and_is_taken(faulty):
    found, out, data = faulty
    lines = [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]
    unusable = [name for one in found["findings"] if one["level"] == "unusable" for name in one["about"]]
    assert sorted(line["id"] for line in lines) == sorted(unusable)
    assert len(lines) == found["unusable"] == 10
    told = {line["id"]: line["detail"] for line in lines}
    assert "is cut off" in told["truncated.mkv"]
    assert "names 'missing.mp4', but there is no file" in told["missing.mp4"]
    # A subject in two splits is refused by any loading, and no quarantine mends it.
    with pytest.raises(UserError, match="subject 'twice' is in"):
        tables.load_rows(data.model_copy(update={"quarantine": out / "quarantine.jsonl"}))


def test_the_terminal_and_the_page_tell_the_same(faulty):
    from rich.console import Console

    found, out, _ = faulty
    console = Console(width=300, record=True)
    for part in shown(found):
        console.print(part)
    text, page = console.export_text(), write_page(out).read_text()
    for one in found["findings"]:
        assert one["what"].replace("'", "&#39;") in page
        assert one["what"][:40] in text
    assert "10 rows cannot be used" in text
    assert "10 rows cannot be used" in page
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("https://git-lfs", ""), "opens without a network"
    assert page == write_page(out).read_text()


def test_a_second_check_decodes_what_changed_and_what_could_not_be_read(faulty, monkeypatch, tmp_path):
    found, _, data = faulty
    decoded = []
    record_of = decoding.record_of
    monkeypatch.setenv("EMOVLM_CACHE", str(Path(data.args["root"]).parent / "cache"))
    monkeypatch.setattr(decoding, "record_of", lambda row: decoded.append(row["id"]) or record_of(row))
    asked = recipe(**data.model_dump(exclude_none=True, exclude={"splits"}))
    again = check(asked, tmp_path / "out", workers=1)
    unreadable = {name for one in found["findings"] if one["level"] == "unusable" for name in one["about"]}
    assert set(decoded) == unreadable - {"missing.mp4"}
    assert again["known_before"] == again["clips"] - len(decoded)
    assert again["findings"] == found["findings"]
    os.utime(Path(data.args["root"]) / "fine0.mp4", ns=(1, 1))
    decoded.clear()
    check(asked, tmp_path / "out", workers=1)
    assert "fine0.mp4" in decoded


@pytest.mark.skipif(not FACES.is_dir(), reason=f"no photographs in {FACES} (EMOVLM_SHARED_DATA)")
def test_nothing_is_wrong_with_the_photographs_but_their_names(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOVLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("emovlm.check.survey.FACES_IN", 4)
    splits = {"validation": 0.15, "test": 0.35}
    found = check(recipe(source="folder", root=str(FACES), splits=splits), tmp_path / "out", workers=1)
    assert [(one["kind"], one["count"]) for one in found["findings"]] == [("label_in_path", 204)]
    assert found["unusable"] == 0
    assert (tmp_path / "out" / "quarantine.jsonl").read_text().strip() == ""
    if found["faces"]:
        assert found["faces"]["with_a_face"] == 4
        assert 0.3 < found["faces"]["height"]["median"] < 0.5
