"""Action units in words, the mixture's draws, the samplings of the measurement: small numbers by hand."""

import numpy as np
import pytest

from tools.demo.action_units import ACTION_UNITS, EMOTIONS, PROTOTYPES, caption, draw_emotion, parse_caption, strengths

for package in ("cv2", "numba"):
    pytest.importorskip(package, reason="tools/demo/requirements.txt is not installed")


def test_caption_names_visible_units_in_order_and_reads_back():
    strengths_A = strengths({25: 0.6, 1: 0.3, 12: 0.2})
    assert caption(strengths_A) == "inner brows up, lips parted"
    assert [u for u, is_named in zip(ACTION_UNITS, parse_caption(caption(strengths_A)), strict=True) if is_named] == [
        1,
        25,
    ]
    assert caption(strengths({})) == "face relaxed"
    assert not parse_caption("face relaxed").any()


def test_a_showing_keeps_two_units_of_its_prototype():
    rng = np.random.default_rng(0)
    for emotion in EMOTIONS:
        for _ in range(20):
            units = draw_emotion(rng, emotion, stray=0.0)
            assert set(units) <= set(PROTOTYPES[emotion])
            assert len(units) >= min(2, len(PROTOTYPES[emotion]))
            assert all(0 < value <= 1.1 for value in units.values())


def test_uniform_frames_are_the_middles_of_equal_parts():
    from tools.demo.mixture import uniform

    assert uniform(8).tolist() == [1, 3, 5, 7, 9, 11, 13, 15]  # .125, .375, ... s at 8 frames a second
    assert uniform(4).tolist() == [2, 6, 10, 14]


def test_samplings():
    from tools.demo.measure import sampling_shares

    counts_C = np.array([16.0, 4.0])
    assert sampling_shares(counts_C, "natural").tolist() == [0.8, 0.2]
    assert sampling_shares(counts_C, "square_root") == pytest.approx([2 / 3, 1 / 3])
    assert sampling_shares(counts_C, "class_balanced").tolist() == [0.5, 0.5]
    assert sampling_shares(counts_C, "tail_oversampling") == pytest.approx([2 / 3, 1 / 3])


def test_unit_f1():
    from tools.demo.measure import unit_f1

    predicted, true = np.array([[1, 0], [1, 0]], bool), np.array([[1, 1], [0, 0]], bool)
    assert unit_f1(predicted, true) == pytest.approx([2 / 3, 0.0])


def test_plans_are_shuffled_and_share_no_subject():
    from tools.demo.clips import SPLITS, plan

    subjects = [{clip.subject for clip in plan(split)} for split in SPLITS]
    for of_a_set in (subjects[:3], subjects[3:]):
        assert [len(found) for found in of_a_set] == [60, 20, 36]
        assert len(set.union(*of_a_set)) == 116
    assert [clip.number for clip in plan(SPLITS[1])] == list(range(1, 281))


def test_an_expression_rises_stays_and_falls():
    from tools.demo.performance import Course

    course = Course(onset_s=0.5, rise_s=0.1, fall_start_s=0.8, fall_s=0.2)
    assert course.shown(np.array([0.4, 0.5, 0.55, 0.6, 0.8, 0.9, 1.0, 1.1])) == pytest.approx(
        [0, 0, 0.5, 1, 1, 0.5, 0, 0]
    )
    assert course.half_s == pytest.approx((0.55, 0.9))
    assert (course.apex_s, course.offset_s) == pytest.approx((0.7, 1.0))
    # One that the end of the clip cuts: 2 s is the last moment there is.
    cut = Course(onset_s=0.2, rise_s=0.2, fall_start_s=2.1, fall_s=0.4)
    assert (cut.apex_s, cut.offset_s, cut.half_s[1]) == pytest.approx((1.2, 2.0, 2.0))


def test_naming_shares_are_those_asked_for():
    from tools.demo.corpus import Clips, Frames
    from tools.demo.mixture import Mixture

    emotion_N = np.array([0, 0, 0, 1, 2, 3, 4, 5, 6])
    frames, clips = Frames(np.empty(0), np.empty(0), emotion_N), Clips(np.empty(0), np.empty(0), emotion_N)
    mixture = Mixture(frames, clips, np.random.default_rng(0), np.array([3.0, 1, 1, 1, 1, 1, 2]))
    assert mixture.clip_share_N == pytest.approx([0.1] * 8 + [0.2])


@pytest.mark.parametrize("shape", [(3, 8, 5), (2, 5, 8)])
def test_muon_makes_singular_values_alike(shape):
    import torch

    from tools.demo.optimizing import orthogonalise

    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.min() > 0.6
    assert values.max() < 1.3
