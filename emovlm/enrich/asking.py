"""What a model is asked about a strip: frames and notes in time order, then the question of the stage."""

from __future__ import annotations

import numpy as np

from emovlm import UserError
from emovlm.enrich.strip import Strip
from emovlm.lookup import near_miss
from emovlm.prompts.messages import GAP_TEXT, QUESTIONS, TIME_MARK

# An emotion that a captioner names would be an answer and no trajectory.
BY_STAGE = {
    "frame": "Describe this face in at most {max_words} words: what brows, eyes, nose and mouth do, and where it "
    "looks. Name no emotion.",
    "gap": "These pictures follow each other within a moment of a video. Describe in at most {max_words} words how the "
    "face moves: brows, eyes, nose, mouth, head. Name no emotion.",
    "summary": "The notes tell what was seen between two pictures of a video. Say in at most {max_words} words what "
    "the face did in between. Name no emotion.",
    "trajectory": "The pictures and notes follow a face through a video. Say in one sentence of at most {max_words} "
    "words how it moves from the beginning to the end. Name no emotion.",
}


def question_of(stage: str, asked: str | None, max_words: int | None) -> str:
    """The stage's own question, one of prompts/messages.py by name, or the user's text, which may hold {max_words}.

    Raises UserError for a word that is no name.
    """
    text = BY_STAGE[stage] if asked is None else QUESTIONS.get(asked, asked)
    if " " not in text.strip():
        raise UserError(f"enrich.question: '{asked}' is no known name and no sentence; {near_miss(text, QUESTIONS)}")
    return text.replace("{max_words}", str(max_words or 40))


def content_of(strip: Strip, question: str) -> list[str | np.ndarray]:
    """Texts and frames (HWC) as they follow each other. Times are told where a clip has them and there are several."""
    items: list[tuple[float, int, str | np.ndarray]] = [
        (float(time_s), 0, frame_HWC) for time_s, frame_HWC in zip(strip.times_s_T, strip.frames_THWC, strict=True)
    ]
    items += [(time_s, 1, GAP_TEXT.format(text=text)) for time_s, text in strip.notes]
    content: list[str | np.ndarray] = []
    for time_s, _, item in sorted(items, key=lambda item: item[:2]):
        if strip.timed and len(strip.times_s_T) > 1 and not isinstance(item, str):
            content.append(TIME_MARK.format(time_s=time_s))
        content.append(item)
    return [*content, question]
