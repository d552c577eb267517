"""A few clips for the page: their frames as the model saw them, and what every arm answered."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from emovlm import UserError
from emovlm.prompts.arrangement import WHOLE
from emovlm.report.folders import load_predictions
from emovlm.report.records import Prediction, Study
from emovlm.report.tables import ordered_arms

# (media, choose, max_pixels=...) -> a clip with frames_THWC, times_s_T and timed: emovlm.frames.decode.read.
Read = Callable[..., Any]
MOST_CLIPS, MOST_FRAMES, MAX_PIXELS = 6, 8, 160 * 160


@dataclass(frozen=True)
class Bar:
    name: str
    share: float  # softmax of the scores
    is_target: bool
    is_answer: bool


@dataclass(frozen=True)
class Answer:
    arm: str
    name: str  # the class, or "unreadable"
    right: bool
    bars: tuple[Bar, ...]  # head to tail; empty for a scorer without scores
    texts: tuple[tuple[str, str], ...]  # (between which frames, the text), in the order of the prompt


@dataclass(frozen=True)
class ShownClip:
    id: str
    target: str
    is_tail: bool
    frames: tuple[tuple[str, str], ...]  # (data URI, time as text)
    num_frames: int  # which the model was given
    note: str | None  # why there are no frames
    frames_of: str | None  # the arm whose frames they are, where arms looked at others
    answers: tuple[Answer, ...]


def rule(study: Study) -> str:
    """How `shown` picks, in words for the page."""
    what = "which was answered wrongly" if study.single else "on which the arms disagree"
    return (
        f"Picked by rule, not by eye: for each tail class, and for the class with the most training clips, the first "
        f"clip by id {what}; where there is none, the first clip of the class. At most {MOST_CLIPS} clips, rarest "
        f"classes first."
    )


def shown(study: Study, key: str, read: Read) -> list[ShownClip]:
    """The clips of `rule`, answered by each arm's first seed.

    A clip which cannot be read any more (a data set that moved) is shown without frames, and the page says why.
    """
    evaluation = study.arms[0].runs[0].evaluations[key]
    order = evaluation.head_to_tail
    files = {arm.name: load_predictions(arm.runs[0], key) for arm in ordered_arms(study)}
    by_arm = {name: {row.id: row for row in rows} for name, (_, rows) in files.items()}
    classes = next(iter(files.values()))[0]
    wanted = [evaluation.classes[c] for c in reversed(order) if evaluation.classes[c] in evaluation.tail]
    wanted = [*wanted[: MOST_CLIPS - 1], evaluation.classes[order[0]]]
    index = {name: place for place, name in enumerate(classes)}
    found = []
    for target in dict.fromkeys(wanted):
        row_id = _first(target, by_arm, index[target])
        if row_id is None:
            continue
        first = next(iter(by_arm))
        row = by_arm[first][row_id]
        differ = len({(rows[row_id].times_s, rows[row_id].crop) for rows in by_arm.values()}) > 1
        frames, note = _frames(row, read)
        names = [evaluation.classes[c] for c in order]
        answers = tuple(_answer(arm, rows[row_id], classes, names) for arm, rows in by_arm.items())
        is_tail = target in evaluation.tail
        found.append(
            ShownClip(row_id, target, is_tail, frames, len(row.times_s), note, first if differ else None, answers)
        )
    return found


def _first(target: str, by_arm: dict[str, dict[str, Prediction]], target_c: int) -> str | None:
    some = next(iter(by_arm.values()))
    candidates = sorted(row.id for row in some.values() if row.target == target)
    candidates = [row_id for row_id in candidates if all(row_id in rows for rows in by_arm.values())]
    for row_id in candidates:
        given = {rows[row_id].answer for rows in by_arm.values()}
        if len(given) > 1 or (len(by_arm) == 1 and given != {target_c}):
            return row_id
    return candidates[0] if candidates else None


def _answer(arm: str, row: Prediction, classes: Sequence[str], names: Sequence[str]) -> Answer:
    index = {name: place for place, name in enumerate(classes)}
    name = classes[row.answer] if row.answer >= 0 else "unreadable"
    bars: tuple[Bar, ...] = ()
    if row.scores_C:
        scores_C = np.array(row.scores_C, dtype=float)
        shares_C = np.exp(scores_C - scores_C.max())
        shares_C /= shares_C.sum()
        bars = tuple(Bar(one, float(shares_C[index[one]]), one == row.target, one == name) for one in names)
    return Answer(arm, name, name == row.target, bars, _texts(row))


def _texts(row: Prediction) -> tuple[tuple[str, str], ...]:
    def place(gap: int) -> str:
        if gap == WHOLE:
            return "whole clip"
        ends = (f"{time:.2f} s" for time in row.times_s[max(gap, 0) : gap + 2])
        return {-1: "before ", len(row.times_s) - 1: "after "}.get(gap, "") + " to ".join(ends)

    by_gap = sorted((int(gap), told) for gap, told in row.texts.items())
    return tuple((place(gap), text) for gap, told in by_gap for text in told)


def _frames(row: Prediction, read: Read) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """JPEG data URIs of the frames the model saw (evenly thinned to MOST_FRAMES), or a note why there are none."""
    if not row.media or not row.times_s:
        return (), "The predictions name no media or no times."
    kept = np.unique(np.linspace(0, len(row.times_s) - 1, min(MOST_FRAMES, len(row.times_s))).round().astype(int))
    asked_s = np.array(row.times_s)[kept]

    def choose(times_s_T: np.ndarray, span_s: tuple[float, float]) -> np.ndarray:
        return np.unique(np.abs(np.asarray(times_s_T)[:, None] - asked_s[None, :]).argmin(0))

    left, top, right, bottom = row.crop or (0.0, 0.0, 1.0, 1.0)
    try:
        asked = {"start_s": row.start_s, "end_s": row.end_s, "fps": row.fps}
        pixels = round(MAX_PIXELS / ((right - left) * (bottom - top)))
        clip = read(list(row.media), choose, **asked, max_pixels=pixels)
    except UserError as error:
        # The page may be read by people to whom the paths of this machine say nothing, or too much.
        reason = str(error)
        for path in row.media:
            reason = reason.replace(str(path), str(path).replace("\\", "/").rsplit("/", 1)[-1])
        return (), f"Frames cannot be shown: {reason}"
    stamps = [f"{time:.2f} s" if clip.timed else f"{place + 1}" for place, time in enumerate(clip.times_s_T)]
    height, width = clip.frames_THWC.shape[1:3]
    part = slice(int(top * height), round(bottom * height)), slice(int(left * width), round(right * width))
    shown = zip(clip.frames_THWC, stamps, strict=True)
    return tuple((_data_uri(np.ascontiguousarray(frame[part])), stamp) for frame, stamp in shown), None


def _data_uri(frame_HWC: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(frame_HWC).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
