"""What is asked about and what comes back: files as rows, and the answer to each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emovlm import UserError
from emovlm.data.sources.folder import PICTURES, VIDEOS, by_number
from emovlm.prompts.arrangement import WHOLE, GapTexts

# As in the files of `enrich.source: file`.
WHOLE_CLIP = "whole"


@dataclass(frozen=True)
class Answer:
    """What the model says of one clip, or `error`: why it could not be asked.

    answer: the class of the largest probability, or the one that was read in `text`. probabilities and scores by class;
    scores in nats, `raw` are those before a prior was taken off. times_s: of the frames looked at. texts: by gap, as
    they stood in the prompt; storyboard: both in order.
    """

    id: str
    start_s: float | None = None
    end_s: float | None = None
    answer: str | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    raw: Mapping[str, float] | None = None
    text: str | None = None
    times_s: Sequence[float] = ()
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    storyboard: Sequence[str] = ()
    error: str | None = None

    def record(self) -> dict[str, Any]:
        """As one line of JSON: without what does not apply."""
        if self.error is not None:
            return {"clip": self.id, "error": self.error}
        optional = {name: getattr(self, name) for name in ("start_s", "end_s", "raw", "text")}
        return {
            "clip": self.id,
            "answer": self.answer,
            "probabilities": dict(self.probabilities),
            "scores": dict(self.scores),
            "times_s": list(self.times_s),
            "texts": {gap: list(texts) for gap, texts in self.texts.items()},
            **{name: value for name, value in optional.items() if value is not None},
        }


def row(path: str | Path, start_s: float | None = None, end_s: float | None = None) -> dict[str, Any]:
    """A file, or a span of it, as a row without a label."""
    name = str(path) if start_s is None else f"{path} from {start_s:g} s"
    return {"id": name, "media": [str(path)], "label": None, "start_s": start_s, "end_s": end_s}


def files(paths: Iterable[str | Path]) -> list[str]:
    """The files themselves, and of a folder its videos and pictures (img2 before img10), none twice.

    A file that is not there stays in the list and is named when it is read. UserError for a folder without a clip.
    """
    found: list[str] = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(str(path))
            continue
        there = [file for file in path.iterdir() if file.suffix.lower() in VIDEOS | PICTURES and file.name[0] != "."]
        if not there:
            raise UserError(f"{path}: this folder holds no video and no picture")
        found += [str(file) for file in sorted(there, key=lambda file: by_number(file.name))]
    return list(dict.fromkeys(found))


def told_apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """(clips, overrides) of what stands behind a run on the command line: KEY=VALUE that is no file is an override."""
    overrides = [word for word in words if "=" in word and not Path(word).exists()]
    clips = [word for word in words if word not in overrides]
    if not clips:
        raise UserError("no clip is given; name a video, a picture or a folder of them behind the run")
    return clips, overrides


def named_gaps(texts: GapTexts) -> dict[str, list[str]]:
    return {WHOLE_CLIP if gap == WHOLE else str(gap): list(of_gap) for gap, of_gap in texts.items()}
