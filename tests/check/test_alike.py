"""Copies are found, other clips are not; by pictures made here, and by the photographs where they are."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from emovlm.check.alike import look_of, near_copies

FACES = (
    Path(os.environ.get("EMOVLM_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data")) / "london_faces"
)


def coded_anew(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=30)
    return Image.open(buffer).convert("RGB")


CHANGES = {
    "coded anew": coded_anew,
    "half the size": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.4),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.6),
    "more contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.4),
    "mirrored": ImageOps.mirror,
}


def looks(pictures):
    return [[look_of(np.asarray(picture))] for picture in pictures]


@pytest.mark.skipif(not FACES.is_dir(), reason=f"no photographs in {FACES} (EMOVLM_SHARED_DATA)")
@pytest.mark.parametrize("change", CHANGES)
def test_copies_of_photographs_are_found_and_nobody_is_taken_for_another(change):
    pictures = [Image.open(path).convert("RGB") for path in sorted(FACES.glob("images/0*.jpg"))[::2]]
    assert len(pictures) > 60
    originals, copies = looks(pictures), looks([CHANGES[change](picture) for picture in pictures])
    found = sorted(near_copies(originals, copies))
    assert found == [(n, n, change == "mirrored") for n in range(len(pictures))]


def test_a_pair_must_agree_over_the_whole_clip():
    one, two, three = (
        Image.fromarray(np.random.default_rng(k).integers(0, 255, (9, 9, 3), np.uint8)) for k in range(3)
    )
    one, two, three = (look_of(np.asarray(picture.resize((64, 64)))) for picture in (one, two, three))
    assert list(near_copies([[one, two, three]], [[one, two, three], [three, two, one]])) == [(0, 0, False)]
    assert list(near_copies([], [[one]])) == []


def test_pictures_of_one_colour_look_like_nothing():
    flat = look_of(np.full((64, 64, 3), 90, np.uint8))
    assert list(near_copies([[flat]], [[flat]])) == []


def test_a_symmetric_picture_is_one_pair():
    half = np.random.default_rng(0).integers(0, 255, (64, 32, 3), np.uint8).repeat(1, 0)
    look = look_of(np.concatenate([half, half[:, ::-1]], axis=1))
    assert list(near_copies([[look]], [[look]])) == [(0, 0, False)]
