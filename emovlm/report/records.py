"""What the files of a run or study folder say, as frozen dataclasses.

C: classes, in the order of the run's files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

METRICS = ("war", "uar", "macro_f1", "tail_recall")


@dataclass(frozen=True)
class Score:
    """A number in [0, 1] with its 95 % interval over clips."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """One entry of `evaluations` in a run's report.json, e.g. "test-likelihood"."""

    key: str
    num_clips: int
    num_unlabelled: int  # left out of everything below
    classes: tuple[str, ...]
    support_C: tuple[int, ...]
    train_counts_C: tuple[int, ...]
    tail: tuple[str, ...]
    scores: Mapping[str, Score]  # keys: METRICS
    recall_C: tuple[Score | None, ...]  # None: no clip of the class in this split
    confusion: tuple[tuple[int, ...], ...]  # rows: targets; columns: answers (an unreadable one is in no column)
    predicted_C: tuple[int, ...]
    unreadable: int
    num_classes_present: int
    interval: str

    @property
    def split(self) -> str:
        return self.key.split("-", 1)[0]


@dataclass(frozen=True)
class Epoch:
    number: int
    asked_C: tuple[float, ...]  # proportions
    drawn_C: tuple[int, ...]  # samples
    distinct_C: tuple[int, ...]  # clips
    most_repeated: int  # draws of the clip that was drawn most


@dataclass(frozen=True)
class Ledger:
    """What the sampler was asked for and what reached the model's forward pass. None: not in a file this old."""

    classes: tuple[str, ...]
    strategy: str
    available_C: tuple[int, ...]  # clips
    asked_C: tuple[float, ...]  # proportions
    drawn_C: tuple[int, ...]  # samples
    distinct_C: tuple[int, ...]  # clips
    most_draws_C: tuple[int, ...] | None  # draws of the clip that was drawn most
    effective_epochs_C: tuple[float, ...] | None
    class_weights_C: tuple[float, ...] | None
    effective_prior_C: tuple[float, ...] | None  # proportions: drawn times weight
    epochs: tuple[Epoch, ...]  # those with a draw
    num_steps: int
    global_batch: int


@dataclass(frozen=True)
class Prediction:
    """One row of predictions.jsonl."""

    id: str
    target: str | None
    media: tuple[str, ...]
    scores_C: tuple[float, ...]  # log-likelihoods; empty for a scorer that gives none
    parsed: str | None
    times_s: tuple[float, ...]
    start_s: float | None
    end_s: float | None


@dataclass(frozen=True)
class Run:
    folder: Path
    seed: int
    name: str
    recipe: Mapping[str, Any]
    recipe_text: str
    env: Mapping[str, Any]
    selected_on: str | None  # the split on which a checkpoint or a setting was chosen
    train: Mapping[str, Any] | None
    ledger: Ledger | None
    log: tuple[Mapping[str, Any], ...]
    evaluations: Mapping[str, Evaluation]


@dataclass(frozen=True)
class Arm:
    name: str
    zero_shot: bool
    control: bool
    overrides: tuple[str, ...]
    runs: tuple[Run, ...]  # one a seed


@dataclass(frozen=True)
class Study:
    """A study folder; or a single run, as a study of one arm without control and contrast."""

    folder: Path
    name: str
    single: bool
    contrast: tuple[str, str] | None
    definition_text: str  # study.yaml as it is on disk; empty for a single run
    recipe_name: str | None
    command: str | None  # what the user typed, where the study wrote it down
    arms: tuple[Arm, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted({run.seed for arm in self.arms if not arm.zero_shot or self.single for run in arm.runs}))

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def evaluation_keys(self) -> tuple[str, ...]:
        """The evaluations which every run has, those on the test split first."""
        runs = [run for arm in self.arms for run in arm.runs]
        shared = [key for key in runs[0].evaluations if all(key in run.evaluations for run in runs)]
        return tuple(sorted(shared, key=lambda key: not key.startswith("test-")))
