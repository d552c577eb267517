"""RAVDESS: 24 actors speak two sentences in eight emotions and sing them in six; no official split.

Where    https://zenodo.org/records/1188976 (Video_Speech_Actor_01.zip to _24, Video_Song_Actor_01.zip to _24)
Licence  CC BY-NC-SA 4.0

    root/Video_Speech_Actor_01/Actor_01/01-01-06-01-02-01-01.mp4     or root/Actor_01/..., at any depth

The seven numbers of a name: modality (01 picture and sound, 02 picture alone, 03 sound alone), channel (01 speech, 02
song), emotion (01 neutral, 02 calm, 03 happy, 04 sad, 05 angry, 06 fearful, 07 disgust, 08 surprised), intensity (01
normal, 02 strong), statement, repetition, actor. Speech: 1,440 clips a modality, 96 neutral and 192 of each other
class; song: 1,012, without disgust and surprised, and none of actor 18. Traps: every utterance is there with and
without sound, so that the modality is chosen and both are never mixed; names spell the label; neutral has no strong
intensity; the same actor is in speech and song (`subject` keeps them in one split); two sentences, so that words say
nothing. Split by data.splits. Verified against the official description.
"""

from __future__ import annotations

import re
from pathlib import Path

from emovlm import UserError
from emovlm.data.mediafiles import stays
from emovlm.data.schema import PLACE

CLASSES = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
MODALITIES = {"audio_video": "01", "video": "02"}
CHANNELS = {"speech": ("01",), "song": ("02",), "both": ("01", "02")}
STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
# Channel -> clips of one modality. Song: 44 trials of each of 23 actors.
PUBLISHED_BY = "channel"
PUBLISHED = {
    "speech": {"all": {name: 96 if name == "neutral" else 192 for name in CLASSES}},
    "song": {"all": {name: 92 if name == "neutral" else 184 for name in CLASSES[:6]}},
    "both": {"all": dict(zip(CLASSES, [188, 376, 376, 376, 376, 376, 192, 192], strict=True))},
}
_NAME = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")


def load(root: str, modality: str = "audio_video", channel: str = "speech") -> list[dict]:
    """The rows. modality: audio_video or video (without sound). channel: speech, song or both. Raises UserError."""
    top = Path(root).expanduser()
    for key, value, allowed in (("modality", modality, MODALITIES), ("channel", channel, CHANNELS)):
        if value not in allowed:
            raise UserError(f"data.{key}: '{value}'; allowed: {', '.join(allowed)}")
    if not top.is_dir():
        raise UserError(f"data.root: '{root}': no such folder (from {Path.cwd()})")
    rows = []
    for path in sorted(top.rglob("Actor_*/*.mp4"), key=lambda path: (path.name, str(path))):
        if path.name.startswith("."):
            continue
        found = _NAME.fullmatch(path.stem)
        if found is None:
            raise UserError(f"{path}: is no name of RAVDESS, as 01-01-06-01-02-01-12.mp4; move the file away")
        kind, sung, emotion, intensity, statement, repetition, actor = found.groups()
        if kind != MODALITIES[modality] or sung not in CHANNELS[channel]:
            continue
        media = stays(str(path.absolute()), str(path), str(top.absolute()))
        row = {"id": path.stem, "media": [media], "label": CLASSES[int(emotion) - 1], "subject": actor}
        row |= {"channel": "speech" if sung == "01" else "song", "statement": STATEMENTS[statement]}
        row |= {"intensity": "normal" if intensity == "01" else "strong", "repetition": int(repetition)}
        rows.append(row | {PLACE: str(path)})
    if not rows:
        raise UserError(
            f"data.root: '{root}' has no clip of modality {modality} and channel {channel} in folders Actor_01 to "
            "Actor_24; sources/ravdess.py shows the tree"
        )
    return rows
