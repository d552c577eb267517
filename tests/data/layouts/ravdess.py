"""RAVDESS as it unpacks: actors' folders, each utterance with sound and without, speech and song, and the sound alone.

Four actors, each with two trials a class of speech, and songs that have no disgust and no surprise.
"""

from __future__ import annotations

from pathlib import Path

from . import clip

CLASSES = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
ACTORS = 4
COUNTS = {"all": dict.fromkeys(CLASSES, 2 * ACTORS)}


def write(root: Path) -> dict:
    for actor in range(1, ACTORS + 1):
        for channel, kind in (("01", "Speech"), ("02", "Song")):
            if (actor, kind) == (2, "Song"):
                continue  # as actor 18
            folder = root / f"Video_{kind}_Actor_{actor:02}" / f"Actor_{actor:02}"
            for emotion in range(1, len(CLASSES) + 1 if kind == "Speech" else 7):
                for statement in ("01", "02"):
                    rest = f"{channel}-{emotion:02}-01-{statement}-01-{actor:02}"
                    clip(folder / f"01-{rest}.mp4")
                    clip(folder / f"02-{rest}.mp4")
        sound = root / "Audio_Speech_Actors_01-24" / f"Actor_{actor:02}" / f"03-01-01-01-01-01-{actor:02}.wav"
        sound.parent.mkdir(parents=True)
        sound.write_bytes(b"RIFF")
    return {"root": str(root), "splits": {"folds": 4, "fold": 1, "validation": 0.34}}
