"""Boxes by hand, and under the eight ways a picture can be stored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from emovlm.frames import boxes, geometry
from emovlm.frames.geometry import View


def test_overlap_by_hand():
    assert boxes.overlap((0, 0, 0.5, 1), (0.25, 0, 0.75, 1)) == pytest.approx(1 / 3)
    assert boxes.overlap((0, 0, 0.5, 1), (0.5, 0, 1, 1)) == 0
    assert boxes.overlap((0.2, 0.2, 0.4, 0.4), (0.2, 0.2, 0.4, 0.4)) == pytest.approx(1)


def test_union_and_margin_by_hand():
    assert boxes.union([(0.2, 0.5, 0.4, 0.6), (0.3, 0.1, 0.5, 0.2)]) == (0.2, 0.1, 0.5, 0.6)
    assert boxes.widened((0.4, 0.4, 0.6, 0.8), 0.5) == pytest.approx((0.3, 0.2, 0.7, 1.0))
    assert boxes.widened((0.05, 0.4, 0.45, 0.6), 0.5) == pytest.approx((0.0, 0.3, 0.65, 0.7))
    assert boxes.within((0.3, 0.5, 0.4, 0.9), (0.2, 0.4, 0.6, 0.8)) == pytest.approx((0.25, 0.25, 0.5, 1.0))


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (boxes.WHOLE, (0, 0, 10, 5)),
        ((0.1, 0.2, 0.3, 0.6), (1, 1, 3, 3)),
        ((0.11, 0.2, 0.31, 0.61), (1, 1, 4, 4)),  # what is touched belongs to it
        ((0.99, 0.0, 0.995, 0.01), (9, 0, 10, 1)),
    ],
)
def test_whole_pixels(box, expected):
    assert boxes.in_pixels(box, (10, 5)) == expected


def test_a_rounding_error_is_no_pixel():
    assert 0.07 * 100 > 7
    assert boxes.in_pixels((0.0, 0.0, 0.07, 1.0), (100, 1)) == (0, 0, 7, 1)
    assert 0.29 * 100 < 29
    assert boxes.in_pixels((0.29, 0.0, 1.0, 1.0), (100, 1)) == (29, 0, 100, 1)


def corners():
    return st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).filter(lambda pair: pair[0] < pair[1])


@given(corners(), corners(), st.integers(1, 50), st.integers(1, 50))
def test_pixels_of_any_box_lie_in_the_picture(across, down, width, height):
    box = (across[0], down[0], across[1], down[1])
    assert boxes.is_box(box)
    left, top, right, bottom = boxes.in_pixels(box, (width, height))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


@pytest.mark.parametrize("turn", list(geometry.TURNS.values()))
def test_cutting_before_the_turn_is_cutting_after_it(turn):
    stored = Image.fromarray(np.arange(8 * 12, dtype=np.uint8).reshape(8, 12))
    upright = stored if turn is None else stored.transpose(turn)
    width, height = upright.size
    box = (2 / width, 1 / height, 5 / width, 7 / height)
    part = View(10**6, box).part_px(stored.size, turn)
    cut = geometry.resized(stored, part, (part[2] - part[0], part[3] - part[1]))
    cut = cut if turn is None else cut.transpose(turn)
    assert np.asarray(cut).tolist() == np.asarray(upright)[1:7, 2:5].tolist()


@pytest.mark.parametrize("wrong", [(0, 0, 0, 1), (0.5, 0, 0.4, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1), (0, 0, 1)])
def test_what_is_no_box(wrong):
    assert not boxes.is_box(wrong)
