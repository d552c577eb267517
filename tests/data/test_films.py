"""Numbers of frames and units as sets write them: into seconds and names, or refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovlm.data.films import Film, Numbering, action_units, event, read_film

from .layouts._films import film
from .reading import refused


class TestFilms:
    def test_numbers_decide_and_not_the_order_of_names(self, tmp_path):
        film(tmp_path / "a", "img{}.jpg", [9, 10, 100])
        found = read_film(tmp_path / "a", 10.0, "here", tmp_path)
        assert list(found.pictures) == [9, 10, 100]
        assert found.numbering == Numbering(9, 100, 10.0)
        assert found.cut(10, 50, "here").first == 10
        assert "no frame from 11 to 99; the folder has 9 to 100" in refused(found.cut, 11, 99, "here")

    @given(st.sets(st.integers(0, 300), min_size=1), st.sampled_from([25.0, 30.0, 200.0]))
    def test_at_any_time_the_newest_frame_is_shown(self, numbers, fps):
        shown = Film(Path("a"), {number: str(number) for number in sorted(numbers)}, fps)
        columns, numbering = shown.columns(), shown.numbering
        assert numbering is not None
        assert len(columns["media"]) == max(numbers) - min(numbers) + 1
        for number in numbers:
            assert columns["media"][round(numbering.at_s(number) * fps)] == str(number)
        for place, path in enumerate(columns["media"]):
            assert int(path) == max(number for number in numbers if number <= min(numbers) + place)
        assert columns.get("missing_frames", 0) == len(columns["media"]) - len(numbers)

    def test_two_files_of_one_number_are_refused(self, tmp_path):
        film(tmp_path / "a", "img{}.jpg", [7])
        film(tmp_path / "a", "img00{}.jpg", [7])
        assert "are both frame" in refused(read_film, tmp_path / "a", 10.0, "here", tmp_path)

    def test_a_picture_that_is_no_frame_is_told_by_its_number(self, tmp_path):
        film(tmp_path / "a", "img{}.jpg", [7, 8, 20140508])
        message = "3 pictures have numbers from 7 to 20140508; move those away"
        assert message in refused(read_film, tmp_path / "a", 10.0, "here", tmp_path)

    def test_folders_without_numbered_pictures_are_refused(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "notes7.txt").touch()
        assert "here: the folder" in refused(read_film, tmp_path / "a", 10.0, "here", tmp_path)
        assert "here: names 'b', but there is no file" in refused(read_film, tmp_path / "b", 10.0, "here", tmp_path)

    @pytest.mark.parametrize(
        ("frames", "found"),
        [
            ((11, 12, 14), {"onset_s": 0.1, "apex_s": 0.2, "offset_s": 0.4}),
            ((11, None, None), {"onset_s": 0.1}),
            ((11, 30, None), {"onset_s": 0.1, "apex_s": 2.0}),
            ((None, 12, 14), {}),
            ((11, 10, 14), {"onset_s": 0.1, "offset_s": 0.4, "annotation_note": "apex 10 outside of 11 to 14"}),
            ((11, 12, 10), {"onset_s": 0.1, "apex_s": 0.2, "annotation_note": "offset 10 before onset 11"}),
        ],
    )
    def test_events_in_seconds(self, frames, found):
        onset, apex, offset = frames
        assert event(Numbering(10, 20, 10.0), onset, apex, offset, "here") == pytest.approx(found)

    def test_action_units_without_side_and_strength(self):
        assert action_units("R14A or 17A, A1B+4") == ["AU14", "AU17", "AU1", "AU4"]
        assert action_units("/") == []
