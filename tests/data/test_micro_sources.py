"""Sets of micro-expressions: frames become seconds, what is not known stays unknown, classes are grouped.

Times are worked by hand: a frame's number less that of the first frame shown, over the frames a second.
"""

import warnings
from pathlib import Path

import openpyxl
import pytest

from emovlm.data.leftout import LeftOut
from emovlm.data.sources import cas_me2, casme2, casme3, megc2019, samm, samm_lv, smic
from emovlm.data.tables import gather
from emovlm.frames.look import glance
from emovlm.recipe import Data, Frames

from . import layouts
from .layouts._films import film, workbook
from .reading import by_id, refused


def times(row):
    return [row.get(name) for name in ("onset_s", "apex_s", "offset_s")]


class TestCasme2:
    def test_a_clip_that_begins_at_its_onset(self, root):
        row = by_id(casme2.load(root("casme2")))["sub02/EP02_02f"]
        # Frames 146 to 150; onset 146, apex 148, offset 150; 200 a second.
        assert [Path(path).name for path in row["media"]] == [f"img{number}.jpg" for number in range(146, 151)]
        assert times(row) == [0.0, 0.01, 0.02]
        assert (row["fps"], row["subject"], row["action_units"]) == (200.0, "sub02", ["AU4", "AU10"])

    def test_whole_clips_that_are_numbered_from_one(self, tmp_path):
        layouts.module("casme2").write(tmp_path)
        for path in sorted((tmp_path / "CASME2_RAW_selected").glob("*/*")):
            film(
                tmp_path / "CASME2-RAW" / path.relative_to(tmp_path / "CASME2_RAW_selected"), "img{}.jpg", [1, 746, 750]
            )
        row = by_id(casme2.load(str(tmp_path), clips="CASME2-RAW"))["sub02/EP02_02f"]
        # Onset 146 of frames that begin with 1.
        assert times(row) == pytest.approx([145 / 200, 147 / 200, 149 / 200])
        # Frames 2 to 745 and 747 to 749 are not there: the one before stays on display, and is counted.
        assert (len(row["media"]), row["missing_frames"]) == (750, 747)
        assert Path(row["media"][744]).name == "img1.jpg"

    def test_an_apex_that_is_not_known_or_lies_outside(self, root):
        rows = by_id(casme2.load(root("casme2"), grouping="seven"))
        assert times(rows["sub01/EP02_01f"]) == [0.0, None, 0.02]
        assert "annotation_note" not in rows["sub01/EP02_01f"]
        assert times(rows["sub01/EP02_08f"]) == [0.0, None, 0.02]
        assert rows["sub01/EP02_08f"]["annotation_note"] == "apex 9 outside of 746 to 750"

    def test_groupings(self, root):
        with pytest.warns(LeftOut, match="of 32 rows left out: 4 of sadness, 4 of fear"):
            assert len(casme2.load(root("casme2"))) == 24
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            seven = casme2.load(root("casme2"), grouping="seven")
        assert {row["label"] for row in seven} == set(casme2.SEVEN)
        with pytest.warns(LeftOut, match="4 of others, 4 of sadness, 4 of fear"):
            three = casme2.load(root("casme2"), grouping="three")
        labels = {row["emotion"]: row["label"] for row in three}
        assert labels == {
            "happiness": "positive",
            "surprise": "surprise",
            "disgust": "negative",
            "repression": "negative",
        }
        assert "'fives'; did you mean 'five'?" in refused(casme2.load, root("casme2"), grouping="fives")

    def test_a_csv_export_gives_the_same_rows(self, root, tmp_path):
        book = openpyxl.load_workbook(Path(root("casme2")) / "CASME2-coding-20190701.xlsx")
        lines = [["" if cell is None else str(cell) for cell in line] for line in book.worksheets[0].values]
        layouts.text(tmp_path / "CASME2-coding.csv", *(",".join(line) for line in lines), end="\r\n")
        (tmp_path / "CASME2_RAW_selected").symlink_to(Path(root("casme2")) / "CASME2_RAW_selected")

        def told(rows):
            return [{key: value for key, value in row.items() if key not in ("media", "_place")} for row in rows]

        assert told(casme2.load(str(tmp_path))) == told(casme2.load(root("casme2")))

    def test_what_is_wrong_is_named_with_its_line(self, root, tmp_path):
        assert "holds no tables CASME2" in refused(casme2.load, str(tmp_path))
        header = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Estimated Emotion"]
        for line, message in (
            ([1, "EP02_01f", 46, 48, 50, "joy"], "CASME2.xlsx:2: emotion 'joy'; allowed: happiness"),
            ([9, "EP02_01f", 46, 48, 50, "fear"], "CASME2.xlsx:2: names 'sub09', but there is no file"),
            ([1, "../EP02_01f", 46, 48, 50, "fear"], "CASME2.xlsx:2: names '../EP02_01f', but there is no file"),
            ([1, "EP02_01f", "46 ?", 48, 50, "fear"], "CASME2.xlsx:2: onset '46 ?' is no number of a frame"),
            ([1, "EP02_01f", 1, 2, 3, "fear"], "frames 1 to 3, but the folder has 46 to 50; its files are numbered"),
            ([1, "EP02_01f", 90, 91, 93, "fear"], "frames 90 to 93, but the folder has 46 to 50; its files are"),
        ):
            workbook(tmp_path / "CASME2.xlsx", {"a": [header, line]})
            if not (tmp_path / "CASME2_RAW_selected").exists():
                (tmp_path / "CASME2_RAW_selected").symlink_to(Path(root("casme2")) / "CASME2_RAW_selected")
            assert message in refused(casme2.load, str(tmp_path), grouping="seven")

    def test_a_check_of_the_data_goes_on_past_a_clip_that_is_not_there(self, tmp_path):
        layouts.module("casme2").write(tmp_path)
        lost = tmp_path / "CASME2_RAW_selected" / "sub02" / "EP02_02f"
        for path in lost.iterdir():
            path.unlink()
        lost.rmdir()
        found = gather(Data.model_validate({"source": "casme2", "root": str(tmp_path)}))
        assert len(found.rows) == 24
        assert list(found.missing) == [str(lost)]
        row = by_id(found.rows)["sub02/EP02_02f"]
        assert (row["media"], row["label"], times(row)) == ([str(lost)], "happiness", [None, None, None])

    def test_the_frames_are_chosen_by_the_films_clock(self, root):
        row = by_id(casme2.load(root("casme2")))["sub02/EP02_02f"]
        seen = glance(row, Frames(pick="apex"), None)
        assert seen.timed
        assert seen.times_s_T[seen.indices_T].tolist() == [0.0, 0.01, 0.02]


