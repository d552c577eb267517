import numpy as np
import pytest

from emovlm.frames.altered import GREY, backwards, blank, frozen, shuffled
from emovlm.frames.clip import Clip


def clip(count):
    frames = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 3), np.uint8)
    return Clip(frames, np.arange(count) / 4, True, 20)


def shown(found):
    return found.frames_THWC[:, 0, 0, 0].tolist()


def test_only_the_pixels_change():
    whole = clip(5)
    assert shown(backwards(whole)) == [4, 3, 2, 1, 0]
    assert shown(frozen(whole)) == [2] * 5
    assert shown(blank(whole)) == [GREY] * 5
    for found in (backwards(whole), frozen(whole), blank(whole), shuffled(whole, "a")):
        assert found.frames_THWC.shape == whole.frames_THWC.shape
        assert found.times_s_T is whole.times_s_T
    assert shown(whole) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_shuffled_is_another_order_the_same_for_a_name(count):
    for name in "abcdefgh":
        found = shown(shuffled(clip(count), name))
        assert sorted(found) == list(range(count)) != found
        assert found == shown(shuffled(clip(count), name))
    assert shown(shuffled(clip(1), "a")) == [0]
