"""Every known column in its type, or one line that names the place."""

import pytest

from emovlm import UserError
from emovlm.data import schema

ROW = {"id": "1", "media": ["a.mp4"]}


def check(**columns):
    return schema.check_row(ROW | columns, "rows.csv:7")


def test_types_blanks_and_empty_cells():
    row = check(
        id=" 001 ",
        subject=7,
        apex_s="0.5",
        fps="200",
        onset_s="",
        text="  NA ",
        action_units="AU6+AU12; AU25",
        box="[1, 2, 3, 4]",
        soft_label="0.25 0.75",
        film=" x ",
        label=" happy ",
        offset_s=None,
    )
    assert row == {
        "id": "001",
        "media": ["a.mp4"],
        "subject": "7",
        "apex_s": 0.5,
        "fps": 200.0,
        "text": "NA",
        "action_units": ["AU6", "AU12", "AU25"],
        "box": [1.0, 2.0, 3.0, 4.0],
        "soft_label": [0.25, 0.75],
        "film": "x",
        "label": "happy",
    }


@pytest.mark.parametrize("column", ["Split", "LABEL", "Subject", "start_S"])
@pytest.mark.parametrize("value", ["test", None])
def test_a_column_of_ours_in_other_capitals_is_not_ignored(column, value):
    with pytest.raises(UserError) as caught:
        check(**{column: value})
    message = f"rows.csv:7: column '{column}' would be ignored; did you mean '{column.casefold()}'?"
    assert str(caught.value).startswith(message)


def test_one_path_is_a_list_of_one():
    assert check(media="a.mp4")["media"] == ["a.mp4"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"start_s": "1,5"}, "start_s '1,5' is not a number; leave it empty"),
        ({"start_s": "NA"}, "start_s 'NA' is not a number"),
        ({"fps": "0"}, "fps '0' must be above 0"),
        ({"apex_s": float("nan")}, "apex_s nan is not a number"),
        ({"apex_s": True}, "apex_s True is not a number"),
        ({"start_s": -0.1}, "start_s -0.1 lies before the clip"),
        ({"start_s": 2, "end_s": 2}, "end_s 2.0 does not come after start_s 2.0"),
        ({"onset_s": 2, "apex_s": 1}, "apex_s 1.0 does not come after onset_s 2.0"),
        ({"subject": True}, "subject True is no text"),
        ({"box": "1 2 3"}, "box '1 2 3' must be four numbers"),
        ({"action_units": [6, 12]}, "must be a list of texts"),
        ({"split": "dev"}, "split 'dev' is unknown; allowed: train, validation, test"),
        ({"id": " "}, "no id"),
        ({"media": []}, "no media"),
        ({"media": [1]}, "must be a path or a list of paths"),
    ],
)
def test_mistakes_name_place_and_value(columns, message):
    with pytest.raises(UserError) as caught:
        check(**columns)
    assert str(caught.value).startswith("rows.csv:7: ")
    assert message in str(caught.value)


def test_soft_labels_follow_the_class_order():
    assert schema.check_soft_label({"sad": 0.25, "happy": 0.75}, ["happy", "fear", "sad"], "p") == [0.75, 0.0, 0.25]
    assert schema.check_soft_label([0.5, 0.5], ["happy", "sad"], "p") == [0.5, 0.5]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0], "has 1 numbers for 2 classes"),
        ([7.0, 3.0], "sums to 10; give shares that sum to 1"),
        ([1.5, -0.5], "sums to 1; give shares"),
        ({"fear": 1.0}, "names 'fear', which is not in data.classes"),
    ],
)
def test_soft_labels_that_are_refused(value, message):
    with pytest.raises(UserError, match=message):
        schema.check_soft_label(value, ["happy", "sad"], "p")
