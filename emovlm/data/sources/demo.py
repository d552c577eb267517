"""The clips that come with emovlm: rendered faces, the same subjects in both sets and in the same splits.

`macro`: an expression fills the clip; long-tailed in training, balanced in validation and test.
`micro`: an expression of .25 to .5 s in an otherwise still clip of two seconds; balanced. A neutral clip shows none.
"""

from __future__ import annotations

from emovlm import UserError, demo
from emovlm.data.sources import folder
from emovlm.lookup import near_miss

# Read by data/tables.py: the class order of a set whose recipe gives none.
CLASSES = ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]
SETS = {"macro": demo.CLIPS, "micro": demo.MICRO_CLIPS}


def load(set: str = "macro") -> list[dict]:
    """The rows, read as anybody's folder is. Raises UserError for an unknown set."""
    if set not in SETS:
        raise UserError(f"data.set: '{set}' is no set of the demo; {near_miss(set, SETS)}")
    return folder.load(str(SETS[set]))
