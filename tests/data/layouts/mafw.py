"""MAFW's folder: lists with blanks, with tabs (GB 18030) and with commas, a name with a blank in it; 11 classes."""

from __future__ import annotations

from pathlib import Path

from . import clip, picture, text
from ._films import workbook

FOLDS = 5
CLASSES = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt"]
CLASSES += ["anxiety", "helplessness", "disappointment"]
COUNTS = {
    "train": {name: 8 if name == "sadness" else 4 for name in CLASSES},
    "test": {name: 2 if name == "sadness" else 1 for name in CLASSES},
}


def write(root: Path) -> dict:
    listed: list[tuple[str, str, int]] = []  # the file, its class, the fold in which it is tested
    for name in CLASSES:
        for fold in range(1, FOLDS + 1):
            for _ in range(COUNTS["test"][name]):
                listed.append((f"{len(listed) + 25:05}.mp4", name, fold))
    listed[0] = ("00025 part 2.mp4", *listed[0][1:])
    for file, _, _ in listed:
        clip(root / "data" / "clips" / file)
        for frame in (1, 2, 10):
            picture(root / "data" / "frames" / file[:-4] / f"{frame:05}.jpg")
    header = ["clip", *CLASSES, "single_label"]
    sheet = [[file, *_shares(label), CLASSES.index(label) + 1] for file, label, _ in listed]
    workbook(root / "Labels" / "single-set.xlsx", {"Sheet1": [header, *sheet]})
    for fold in range(1, FOLDS + 1):
        for split in ("train", "test"):
            kept = [(file, label) for file, label, tested in listed if (tested == fold) == (split == "test")]
            _lists(root / "Train & Test Set", f"set_{fold}/{split}.txt", kept, "," if fold == 2 else " ")
    return {"root": str(root), "fold": 1}


def _shares(label: str) -> list[float]:
    """Nine tenths of the annotators see the class, three tenths something else: the numbers need not sum to one."""
    return [
        0.9 if name == label else 0.3 if CLASSES.index(name) == (CLASSES.index(label) + 1) % 11 else 0
        for name in CLASSES
    ]


def _lists(root: Path, file: str, kept: list[tuple[str, str]], mark: str) -> None:
    text(root / "single" / "no_caption" / file, *(f"{name}{mark}{label}" for name, label in kept), end="\r\n")
    lines = [f"{name}\t{label}\t一个男人。\tA man speaks, frowning." for name, label in kept if label != "neutral"]
    text(root / "single" / "with_caption" / file, *lines, end="\r\n", encoding="gb18030")
    # Clips of fear are compound ones there, and one of disgust is in no compound list.
    lines = [
        f"{name}{mark}{'fear_surprise' if label == 'fear' else label}"
        for name, label in kept
        if (name, label) != (next((n for n, other in kept if other == "disgust"), ""), "disgust")
    ]
    text(root / "compound" / "no_caption" / file, *lines, end="\r\n")
