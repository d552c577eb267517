"""What the model is asked: frames and texts in time order, then the question, as one chat turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm import UserError
from emovlm.lookup import near_miss
from emovlm.prompts.arrangement import WHOLE, GapTexts

if TYPE_CHECKING:
    from emovlm.frames.decode import Clip
    from emovlm.recipe import Prompt

QUESTIONS = {
    "emotion_video": "Which emotion does the person in the video show?",
    "emotion_image": "Which emotion does the person in the picture show?",
    "describe_face": "Describe the face.",
}
GAP_TEXT = "Then: {text}\n"
WHOLE_TEXT = "Overall: {text}\n"
TIME_MARK = "{time_s:.2f} s: "
# A clock in microseconds states uneven frame times exactly, whatever the rate of the file.
TICKS_PER_S = 1_000_000


def question_text(prompt: Prompt, classes: Sequence[str]) -> str:
    """The question by name or as written, with the class list where the recipe asks for it."""
    text = QUESTIONS.get(prompt.question, prompt.question)
    if text == prompt.question and " " not in text.strip():
        raise UserError(
            f"prompt.question: '{prompt.question}' is no known name and no sentence; {near_miss(text, QUESTIONS)}"
        )
    return f"{text} Choose one of: {', '.join(classes)}." if prompt.list_classes and classes else text


def user_turn(
    clip: Clip, question: str, *, as_video: bool, time_marks: bool, gap_texts: GapTexts
) -> list[dict[str, Any]]:
    """-> the conversation up to the answer. Pictures and videos are placeholders; the processor is given the pixels.

    gap_texts: texts by gap, where gap k lies between frame k and frame k + 1 (-1: before the first; WHOLE: at the end).
    Without any frame the texts stand alone, in the order of their gaps.
    """
    if as_video:
        return _turn([{"type": "video"}], question)
    marked = time_marks and clip.timed and len(clip.times_s_T) > 1
    content: list[dict[str, Any]] = []
    for k in range(-1, max(len(clip.times_s_T), *(gap + 1 for gap in gap_texts), 0)):
        if 0 <= k < len(clip.times_s_T):
            if marked:
                content.append(_text(TIME_MARK.format(time_s=clip.times_s_T[k])))
            content.append({"type": "image"})
        content += [_text(GAP_TEXT.format(text=text)) for text in gap_texts.get(k, ())]
    content += [_text(WHOLE_TEXT.format(text=text)) for text in gap_texts.get(WHOLE, ())]
    return _turn(content, question)


def clock(times_s_T: np.ndarray) -> dict[str, Any]:
    """`video_metadata` for a processor that is given frames chosen beforehand.

    Families that read single times get each frame's own; families that read one rate (Qwen2.5-VL) get the mean rate of
    the chosen frames. Without it a processor assumes 24 frames a second and its temporal positions collapse.
    """
    ticks_T = np.rint(np.asarray(times_s_T, dtype=float) * TICKS_PER_S).astype(int)
    num_frames = len(ticks_T)
    span = int(ticks_T[-1] - ticks_T[0])
    # Sampled rate = frames / total * fps. The total is rounded up: a rate a hair too high would, through truncation,
    # lose a whole temporal position.
    total = -(-span * num_frames // (num_frames - 1)) if num_frames > 1 else TICKS_PER_S
    return {"total_num_frames": total, "fps": float(TICKS_PER_S), "frames_indices": ticks_T.tolist()}


def _turn(content: list[dict[str, Any]], question: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*content, _text(question)]}]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