def test_samm_has_notes_above_its_table_and_slips_in_it(root):
    rows = by_id(samm.load(root("samm")))
    assert times(rows["006_1_1"]) == [0.0, 0.005, 0.015]
    assert (rows["006_1_1"]["subject"], rows["006_1_1"]["fps"]) == ("006", 200.0)
    assert rows["011_1_9"]["label"] == "other"
    assert times(rows["006_1_2"]) == [0.0, None, 0.015]
    assert rows["006_1_2"]["annotation_note"] == "apex 9999 outside of 5572 to 5575"
    assert rows["037_1_2"]["action_units"] == ["AU14", "AU17"]


def test_smic_has_no_apex_and_gaps_in_its_frames(root):
    rows = by_id(smic.load(root("smic")))
    assert times(rows["s1_ne_01"]) == [0.0, None, 0.03]
    assert (rows["s1_ne_01"]["fps"], rows["s1_ne_01"]["subject"]) == (100.0, "s01")
    gap = rows["s3_sur_01"]
    assert times(gap) == [0.0, None, 0.03]
    assert gap["missing_frames"] == 1
    shown = [Path(path).stem[-6:] for path in gap["media"]]
    assert shown == ["036337", "036337", "036339", "036340"]
    assert "missing_frames" not in rows["s1_ne_01"]


def test_smic_is_told_by_its_folders(tmp_path):
    layouts.module("smic").write(tmp_path)
    people = tmp_path / "SMIC_all_cropped" / "HS"
    (people / "s7" / "non_micro").mkdir(parents=True)
    assert "s7/micro: there is no such folder" in refused(smic.load, str(tmp_path))
    (people / "s1" / "micro" / "anger").mkdir()
    assert "anger: is no class of SMIC" in refused(smic.load, str(tmp_path))
    (people / "faces").mkdir()
    assert "faces: is no person of SMIC" in refused(smic.load, str(tmp_path))


def test_casme3_from_cut_clips_and_from_recordings(root):
    cut = by_id(casme3.load(root("casme3")))
    assert times(cut["spNO.1_a_405"]) == pytest.approx([0, 1 / 30, 3 / 30])
    slip = cut["spNO.2_a_355"]
    assert times(slip) == pytest.approx([0, 1 / 30, None])
    assert slip["annotation_note"] == "offset 9 before onset 355"
    long = by_id(casme3.load(root("casme3"), clips="data", margin_s=0.1))
    # Three frames more on both sides: 402 to 411, of which 405 is the onset.
    row = long["spNO.1_a_405"]
    assert [Path(path).stem for path in row["media"]] == [str(number) for number in range(402, 412)]
    assert times(row) == pytest.approx([3 / 30, 4 / 30, 6 / 30])
    assert {row["label"] for row in casme3.load(root("casme3"), grouping="four")} == {
        "positive",
        "negative",
        "surprise",
        "others",
    }


