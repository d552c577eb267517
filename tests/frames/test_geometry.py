"""Sizes by hand, and the eight ways a display matrix can turn a picture."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from emovlm.frames import geometry


@pytest.mark.parametrize(
    ("width", "height", "aspect", "max_pixels", "expected"),
    [
        (100, 50, None, 5000, (100, 50)),
        (100, 50, None, 10**6, (100, 50)),  # never up
        (100, 50, None, 1250, (50, 25)),
        (100, 50, Fraction(2), 10**6, (200, 50)),
        (100, 50, Fraction(1, 2), 10**6, (50, 50)),
        (720, 576, Fraction(16, 11), 1048 * 576, (1047, 576)),
        (1000, 1, None, 100, (100, 1)),  # one row cannot shrink: the budget goes before the aspect
    ],
)
def test_sizes(width, height, aspect, max_pixels, expected):
    assert geometry.fitted_size(width, height, aspect, max_pixels) == expected


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 200_000), st.fractions(Fraction(1, 3), 3))
def test_size_keeps_the_budget_and_never_grows(width, height, max_pixels, aspect):
    found_width, found_height = geometry.fitted_size(width, height, aspect, max_pixels)
    assert 1 <= found_width * found_height <= max_pixels
    assert found_height <= height
    assert found_width <= max(1, round(width * aspect))


@pytest.mark.parametrize("matrix", list(geometry.TURNS))
def test_a_turn_moves_pixels_as_the_matrix_says(matrix):
    a, b, c, d = matrix
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)  # two rows, three columns
    raw = np.array([a, b, 0, c, d, 0, 0, 0, 16384], dtype=np.int32) * 65536
    turn = geometry.turn_of(raw.tobytes())
    picture = Image.fromarray(pixels)
    turned = np.asarray(picture if turn is None else picture.transpose(turn))
    xs, ys = np.meshgrid(np.arange(3), np.arange(2))
    new_x, new_y = a * xs + c * ys, b * xs + d * ys
    expected = np.zeros(turned.shape, np.uint8)
    expected[new_y - new_y.min(), new_x - new_x.min()] = pixels
    assert turned.tolist() == expected.tolist()


def test_an_odd_angle_is_refused():
    raw = np.array([46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30], dtype=np.int32)
    with pytest.raises(ValueError, match="no quarter turn"):
        geometry.turn_of(raw.tobytes())
    with pytest.raises(ValueError, match="no quarter turn"):
        geometry.turn_of(np.zeros(9, np.int32).tobytes())


def test_transparent_pixels_show_white():
    picture = Image.fromarray(np.array([[[255, 0, 0, 0], [255, 0, 0, 255]]], np.uint8), "RGBA")
    assert np.asarray(geometry.over_white(picture)).tolist() == [[[255, 255, 255], [255, 0, 0]]]
