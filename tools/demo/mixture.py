"""The pretraining mixture: which samples, how many of each kind, in which words.

Every step has samples of one kind (equal shapes pad little). The naming of emotions is head-heavy on purpose: it
stands for web-scale data, whose bias towards common emotions is what the demo study is about.
Legend: N samples, T frames, A action units, C emotions, V pictures of a batch as the vision tower counts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.demo import wording
from tools.demo.action_units import EMOTIONS, caption
from tools.demo.batches import Image, Sample, Video
from tools.demo.corpus import FPS, TIMES_S_T, Clips, Frames

# happy, sad, neutral, angry, surprise, disgust, fear: how often naming meets each class.
NAMING_C = np.array([0.38, 0.14, 0.26, 0.12, 0.07, 0.006, 0.024])
# kind -> (share of the steps, samples a step and process)
KINDS = {
    "caption": (0.42, 24),
    "clip_caption": (0.14, 24),
    "picture": (0.06, 16),
    "video": (0.12, 8),
    "images": (0.06, 8),
    "keyframes": (0.06, 12),
    "interleaved": (0.10, 8),
    "text": (0.04, 24),
}
NUM_FRAMES = len(TIMES_S_T)


@dataclass(frozen=True)
class Draw:
    """A batch to be, and the strengths of action units in each picture (a video's pairs are averaged)."""

    samples: list[Sample]
    strengths_VA: np.ndarray | None


def uniform(count: int) -> np.ndarray:
    """Middles of `count` equal parts of the clip, as frame numbers."""
    return np.round((np.arange(count) + 0.5) * NUM_FRAMES / count).astype(int).clip(0, NUM_FRAMES - 1)


class Mixture:
    """Draws batches from the corpus; all randomness comes from `rng`."""

    def __init__(self, frames: Frames, clips: Clips, rng: np.random.Generator, naming_C: np.ndarray = NAMING_C) -> None:
        self.frames, self.clips, self.rng, self.naming_C = frames, clips, rng, naming_C / naming_C.sum()
        self.named_N = np.flatnonzero(frames.emotion_N >= 0)
        self.frame_share_N = self._shares(frames.emotion_N[self.named_N])
        self.clip_share_N = self._shares(clips.emotion_N)

    def _shares(self, emotion_N: np.ndarray) -> np.ndarray:
        share_N = self.naming_C[emotion_N] / np.bincount(emotion_N, minlength=len(EMOTIONS))[emotion_N]
        return share_N / share_N.sum()

    def draw(self, kind: str) -> Draw:
        """One batch of a kind of KINDS."""
        count = KINDS[kind][1]
        if kind == "caption":
            return self._caption(self.frames.frames_NHWC, self.frames.strengths_NA, count)
        if kind == "clip_caption":
            return self._clip_caption(count)
        if kind == "picture":
            return self._picture(count)
        if kind == "text":
            return self._text(count)
        return self._clip(kind, count)

    def augment(self, frames: np.ndarray) -> np.ndarray:
        """Mirrors half of the time and changes exposure, alike for all frames of a clip."""
        if self.rng.random() < 0.5:
            frames = frames[..., ::-1, :]
        exposed = frames.astype(np.float32) * self.rng.uniform(0.85, 1.12) + self.rng.uniform(-12, 12)
        return exposed.clip(0, 255).astype(np.uint8)

    def _question(self, question: str) -> str:
        """The question, with the class list in a third of the samples, its order shuffled."""
        if self.rng.random() < 1 / 3:
            return question + wording.choices([EMOTIONS[c] for c in self.rng.permutation(len(EMOTIONS))])
        return question

    def _caption(self, pictures_NHWC: np.ndarray, strengths_NA: np.ndarray, count: int) -> Draw:
        chosen = np.sort(self.rng.choice(len(pictures_NHWC), count, replace=False))
        samples = [
            Sample([Image(self.augment(pictures_NHWC[i])), wording.QUESTION_CAPTION], caption(strengths_NA[i]))
            for i in chosen
        ]
        return Draw(samples, strengths_NA[chosen])

    def _clip_caption(self, count: int) -> Draw:
        """Frames of clips, so that captions of half-shown expressions under H.264 are learnt too."""
        chosen, at = self.rng.integers(len(self.clips.emotion_N), size=count), self.rng.integers(NUM_FRAMES, size=count)
        strengths_VA = self.clips.strengths_NTA[chosen, at]
        samples = [
            Sample([Image(self.augment(self.clips.frames_NTHWC[i, t])), wording.QUESTION_CAPTION], caption(strengths_A))
            for i, t, strengths_A in zip(chosen, at, strengths_VA, strict=True)
        ]
        return Draw(samples, strengths_VA)

    def _picture(self, count: int) -> Draw:
        chosen = self.rng.choice(self.named_N, count, p=self.frame_share_N)
        samples = [
            Sample(
                [Image(self.augment(self.frames.frames_NHWC[i])), self._question(wording.QUESTION_PICTURE)],
                EMOTIONS[self.frames.emotion_N[i]],
            )
            for i in chosen
        ]
        return Draw(samples, self.frames.strengths_NA[chosen])

    def _text(self, count: int) -> Draw:
        samples = []
        for i in self.rng.choice(self.named_N, count, p=self.frame_share_N):
            told = wording.between(caption(self.frames.strengths_NA[i]))
            question = wording.QUESTION_VIDEO if self.rng.random() < 0.5 else wording.QUESTION_PICTURE
            samples.append(Sample([told + self._question(question)], EMOTIONS[self.frames.emotion_N[i]]))
        return Draw(samples, None)

    def _clip(self, kind: str, count: int) -> Draw:
        """Naming from a clip as a video, as several images, as few keyframes, or as keyframes and texts.

        Numbers of frames are drawn once a batch, so that its samples pad little.
        """
        chosen = self.rng.choice(len(self.clips.emotion_N), count, p=self.clip_share_N)
        sizes = {"video": (8, 8, 8, 6, 4), "images": (8, 6, 5, 4), "keyframes": (3, 4), "interleaved": (3, 4)}[kind]
        at = uniform(int(self.rng.choice(sizes)))
        samples = []
        for i in chosen:
            frames_THWC, strengths_TA = self.augment(self.clips.frames_NTHWC[i]), self.clips.strengths_NTA[i]
            if kind == "video":
                frame_s = float(TIMES_S_T[at[-1]] - TIMES_S_T[at[0]]) / (len(at) - 1)
                items = [Video(frames_THWC[at], frame_s)]
            else:
                items = self._images(frames_THWC, strengths_TA if kind == "interleaved" else None, at)
            answer = EMOTIONS[self.clips.emotion_N[i]]
            samples.append(Sample([*items, self._question(wording.QUESTION_VIDEO)], answer))
        strengths_NTA = self.clips.strengths_NTA[chosen][:, at]
        if kind == "video":
            strengths_NTA = strengths_NTA.reshape(count, len(at) // 2, 2, -1).mean(2)
        return Draw(samples, strengths_NTA.reshape(-1, strengths_NTA.shape[-1]))

    def _images(self, frames_THWC: np.ndarray, strengths_TA: np.ndarray | None, at: np.ndarray) -> list:
        """Images at the frames `at`, with their times half of the time; where strengths are given, one to four texts
        in every gap tell of frames in between, with a unit in ten left out, as a describer would."""
        stamped, texts_per_gap = self.rng.random() < 0.5, int(self.rng.integers(1, 5))
        items: list[Image | str] = []
        for number, frame in enumerate(at):
            if number and strengths_TA is not None:
                skipped = np.arange(at[number - 1] + 1, frame)
                told = np.sort(self.rng.choice(skipped, min(texts_per_gap, len(skipped)), replace=False))
                for other in told:
                    seen_A = strengths_TA[other] * (self.rng.random(strengths_TA.shape[1]) > 0.1)
                    items.append(wording.between(caption(seen_A)))
            if stamped:
                items.append(wording.stamp(frame / FPS))
            items.append(Image(frames_THWC[frame]))
        return items
