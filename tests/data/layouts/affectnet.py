"""AffectNet's later release: a .npy a picture, with numbers beyond the classes; and the lists of the first one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import picture, text

CLASSES = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"]
COUNTS = {"train": dict.fromkeys(CLASSES, 3), "test": dict.fromkeys(CLASSES, 1)}


def write(root: Path) -> dict:
    for folder, split in (("train_set", "train"), ("val_set", "test")):
        # None, uncertain and no face are beyond the classes.
        for index, number in enumerate([*range(len(CLASSES)), 8, 9, 10] * COUNTS[split]["happy"]):
            picture(root / folder / "images" / f"{index}.jpg")
            annotations = root / folder / "annotations"
            annotations.mkdir(exist_ok=True)
            np.save(annotations / f"{index}_exp.npy", np.array(str(number)))
            np.save(annotations / f"{index}_val.npy", np.array("-0.5"))
    return {"root": str(root)}


def write_first(root: Path) -> dict:
    """The first release; its second list has no header."""
    header = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
    for file, split in (("training.csv", "train"), ("validation.csv", "test")):
        lines = [header] if split == "train" else []
        for index, number in enumerate([*range(11)] * COUNTS[split]["happy"]):
            name = f"{index}/{split}{index}.jpg"
            picture(root / "Manually_Annotated_Images" / name)
            lines.append(f"{name},1,2,30,40,{';'.join(['12.5'] * 136)},{number},0.1,-0.2")
        text(root / "Manually_Annotated_file_lists" / file, *lines)
    return {"root": str(root)}