def test_samm_long_videos_are_cut_around_the_expression(root):
    rows = by_id(samm_lv.load(root("samm_lv"), kind="all", margin_s=0.01))
    row = rows["006_1_2"]
    # Onset 31, offset 34, two frames (.01 s at 200) on both sides.
    assert [Path(path).stem[-4:] for path in row["media"]] == [f"{number:04}" for number in range(29, 37)]
    assert times(row) == pytest.approx([2 / 200, 3 / 200, 5 / 200])
    assert (row["label"], row["kind"], row["source"]) == ("anger", "micro", "006_1")
    macro = rows["006_1_50"]
    assert "label" not in macro
    assert times(macro) == [pytest.approx(2 / 200), None, None]
    assert Path(macro["media"][-1]).name == "006_1_0200.jpg"
    assert len(samm_lv.load(root("samm_lv"), kind="macro")) == 3


def test_cas_me2_is_spans_of_recordings(root):
    rows = by_id(cas_me2.load(root("cas_me2")))
    row = rows["15_0101disgustingteeth_1_2"]
    # Frames 1 and 2 of a video whose first frame has the number 1: until frame 3 begins.
    assert (row["start_s"], row["end_s"]) == pytest.approx((0, 2 / 30))
    assert times(row) == pytest.approx([0, 1 / 30, 1 / 30])
    assert (row["label"], row["subject"], row["source"]) == ("negative", "s15", "15_0101disgustingteeth")
    open_end = rows["15_0101disgustingteeth_2_0"]
    assert "end_s" not in open_end
    assert times(open_end) == pytest.approx([1 / 30, 2 / 30, None])
    wide = by_id(cas_me2.load(root("cas_me2"), margin_s=0.1))["15_0101disgustingteeth_4_5"]
    assert (wide["start_s"], wide["end_s"]) == pytest.approx((0, 8 / 30))
    assert len(by_id(cas_me2.load(root("cas_me2"), kind="all"))) == 18
    pictures = by_id(cas_me2.load(root("cas_me2"), clips="rawpic"))["15_0101disgustingteeth_4_5"]
    assert [Path(path).stem for path in pictures["media"]] == ["img_4", "img_5"]
    assert times(pictures) == pytest.approx([0, 0, 1 / 30])


def test_the_composite_follows_its_list(root):
    rows = megc2019.load(root("megc2019"))
    assert [rows[0]["id"], rows[-1]["id"]] == ["casme2/sub01/EP02_01f", "samm/037_1_8"]
    assert len({row["subject"] for row in rows}) == 4 + 3 + 3
    assert {row["set"]: row["fps"] for row in rows} == {"casme2": 200.0, "smic": 100.0, "samm": 200.0}
    assert next(row for row in rows if row["id"] == "smic/s1_ne_02")["label"] == "negative"


def test_the_composite_names_a_clip_that_is_not_there(tmp_path):
    layouts.module("megc2019").write(tmp_path)
    path = tmp_path / "combined_3class_gt.csv"
    layouts.text(path, "smic,s07,s07_ne_01,0")
    assert "combined_3class_gt.csv:1: there is no clip smic s07 s07_ne_01" in refused(megc2019.load, str(tmp_path))
    layouts.text(path, "smic,s01,s01_ne_01,3")
    assert "label 3 is not in the table" in refused(megc2019.load, str(tmp_path))


def test_published_totals():
    def total(table):
        return sum(table["all"].values())

    assert [total(casme2.PUBLISHED[name]) for name in ("five", "seven", "three")] == [249, 255, 150]
    assert [total(samm.PUBLISHED[name]) for name in ("eight", "five", "three")] == [159, 136, 133]
    assert total(smic.PUBLISHED) == 164
    assert [total(casme3.PUBLISHED[name]) for name in ("seven", "four", "three")] == [860, 860, 699]
    assert [total(cas_me2.PUBLISHED[kind]) for kind in cas_me2.KINDS] == [57, 300, 357]
    assert [total(samm_lv.PUBLISHED[kind]) for kind in samm_lv.KINDS] == [159, 343, 502]
    assert megc2019.PUBLISHED["all"] == {"negative": 250, "positive": 109, "surprise": 83}
    for name, number in megc2019.PUBLISHED["all"].items():
        assert sum(part[name] for part in megc2019.PUBLISHED_PARTS.values()) == number
    assert [sum(part.values()) for part in megc2019.PUBLISHED_PARTS.values()] == [164, 145, 133]
    # The composite's SAMM and SMIC are the whole sets in three classes; of CASME II five clips are not in it.
    assert megc2019.PUBLISHED_PARTS["samm"] == samm.PUBLISHED["three"]["all"]
    assert megc2019.PUBLISHED_PARTS["smic"] == smic.PUBLISHED["all"]


@pytest.mark.parametrize("module", [casme2, samm, casme3])
def test_each_grouping_is_of_the_published_classes(module):
    assert set(module.GROUPINGS) == set(module.PUBLISHED)
    for name, grouping in module.GROUPINGS.items():
        assert set(grouping.values()) == set(module.PUBLISHED[name]["all"])
