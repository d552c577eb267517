import numpy as np
import pytest

from emovlm import UserError
from emovlm.frames.clip import Clip
from emovlm.prompts.arrangement import WHOLE
from emovlm.prompts.messages import clock, question_text, user_turn
from emovlm.recipe import Prompt


def clip(times, timed=True):
    times_s_T = np.array(times, dtype=float)
    return Clip(np.zeros((len(times), 4, 4, 3), np.uint8), times_s_T, timed, len(times))


def shown(turn):
    return [item.get("text", item["type"].upper()) for item in turn[0]["content"]]


def test_frames_and_texts_come_in_time_order_and_the_question_last():
    turn = user_turn(
        clip([0, 0.25, 0.5]), "Which?", as_video=False, time_marks=True, gap_texts={0: ["brows up"], 1: ["a", "b"]}
    )
    assert shown(turn) == [
        *("0.00 s: ", "IMAGE", "Then: brows up\n"),
        *("0.25 s: ", "IMAGE", "Then: a\n", "Then: b\n"),
        *("0.50 s: ", "IMAGE", "Which?"),
    ]


def test_texts_around_the_clip_about_all_of_it_and_without_a_frame():
    texts = {-1: ["first"], 1: ["last"], WHOLE: ["all"]}
    turn = user_turn(clip([0, 0.25]), "Which?", as_video=False, time_marks=False, gap_texts=texts)
    assert shown(turn) == ["Then: first\n", "IMAGE", "IMAGE", "Then: last\n", "Overall: all\n", "Which?"]
    turn = user_turn(clip([]), "Which?", as_video=False, time_marks=True, gap_texts={0: ["a", "b"], 2: ["c"]})
    assert shown(turn) == ["Then: a\n", "Then: b\n", "Then: c\n", "Which?"]


def test_no_time_marks_on_pictures_or_a_single_frame():
    for one in (clip([0, 1], timed=False), clip([0.3])):
        turn = user_turn(one, "Which?", as_video=False, time_marks=True, gap_texts={})
        assert shown(turn) == ["IMAGE"] * len(one.times_s_T) + ["Which?"]
    assert shown(user_turn(clip([0, 1]), "Which?", as_video=True, time_marks=True, gap_texts={})) == ["VIDEO", "Which?"]


def test_question_by_name_own_text_and_class_list():
    assert question_text(Prompt(question="describe_face", list_classes=False), ["a"]) == "Describe the face."
    assert question_text(Prompt(question="Is it a smile?"), ["yes", "no"]) == "Is it a smile? Choose one of: yes, no."
    with pytest.raises(UserError, match="did you mean 'emotion_video'"):
        question_text(Prompt(question="emotion_vidio"), ["a"])


@pytest.mark.parametrize(
    ("times", "rate"), [([0.125, 0.375, 0.625, 0.875], 4.0), ([0, 0.2, 0.4, 0.6, 0.8], 5.0), ([1.0], 1.0)]
)
def test_clock_gives_the_mean_rate_and_every_time(times, rate):
    from transformers.video_utils import VideoMetadata

    found = VideoMetadata(**clock(np.array(times)))
    assert found.sampled_fps == pytest.approx(rate, rel=1e-5)
    assert found.sampled_fps <= rate * (1 + 1e-12), "a hair above would truncate temporal positions"
    assert found.timestamps == pytest.approx(times, abs=1e-6)


def test_uneven_times_reach_the_processor_as_they_are():
    from transformers.video_utils import VideoMetadata

    found = VideoMetadata(**clock(np.array([0.1, 0.15, 1.9])))
    assert found.timestamps == pytest.approx([0.1, 0.15, 1.9])
    assert found.sampled_fps == pytest.approx(2 / 1.8, rel=1e-5)
