"""A few clips for the page: their frames as the model saw them, and what every arm answered."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
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
MOST_CLIPS, NUM_HARDEST, MOST_FRAMES, MAX_PIXELS = 6, 4, 8, 160 * 160


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


@dataclass(frozen=True)
class Strip:
    """Clips picked by one rule, which `rule` says in words. `name`: of its section on the page."""

    name: str
    heading: str
    rule: str
    clips: tuple[ShownClip, ...]


def strips(study: Study, key: str, read: Read) -> list[Strip]:
    """The clips of both rules, answered by each arm's first seed; a rule that picks none has no strip.

    A clip which cannot be read any more (a data set that moved) is shown without frames, and the page says why.
    """
    files = {arm.name: load_predictions(arm.runs[0], key) for arm in ordered_arms(study)}
    by_arm = {name: {row.id: row for row in rows} for name, (_, rows) in files.items()}
    classes = next(iter(files.values()))[0]
    judge = _judge(study)
    shared = {row_id: row for row_id, row in by_arm[judge].items() if all(row_id in rows for rows in by_arm.values())}
    what = "which was answered wrongly" if study.single else "on which the arms disagree"
    by_rule = (
        (
            "clips",
            "A few clips",
            f"Picked by rule, not by eye: for each tail class, and for the class with the most training clips, the "
            f"first clip by id {what}; where there is none, the first clip of the class. At most {MOST_CLIPS} clips, "
            "rarest classes first.",
            _rare(study, key, by_arm, classes),
        ),
        (
            "hardest",
            "Hardest clips",
            f"The {NUM_HARDEST} clips to which {'the run' if study.single else judge} gave the lowest probability of "
            "their true class, hardest first. Look first whether the label is right.",
            hardest(shared, classes),
        ),
    )
    return [
        Strip(name, heading, rule, tuple(_clip(study, key, row_id, by_arm, classes, read, judge) for row_id in picked))
        for name, heading, rule, picked in by_rule
        if picked
    ]


def hardest(rows: Mapping[str, Prediction], classes: Sequence[str]) -> list[str]:
    """Ids of the clips with the lowest probability of their true class, hardest first, ties by id."""
    found = [
        (float(_shares(row.scores_C)[classes.index(row.target)]), row_id)
        for row_id, row in rows.items()
        if row.target is not None and row.scores_C
    ]
    return [row_id for _, row_id in sorted(found)[:NUM_HARDEST]]


def _judge(study: Study) -> str:
    """The control; where there is none, the first arm that was trained."""
    trained = [arm for arm in study.arms if not arm.zero_shot]
    return (study.control or [*trained, *study.arms][0]).name


def _rare(study: Study, key: str, by_arm: Mapping[str, Mapping[str, Prediction]], classes: Sequence[str]) -> list[str]:
    evaluation = study.arms[0].runs[0].evaluations[key]
    order = evaluation.head_to_tail
    wanted = [evaluation.classes[c] for c in reversed(order) if evaluation.classes[c] in evaluation.tail]
    wanted = [*wanted[: MOST_CLIPS - 1], evaluation.classes[order[0]]]
    found = [_first(target, by_arm, classes.index(target)) for target in dict.fromkeys(wanted)]
    return [row_id for row_id in found if row_id is not None]


def _clip(
    study: Study,
    key: str,
    row_id: str,
    by_arm: Mapping[str, Mapping[str, Prediction]],
    classes: Sequence[str],
    read: Read,
    judge: str,
) -> ShownClip:
    """Where arms looked at other frames, those of the judge are shown."""
    evaluation = study.arms[0].runs[0].evaluations[key]
    row = by_arm[judge][row_id]
    differ = len({(rows[row_id].times_s, rows[row_id].crop) for rows in by_arm.values()}) > 1
    frames, note = _frames(row, read)
    names = [evaluation.classes[c] for c in evaluation.head_to_tail]
    answers = tuple(_answer(arm, rows[row_id], classes, names) for arm, rows in by_arm.items())
    target = str(row.target)
    is_tail = target in evaluation.tail
    return ShownClip(row_id, target, is_tail, frames, len(row.times_s), note, judge if differ else None, answers)


def _first(target: str, by_arm: Mapping[str, Mapping[str, Prediction]], target_c: int) -> str | None:
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
        shares_C = _shares(row.scores_C)
        bars = tuple(Bar(one, float(shares_C[index[one]]), one == row.target, one == name) for one in names)
    return Answer(arm, name, name == row.target, bars, _texts(row))


def _shares(scores: Sequence[float]) -> np.ndarray:
    """The softmax of the scores."""
    scores_C = np.array(scores, dtype=float)
    shares_C = np.exp(scores_C - scores_C.max())
    return shares_C / shares_C.sum()


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
