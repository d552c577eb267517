"""MER 2024: the clips of MER 2023 and more, six classes; a training list and a test list of each of two tracks.

Where    https://huggingface.co/datasets/MERChallenge/MER2024 (a signed agreement)
Licence  for academic research alone, not to be passed on

    root/label-disdim.csv, root/video-labeled/<name>.mp4              name,discrete,valence      5,030 clips
    root/reference-semi.csv, root/video-unlabeled/<name>.mp4          1,169 of 115,595; the default of `test:`
    root/reference-noise.csv, root/video-unlabeled-with-test2noise/   1,170 clips with noise

The lists write names, as those of MER 2023. Traps: the test clips lie among all unlabelled ones; the reference lists
come apart from the clips, after the challenge; labels of the challenge's own code for test clips are placeholders. No
subjects and no films are named: intervals are by clip and optimistic. No validation list: use
splits.validation_from_train. By description and public code only; the class counts are not published.
"""

from __future__ import annotations

from pathlib import Path

from emovlm import UserError
from emovlm.data.sources.mer2023 import CLASSES as MER2023_CLASSES
from emovlm.data.sources.mer2023 import read_list
from emovlm.lookup import near_miss

CLASSES = MER2023_CLASSES
# Track -> the folder of its test clips.
TESTS = {"semi": "video-unlabeled", "noise": "video-unlabeled-with-test2noise"}


def load(root: str, test: str = "semi") -> list[dict]:
    """The rows of the training list and of the test list of one track. Raises UserError."""
    top = Path(root).expanduser()
    if test not in TESTS:
        raise UserError(f"data.test: '{test}'; {near_miss(test, TESTS)}")
    train = read_list(top / "label-disdim.csv", top / "video-labeled", "train")
    return train + read_list(top / f"reference-{test}.csv", top / TESTS[test], "test")
