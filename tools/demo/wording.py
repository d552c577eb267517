"""The sentences of the pretraining; recipes that send the same words meet the model where it was trained."""

from __future__ import annotations

from collections.abc import Sequence

QUESTION_VIDEO = "Which emotion does the person in the video show?"  # for a video, or several images of one
QUESTION_PICTURE = "Which emotion does the person in the picture show?"
QUESTION_CAPTION = "Describe the face."


def choices(names: Sequence[str]) -> str:
    """The class list that may follow a question."""
    return f" Choose one of: {', '.join(names)}."


def between(caption: str) -> str:
    """A text that stands between two frames and tells what the frames left out."""
    return f"Then: {caption}\n"


def stamp(time_s: float) -> str:
    """The text before an image that tells its time in the clip."""
    return f"{time_s:.2f} s: "
