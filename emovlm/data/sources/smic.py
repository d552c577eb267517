"""SMIC-HS: 164 micro-expressions of 16 people, filmed at 100 frames a second; three classes, no apex, no action units.

Where    https://www.oulu.fi/cmvs/node/41319 (a licence signed by a supervisor)
Licence  for research alone, not to be passed on

    root/SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image036237.bmp     faces; the default of `clips:`
    root/HS/s1/micro/negative/s1_ne_01/image036237.jpg                          whole frames: `clips: HS`

The class is the folder: negative, positive, surprise. A clip goes from onset to offset, so its first frame is onset_s.
Traps: the folder and the clip's name spell the class; some cropped clips lack frames, and a listing by place would date
all later ones wrongly (`missing_frames` counts them); `non_micro` beside `micro` has no micro-expressions and is not
read; VIS and NIR are 25 frames a second and other folders. No official split: leave one subject out by `splits: {folds:
each, fold: 1}`. Verified against public code that reads the official folders.
"""

from __future__ import annotations

import re
from pathlib import Path

from emovlm import UserError
from emovlm.data.films import event, read_film
from emovlm.data.schema import PLACE
from emovlm.data.sources.folder import by_number

FPS = 100.0
CLASSES = ["negative", "positive", "surprise"]
PUBLISHED = {"all": {"negative": 70, "positive": 51, "surprise": 43}}


def load(root: str, clips: str = "SMIC_all_cropped/HS") -> list[dict]:
    """The rows. clips: the folder of the people. Raises UserError."""
    folder = Path(root).expanduser() / clips
    if not folder.is_dir():
        raise UserError(f"data.clips: '{clips}': there is no folder {folder}; sources/smic.py shows the tree")
    rows = []
    for subject in _folders(folder):
        number = re.fullmatch(r"[sS](\d{1,4})", subject.name)
        if number is None:
            raise UserError(f"{subject}: is no person of SMIC, such as s1; move it away")
        for name in _folders(subject / "micro"):
            if name.name.casefold() not in CLASSES:
                raise UserError(f"{name}: is no class of SMIC; allowed: {', '.join(CLASSES)}")
            for clip in _folders(name):
                film = read_film(clip, FPS, str(clip), folder)
                row = {"id": clip.name, "subject": f"s{int(number[1]):02}", PLACE: str(clip)}
                row |= {"label": name.name.casefold()} | film.columns()
                rows.append(row | event(film.numbering, film.first, None, film.last, str(clip)))
    return rows


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; sources/smic.py shows the tree")
    found = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(found, key=lambda path: by_number(path.name))
