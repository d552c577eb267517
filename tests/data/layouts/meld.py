"""MELD's folder: dialogues numbered anew in each split, utterances with commas and quotes, a clip not shipped."""

from __future__ import annotations

from pathlib import Path

from . import clip, text

CLASSES = ["neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust"]
COUNTS = {
    "train": {name: 8 if name == "neutral" else 4 for name in CLASSES},
    "validation": dict.fromkeys(CLASSES, 1),
    "test": dict.fromkeys(CLASSES, 2),
}
HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
FOLDERS = {
    "train": ("train", "train/train_splits"),
    "validation": ("dev", "dev_splits_complete"),
    "test": ("test", "output_repeated_splits_test"),
}


def write(root: Path) -> dict:
    for split, (written, folder) in FOLDERS.items():
        lines = []
        for name, number in COUNTS[split].items():
            for _ in range(number):
                dialogue, utterance = divmod(len(lines), 3)
                lines.append(_line(len(lines) + 1, name, dialogue, utterance))
                clip(root / folder / f"dia{dialogue}_utt{utterance}.mp4")
        if split == "validation":
            lines.append(_line(len(lines) + 1, "neutral", 110, 7))
        place = root / written if split == "train" else root
        text(place / f"{written}_sent_emo.csv", HEADER, *lines)
    clip(root / FOLDERS["test"][1] / "final_videos_testdia0_utt0.mp4")
    return {"root": str(root)}


def _line(number: int, emotion: str, dialogue: int, utterance: int) -> str:
    times = '"00:16:16,059","00:16:21,731"'
    return f'{number},"Oh, it’s ""you"".",Joey,{emotion},neutral,{dialogue},{utterance},8,21,{times}'
