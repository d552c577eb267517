"""Known motions of made-up textures come back as flow and as words."""

import numpy as np
import pytest
from scipy import ndimage

from emovlm.enrich.describers import motion
from emovlm.enrich.describers.motion import flow
from emovlm.enrich.strip import Strip


@pytest.fixture(scope="module")
def texture_HW():
    smooth_HW = ndimage.gaussian_filter(np.random.default_rng(0).random((150, 170)), 2)
    return (smooth_HW - smooth_HW.min()) / (smooth_HW.max() - smooth_HW.min())


def moved(texture_HW, x_px, y_px):
    return ndimage.shift(texture_HW, (y_px, x_px), order=3)[20:116, 20:116]


@pytest.mark.parametrize(("x_px", "y_px"), [(0, 0), (1, 0), (0, -2), (0.4, 0.3), (3, 2), (6, 0)])
def test_flow_of_a_shifted_texture(texture_HW, x_px, y_px):
    found_HW2 = flow(moved(texture_HW, 0, 0), moved(texture_HW, x_px, y_px)) * 96
    np.testing.assert_allclose(np.median(found_HW2, axis=(0, 1)), [x_px, y_px], atol=0.05)


def frame(grey_HW):
    return np.repeat((255 * grey_HW).round().astype(np.uint8)[..., None], 3, axis=2)


def say(frames, timed=True, max_words=None):
    frames_THWC = np.stack(frames)
    times_s_T = np.arange(len(frames)) / 10
    strip = Strip(frames_THWC, times_s_T, timed, None, None, frames_THWC[:1])
    return motion.load(stage="gap", max_words=max_words).describe([strip])[0]


def test_a_part_that_moves_is_named_with_its_way_its_size_and_its_time(texture_HW):
    still_HW = moved(texture_HW, 0, 0)
    # The bottom centre ninth moves 2 of 96 rows up, between the second and the third frame.
    lifted_HW = still_HW.copy()
    lifted_HW[64:96, 32:64] = moved(texture_HW, 0, -2)[64:96, 32:64]
    first = say([frame(still_HW), frame(still_HW), frame(lifted_HW), frame(lifted_HW)]).split("; ")[0]
    place, _, size = first.partition(" up ")
    assert place == "bottom centre moves"
    assert float(size.split()[0]) == pytest.approx(100 * 2 / 96, abs=0.4)
    assert first.endswith("%, peak 0.2 s")


def test_what_moves_as_a_whole_is_no_part(texture_HW):
    frames = [frame(moved(texture_HW, x_px, 0)) for x_px in (0, 1, 2)]
    assert say(frames) == "all moves right 2.1 %"


def test_nothing_moves(texture_HW):
    still = frame(moved(texture_HW, 0, 0))
    assert say([still, still]) == "nothing moves"
    assert say([still]) == "nothing moves"
    blank = np.full_like(still, 127)
    assert say([blank, blank + 30]) == "nothing moves", "brightness alone is no motion"


def test_pictures_have_no_seconds_and_words_are_limited(texture_HW):
    still_HW = moved(texture_HW, 0, 0)
    lifted_HW = still_HW.copy()
    lifted_HW[64:96] = moved(texture_HW, 0, -2)[64:96]
    assert "peak" not in say([frame(still_HW), frame(lifted_HW)], timed=False)
    assert len(say([frame(still_HW), frame(lifted_HW)]).split("; ")) == 2
    assert len(say([frame(still_HW), frame(lifted_HW)], max_words=8).split("; ")) == 1
