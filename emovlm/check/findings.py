"""What is wrong with clips and rows: one finding a kind, with its remedy and what it is about.

`unusable`: these rows cannot be trained on; they go to the quarantine. `wrong`: numbers that stand on them are wrong or
flattered. `note`: nothing to mend, good to know.
"""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from emovlm.data.sources.folder import LITTER, PICTURES, VIDEOS

Row = Mapping[str, Any]
# A row with what decoding found of its clip (clips.record_of).
Checked = tuple[Row, dict[str, Any]]
# A clip so many times longer, or shorter, than the usual one is probably not what its row says.
FAR = 10.0
SLACK_FRAMES = 1.5


Level = Literal["unusable", "wrong", "note"]
LEVELS: tuple[Level, ...] = ("unusable", "wrong", "note")


@dataclass(frozen=True)
class Finding:
    """`about`: a line for each row, file or pair."""

    kind: str
    level: Level
    what: str
    remedy: str
    about: list[str]


UNUSABLE = {
    "missing": ("rows whose file is not there", "add the files"),
    "git_lfs": ("Git LFS pointers in place of the clips", "run `git lfs pull` where the clips come from"),
    "empty": ("files of 0 bytes", "copy or download them again"),
    "truncated": ("files that are cut off", "copy or download them again"),
    "damaged": ("damaged files", "copy them again, or re-encode what can be saved"),
    "audio_only": ("files with sound and no picture", "take the versions with a picture"),
    "no_video": ("files without a video stream", "replace them"),
    "no_frame": ("clips of zero duration: not one frame can be seen", "replace them"),
    "span": ("spans (start_s, end_s) without a frame", "correct the annotation"),
    "too_slow": ("clips that take too long to decode", "shorten or re-encode them"),
    "crash": ("clips on which the decoder crashes", "re-encode them"),
    "unreadable": ("files that are no clip", "replace them"),
}


def unusable(faults: Sequence[tuple[Row, str]]) -> Iterator[Finding]:
    """faults: (row, kind)."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for row, kind in faults:
        by_kind[kind].append(row["id"])
    for kind, (what, remedy) in UNUSABLE.items():
        if by_kind[kind]:
            yield Finding(kind, "unusable", what, remedy, by_kind[kind])


def of_clips(clips: Sequence[Checked]) -> Iterator[Finding]:
    """What decoding shows of clips that can be read."""
    yield from _annotations(clips)
    yield from _durations(clips)
    uneven = [row["id"] for row, record in clips if record["uneven"]]
    short = [row["id"] for row, record in clips if record["short"]]
    hdr = [row["id"] for row, record in clips if record["hdr"]]
    remedy = "frames are chosen by time, so nothing is lost; annotations by frame number would be off"
    yield Finding("variable_rate", "note", "clips of a variable frame rate", remedy, uneven)
    remedy = "look at one: frames are hidden on purpose (cut without coding anew), or lost by damage"
    yield Finding("short", "note", "clips with fewer frames, or less time, than their header tells", remedy, short)
    remedy = "their colours come out pale; convert them to SDR (tone mapping) if others are SDR"
    yield Finding("hdr", "wrong", "clips in HDR (PQ or HLG)", remedy, hdr)


def _annotations(clips: Sequence[Checked]) -> Iterator[Finding]:
    counts, behind = [], []
    for row, record in clips:
        told = row.get("num_frames")
        if told is not None and str(told).strip() != str(record["frames"]):
            counts.append(f"{row['id']}: {told} annotated, {record['frames']} there")
        if record["seconds"] is None:
            continue
        end_s = (row.get("start_s") or 0.0) + record["seconds"]
        slack_s = SLACK_FRAMES * record["seconds"] / record["frames"]
        late = [name for name in ("onset_s", "apex_s", "offset_s", "end_s") if (row.get(name) or 0.0) > end_s + slack_s]
        if late:
            behind.append(f"{row['id']}: {late[0]} {row[late[0]]:g}, the clip ends at {end_s:g} s")
    remedy = "compare with the official files: re-encoded copies may have lost frames"
    yield Finding("frame_count", "wrong", "clips without the annotated number of frames (num_frames)", remedy, counts)
    yield Finding("behind_the_end", "wrong", "annotated times behind the end of the clip", "correct the times", behind)


def _durations(clips: Sequence[Checked]) -> Iterator[Finding]:
    timed = [(row, record["seconds"]) for row, record in clips if record["seconds"] is not None]
    usual_s = median([seconds for _, seconds in timed]) if timed else 0.0
    far = [
        f"{row['id']}: {seconds:g} s" for row, seconds in timed if seconds > FAR * usual_s or seconds * FAR < usual_s
    ]
    what = f"clips {FAR:g} times as long, or as short, as the usual {usual_s:.3g} s"
    yield Finding("duration", "wrong", what, "see whether they were cut as annotated", far)


def gaps(rows: Sequence[Row]) -> Finding:
    """Frame folders whose numbers skip some. Names that differ in more than one number are not judged."""
    found = []
    for row in rows:
        names = [os.path.basename(path) for path in row["media"]]
        numbers = _numbers(names)
        if numbers is None:
            continue
        steps = [after - before for before, after in itertools.pairwise(numbers)]
        usual = Counter(steps).most_common(1)[0][0]
        odd = [place for place, step in enumerate(steps) if step != usual]
        if odd:
            found.append(f"{row['id']}: {names[odd[0] + 1]} follows {names[odd[0]]}")
    remedy = "extract the frames again: a clip with lost frames has a wrong clock"
    return Finding("gaps", "wrong", "frame folders with gaps in their numbers", remedy, found)


def _numbers(names: Sequence[str]) -> list[int] | None:
    """The one number in which the names differ, of each; None where there are few names, or more that differs."""
    cut = [re.split(r"(\d+)", name) for name in names]
    if len(names) < 3 or len({len(parts) for parts in cut}) > 1:
        return None
    differ = [place for place in range(len(cut[0])) if len({parts[place] for parts in cut}) > 1]
    return [int(parts[differ[0]]) for parts in cut] if len(differ) == 1 and differ[0] % 2 else None


def without_rows(rows: Sequence[Row], root: Path, *, everywhere: bool) -> Finding:
    """Clips below `root` that no row names: in the folders that hold a row's clip, or in all of them."""
    named = {os.path.abspath(path) for row in rows for path in row["media"]}
    top = os.path.abspath(root)
    if everywhere:
        folders = [folder for folder, _, _ in os.walk(top)]
    else:
        folders = sorted({os.path.dirname(path) for path in named if path.startswith(top + os.sep)})
    found = []
    for folder in folders:
        if any(part.startswith(".") for part in Path(folder).relative_to(top).parts):
            continue
        with os.scandir(folder) as entries:
            found += [os.path.relpath(e.path, top) for e in entries if _is_clip(e.name) and e.path not in named]
    remedy = "add rows for them, or move them away"
    return Finding("without_rows", "note", "files without a row", remedy, sorted(found))


def _is_clip(name: str) -> bool:
    hidden = name.startswith(".") or name.lower() in LITTER
    return not hidden and os.path.splitext(name)[1].lower() in PICTURES | VIDEOS
