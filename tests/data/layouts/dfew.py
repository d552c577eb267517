"""DFEW's folder: two clips of happy and one of each other class a test fold; sets differ in how their lists spell."""

from __future__ import annotations

from pathlib import Path

from . import clip, picture, text

FOLDS = 5
NUMBERS = {"happy": 1, "sad": 2, "neutral": 3, "angry": 4, "surprise": 5, "disgust": 6, "fear": 7}
COUNTS = {
    "train": {name: 8 if name == "happy" else 4 for name in NUMBERS},
    "test": {name: 2 if name == "happy" else 1 for name in NUMBERS},
}


def write(root: Path) -> dict:
    listed: list[tuple[int, int, int]] = []  # the clip, its label, the fold in which it is tested
    for name, number in NUMBERS.items():
        for fold in range(1, FOLDS + 1):
            for _ in range(COUNTS["test"][name]):
                listed.append((len(listed) + 1, number, fold))
    for video, _, _ in listed:
        clip(root / "Clip" / "original" / f"{video}.mp4")
        for frame in (1, 2, 10):
            picture(root / "Clip" / "clip_224x224" / f"{video:05}" / f"{video:05}_{frame:05}.jpg")
            picture(root / "Clip" / "clip_224x224_16f" / f"{video:05}" / f"{frame}.jpg")
    clip(root / "Clip" / "original" / "999.mp4")  # a clip without a single label is in no list
    for fold in range(1, FOLDS + 1):
        for split in ("train", "test"):
            kept = [(video, label) for video, label, tested in listed if (tested == fold) == (split == "test")]
            _list(root, fold, split, kept)
    return {"root": str(root), "fold": 1}


def _list(root: Path, fold: int, split: str, kept: list[tuple[int, int]]) -> None:
    column = "annotation" if fold == 2 else "label"
    lines = [f"{video if fold == 3 else f'{video:05}'},{label}" for video, label in kept]
    path = root / "EmoLabel_DataSplit" / f"{split}(single-labeled)" / f"set_{fold}.csv"
    text(path, f"video_name,{column}", *lines, end="\r\n" if fold == 4 else "\n")
