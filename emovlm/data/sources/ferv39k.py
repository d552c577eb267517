"""FERV39k: 38,935 clips of 22 scenes (interviews, wars, classrooms, ...), seven classes, one official split.

Where    https://github.com/wangyanckxx/FERV39k (an application by e-mail)
Licence  for research by universities alone, not to be passed on

    root/4_setups/All_scenes/train_All.csv, test_All.csv   DailyLife/Angry/0094 Angry      no header
    root/2_ClipsforFaceCrop/DailyLife/Angry/0094/*.jpg     face crops, a folder of frames a clip; the default
    root/3_ClipsforScenImages/DailyLife/Angry/0094/*.jpg   whole frames: `clips: 3_ClipsforScenImages`

The lists write names; there are no official numbers, and those of other projects are of different orders. Traps: every
path spells the label; clips are numbered anew in each class of a scene, so that the id is the whole path; the frames
have no times. `scene` is a column. No subjects and no films are named, and clips of one film are in both splits:
intervals are by clip and optimistic. Verified against copies of the official lists (all class counts of both splits, 22
scenes).
"""

from __future__ import annotations

from pathlib import Path

from emovlm import UserError
from emovlm.data import labels
from emovlm.data.clipfolder import find_clips, read_lines
from emovlm.data.schema import PLACE

CLASSES = ["Happy", "Sad", "Neutral", "Angry", "Surprise", "Disgust", "Fear"]
# Split -> class -> clips.
PUBLISHED = {
    "train": dict(zip(CLASSES, [5854, 5523, 7790, 5906, 2502, 1833, 1680], strict=True)),
    "test": dict(zip(CLASSES, [1473, 1393, 1958, 1487, 638, 467, 431], strict=True)),
}


def load(root: str, clips: str = "2_ClipsforFaceCrop") -> list[dict]:
    """The rows. clips: the folder that has the scenes. Raises UserError."""
    top = Path(root).expanduser()
    if not (top / clips).is_dir():
        raise UserError(f"data.clips: '{clips}': there is no folder {top / clips}; sources/ferv39k.py shows the tree")
    rows = []
    for split in ("train", "test"):
        for line, place in read_lines(top / "4_setups" / "All_scenes" / f"{split}_All.csv"):
            name, _, label = line.rpartition(" ")
            scene, _, rest = name.strip().partition("/")
            # The folder of the class spells the label too: where they differ, the list is not the official one.
            if rest.partition("/")[0] != label:
                raise UserError(f"{place}: {line!r} is no clip and its class, as in 'DailyLife/Angry/0094 Angry'")
            row = {"id": name.strip(), "label": labels.class_name(label, place), "scene": scene, "split": split}
            rows.append(row | {PLACE: place})
    found = find_clips([(row["id"], row[PLACE]) for row in rows], top / clips)
    return [row | {"media": media} for row, media in zip(rows, found, strict=True)]
