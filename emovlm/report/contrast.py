"""The study's named contrast, and every arm's scores as means over its seeds.

C: classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from emovlm.metrics import recognition
from emovlm.metrics.uncertainty import Statistic
from emovlm.report.answers import Answers, Difference, basis, difference, match, resampled, seed_mean_interval
from emovlm.report.folders import predictions_file, run_predictions
from emovlm.report.records import METRICS, Arm, Evaluation, Score, Study


@dataclass(frozen=True)
class Contrast:
    """`first` minus `second`, metric by metric, each a mean over seeds; `basis`: what was resampled and swapped."""

    first: str
    second: str
    differences: dict[str, Difference]
    num_clips: int
    basis: str


def contrast(study: Study, key: str) -> Contrast | None:
    """The named contrast on the evaluation `key`; None where the study names none.

    Errors: UserError where the two arms were not scored on the same clips.
    """
    if study.contrast is None:
        return None
    first, second = study.contrast
    answers = answers_of([study.arm(first), study.arm(second)], key)
    statistics = statistics_of(study.arm(first).runs[0].evaluations[key])
    differences = {metric: difference(answers, first, second, statistics[metric]) for metric in METRICS}
    return Contrast(first, second, differences, len(answers.targets_N), basis(answers, first, second))


@dataclass(frozen=True)
class ArmScores:
    """Scores by name, and the recall of each class (None: no clips). resampled: what the intervals are over."""

    scores: dict[str, Score]
    recall_C: list[Score | None]
    resampled: str


def arm_scores(arm: Arm, key: str) -> ArmScores:
    """Of one run as its file has them; of several the mean over seeds, resampled over subjects (or clips) and seeds."""
    evaluations = [run.evaluations[key] for run in arm.runs]
    if len(evaluations) == 1:
        only = evaluations[0]
        return ArmScores(dict(only.scores), list(only.recall_C), only.interval)
    answers = answers_of([arm], key)
    statistics = statistics_of(evaluations[0])

    def statistic(counts: np.ndarray) -> np.ndarray:
        single = np.stack([one(counts) for one in statistics.values()], axis=-1)
        return np.concatenate([single, recognition.recall_C(counts)], axis=-1)

    spans = list(zip(*seed_mean_interval(answers, arm.name, statistic), strict=True))
    scores = {}
    for name, span in zip(statistics, spans, strict=False):
        if all(name in one.scores for one in evaluations):
            scores[name] = Score(float(np.mean([one.scores[name].value for one in evaluations])), *map(float, span))
    by_class = zip(zip(*(one.recall_C for one in evaluations), strict=True), spans[len(statistics) :], strict=True)
    return ArmScores(scores, [_recall(seeds, span) for seeds, span in by_class], resampled(answers))


def _recall(seeds: Sequence[Score | None], span: tuple[float, float]) -> Score | None:
    values = [one.value for one in seeds if one is not None]
    return Score(float(np.mean(values)), *map(float, span)) if values else None


def answers_of(arms: Sequence[Arm], key: str) -> Answers:
    """Errors: UserError where the arms were not scored on the same clips."""
    return match(
        {arm.name: [(predictions_file(run, key), run_predictions(run, key)) for run in arm.runs] for arm in arms}
    )


def statistics_of(evaluation: Evaluation) -> dict[str, Statistic]:
    """METRICS and FURTHER as functions of count tables."""
    tail_C = np.array([name in evaluation.tail for name in evaluation.classes])
    groups_C = np.array(evaluation.groups_C or recognition.groups(np.array(evaluation.train_counts_C)))

    def group_recall(counts: np.ndarray, group: str) -> np.ndarray:
        return recognition.group_recall(counts, groups_C)[..., recognition.GROUPS.index(group)]

    return {
        "war": recognition.war,
        "uar": recognition.uar,
        "macro_f1": recognition.macro_f1,
        "tail_recall": partial(recognition.tail_recall, is_tail_C=tail_C),
        "weighted_f1": recognition.weighted_f1,
        **{group: partial(group_recall, group=group) for group in recognition.GROUPS},
    }
