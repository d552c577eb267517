"""What the files of a run or study folder say, as frozen dataclasses.

C: classes, in the order of the run's files. What older files lack is None or empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emovlm.metrics.recognition import GROUPS
from emovlm.report.ledger import Ledger

METRICS = ("war", "uar", "macro_f1", "tail_recall")
FURTHER = ("weighted_f1", *GROUPS)


@dataclass(frozen=True)
class Score:
    """A number in [0, 1] with its 95 % interval; nan where there is nothing to score, or no interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho of the recalls with something else that a class has; None where it is not defined."""

    rho: float | None
    p: float | None
    num_classes: int


@dataclass(frozen=True)
class Collapse:
    """See metrics/collapse.py. recall_against: "training_share", "word_frequency"."""

    kl_to_truth: float | None
    evenness: float | None
    evenness_of_truth: float | None
    never_predicted: tuple[str, ...]
    recall_against: Mapping[str, Correlation]


@dataclass(frozen=True)
class Reliability:
    """One entry a bin of the confidence; None in an empty bin."""

    count: tuple[int, ...]
    confidence: tuple[float | None, ...]
    accuracy: tuple[float | None, ...]


@dataclass(frozen=True)
class Temperature:
    """Fitted on the validation split, and the scores at it."""

    value: float
    nll: float
    brier: float
    ece: float
    expected_ece: float | None = None


@dataclass(frozen=True)
class Calibration:
    """See metrics/calibration.py. classwise_ece: one a class."""

    nll: float
    brier: float
    ece: float
    expected_ece: float
    classwise_ece: tuple[float | None, ...]
    reliability: Reliability
    temperature: Temperature | None = None


@dataclass(frozen=True)
class Altered:
    """The scores on altered clips; uar_change: against the clips as they are."""

    war: float
    uar: float
    uar_change: float
    same_answer: float


@dataclass(frozen=True)
class Look:
    """altered: "blank", "shuffled", "reversed", "single_frame", "other_clip"."""

    altered: Mapping[str, Altered]
    ignores_video: bool


@dataclass(frozen=True)
class Worded:
    """The scores where every class goes by one of its words. words: class -> word; recall: one a class."""

    words: Mapping[str, str]
    uar: float
    recall: tuple[float | None, ...]


@dataclass(frozen=True)
class Orders:
    num_orders: int
    flip_rate: float


@dataclass(frozen=True)
class Soft:
    """Against the votes of several annotators: KL divergence in nats, cosine similarity."""

    kl: float
    cosine: float


@dataclass(frozen=True)
class Agreement:
    """How often the written answer names the class with the best score."""

    num_clips: int
    readable: int
    share: float
    share_of_readable: float | None


@dataclass(frozen=True)
class Right:
    """The share of some clips that is right, with its interval; None where it cannot be given."""

    num_clips: int
    value: float | None
    low: float | None
    high: float | None


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
    scores: Mapping[str, Score]  # keys: METRICS, and those of FURTHER that the file has
    recall_C: tuple[Score | None, ...]  # None: no clip of the class in this split
    confusion: tuple[tuple[int, ...], ...]  # rows: targets; columns: answers (an unreadable one is in no column)
    predicted_C: tuple[int, ...]
    unreadable: int
    num_classes_present: int
    interval: str  # what was resampled, in words
    groups_C: tuple[str, ...] = ()  # of GROUPS
    precision_C: tuple[float | None, ...] = ()
    f1_C: tuple[float | None, ...] = ()
    top2: float | None = None
    cut_off: int | None = None  # answers that met the token limit
    unread: Mapping[str, int] | None = None  # why answers could not be read -> how many
    collapse: Collapse | None = None
    calibration: Calibration | None = None
    look: Look | None = None
    words: Mapping[str, Worded] | None = None  # "frequent", "rare"
    orders: Orders | None = None
    soft: Soft | None = None
    agreement: Agreement | None = None
    cost: Mapping[str, float] | None = None  # a clip: frames, visual_tokens, tokens
    enrich: Mapping[str, float] | None = None  # making the texts of all clips: seconds, frames
    events: Mapping[str, Right] | None = None  # "hit", "missed", "no_event"
    protocol: Mapping[str, Any] = field(default_factory=dict)
    mean_of_folds: Mapping[str, float] = field(default_factory=dict)  # metric -> score, where that says something

    @property
    def split(self) -> str:
        return self.key.split("-", 1)[0]

    @property
    def head_to_tail(self) -> list[int]:
        """Class indices from the most to the fewest training clips; of a tie the tail comes last."""
        return sorted(range(len(self.classes)), key=lambda c: (-self.train_counts_C[c], self.classes[c] in self.tail))


@dataclass(frozen=True)
class Prediction:
    """One row of predictions.jsonl."""

    id: str
    target: str | None
    media: tuple[str, ...]
    scores_C: tuple[float, ...]  # log-likelihoods; empty for a scorer that gives none
    times_s: tuple[float, ...]
    start_s: float | None
    end_s: float | None
    fps: float | None  # the clock of pictures
    answer: int  # class index; -1: unreadable
    crop: tuple[float, ...] | None = None  # left, top, right, bottom as shares: the part that was shown
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by gap: "0" lies between frames 0 and 1


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
    folds: tuple["Run", ...] = ()  # the runs whose clips are pooled in this one; all else here is the first fold's

    @property
    def parts(self) -> tuple["Run", ...]:
        """The runs that were made: one a fold, or this one."""
        return self.folds or (self,)


@dataclass(frozen=True)
class Arm:
    name: str
    zero_shot: bool
    control: bool
    overrides: tuple[str, ...]
    runs: tuple[Run, ...]  # one a seed

    @property
    def parts(self) -> tuple[Run, ...]:
        """Every run that was made: one a seed and fold."""
        return tuple(part for run in self.runs for part in run.parts)


@dataclass(frozen=True)
class Study:
    """A study folder; or a single run, as a study of one arm without control and contrast; or runs side by side."""

    folder: Path
    name: str
    single: bool
    contrast: tuple[str, str] | None
    definition_text: str  # study.yaml as it is on disk; empty for a single run
    recipe_name: str | None
    command: str | None  # what the user typed, where the study wrote it down
    arms: tuple[Arm, ...]
    given: tuple[Path, ...] = ()  # the folders of runs side by side, one an arm

    @property
    def kind(self) -> str:
        return "runs" if self.given else "run" if self.single else "study"

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted({run.seed for arm in self.arms if not arm.zero_shot or self.single for run in arm.runs}))

    @property
    def num_seeds(self) -> int:
        """Of the arm that has the most."""
        return max(len(arm.runs) for arm in self.arms)

    @property
    def control(self) -> Arm | None:
        return next((arm for arm in self.arms if arm.control), None)

    @property
    def num_folds(self) -> int:
        """How many folds are pooled; 1 where none are."""
        return len(self.arms[0].runs[0].parts)

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def evaluation_keys(self) -> tuple[str, ...]:
        """The evaluations which every run has, those on the test split first."""
        runs = [run for arm in self.arms for run in arm.runs]
        shared = [key for key in runs[0].evaluations if all(key in run.evaluations for run in runs)]
        return tuple(sorted(shared, key=lambda key: not key.startswith("test-")))


def tails(study: Study, key: str) -> dict[frozenset[str], list[str]]:
    """Tail classes -> the arms whose tail they are; several where runs were trained on other clips."""
    found: dict[frozenset[str], list[str]] = {}
    for arm in study.arms:
        found.setdefault(frozenset(arm.runs[0].evaluations[key].tail), []).append(arm.name)
    return found
