"""The interval of a difference between two arms on the same clips: a paired bootstrap over clips.

C: classes. N: clips, in the order of their ids. R: runs of an arm, one a seed. D: bootstrap draws.
P = C + 1: answers, the last column unreadable. K: kinds of clips. X: whatever else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emovlm import UserError
from emovlm.metrics import recognition
from emovlm.report.folders import load_predictions
from emovlm.report.records import METRICS, Arm, Score, Study

NUM_DRAWS = 1000


@dataclass(frozen=True)
class Contrast:
    """`first` minus `second`, metric by metric, each a mean over seeds."""

    first: str
    second: str
    differences: dict[str, Score]
    num_clips: int


def contrast(study: Study, key: str) -> Contrast | None:
    """The study's named contrast on the evaluation `key`; None where the study names none.

    The clips are drawn once a draw for both arms and all seeds, so that what makes a clip hard cancels out.
    Errors: UserError where the two arms were not scored on the same clips.
    """
    if study.contrast is None:
        return None
    first, second = (study.arm(name) for name in study.contrast)
    answers_RN, ids, targets_N, classes = _answers([first, second], key)
    tail_C = _tail(first, key, classes)
    draws = resample(targets_N, answers_RN, tail_C)
    cut = len(first.runs)
    differences = {}
    for metric in METRICS:
        # The value comes from the files, so that the page never shows two versions of one number.
        value = _mean(first, key, metric) - _mean(second, key, metric)
        low, high = _interval(draws[metric][:, :cut].mean(1) - draws[metric][:, cut:].mean(1))
        differences[metric] = Score(value, low, high)
    return Contrast(first.name, second.name, differences, len(ids))


def seed_mean_intervals(arm: Arm, key: str) -> dict[str, tuple[float, float]]:
    """The 95 % interval over clips of the arm's mean over seeds, by metric."""
    answers_RN, _, targets_N, classes = _answers([arm], key)
    draws = resample(targets_N, answers_RN, _tail(arm, key, classes))
    return {metric: _interval(draws[metric].mean(1)) for metric in METRICS}


def resample(
    targets_N: np.ndarray, answers_RN: np.ndarray, tail_C: np.ndarray, num_draws: int = NUM_DRAWS, seed: int = 0
) -> dict[str, np.ndarray]:
    """Every metric of every run on `num_draws` samples of N clips with replacement: metric -> values_DR.

    `answers_RN`: class index, or -1 for an unreadable answer (wrong for every class).
    """
    num_classes, num_clips = len(tail_C), len(targets_N)
    # Clips with the same target and the same answer in every run are alike: draw kinds of clips instead of clips.
    kinds_XK, count_K = np.unique(np.vstack([targets_N, answers_RN]), axis=1, return_counts=True)
    drawn_DK = np.random.default_rng(seed).multinomial(num_clips, count_K / num_clips, size=num_draws)
    values: dict[str, list[np.ndarray]] = {metric: [] for metric in METRICS}
    for answers_K in kinds_XK[1:]:
        column_K = np.where(answers_K < 0, num_classes, answers_K)
        one_hot_KX = np.eye(num_classes * (num_classes + 1), dtype=np.int64)[kinds_XK[0] * (num_classes + 1) + column_K]
        counts_DCP = (drawn_DK @ one_hot_KX).reshape(num_draws, num_classes, num_classes + 1)
        values["war"].append(recognition.war(counts_DCP))
        values["uar"].append(recognition.uar(counts_DCP))
        values["macro_f1"].append(recognition.macro_f1(counts_DCP))
        values["tail_recall"].append(recognition.tail_recall(counts_DCP, tail_C))
    return {metric: np.stack(columns, axis=1) for metric, columns in values.items()}


def _answers(arms: Sequence[Arm], key: str) -> tuple[np.ndarray, list[str], np.ndarray, tuple[str, ...]]:
    """answers_RN over the runs of all arms, ids, targets_N, classes; clips matched by id, unlabelled ones left out."""
    answers, reference, classes = [], None, ()
    for run in (run for arm in arms for run in arm.runs):
        classes, rows = load_predictions(run, key)
        index = {name: place for place, name in enumerate(classes)}
        by_id = {row.id: row for row in rows if row.target is not None}
        targets = {row_id: index[str(by_id[row_id].target)] for row_id in sorted(by_id)}
        if reference is None:
            reference = targets
        elif targets != reference:
            raise UserError(
                f"{run.folder / 'eval' / key / 'predictions.jsonl'}: other clips or labels than the run it is compared "
                f"with ({len(targets)} against {len(reference)}); evaluate both on the same rows"
            )
        answers.append([answer(by_id[row_id].scores_C, by_id[row_id].parsed, index) for row_id in targets])
    assert reference is not None, "an arm has at least one run"
    return np.array(answers), list(reference), np.array(list(reference.values())), classes


def answer(scores_C: Sequence[float], parsed: str | None, index: dict[str, int]) -> int:
    """The class a row was given: the best score, else the parsed text; -1 where neither can be read."""
    if scores_C:
        return int(np.argmax(scores_C))
    return index.get(parsed, -1) if parsed is not None else -1


def _tail(arm: Arm, key: str, classes: tuple[str, ...]) -> np.ndarray:
    tail = arm.runs[0].evaluations[key].tail
    return np.array([name in tail for name in classes])


def _mean(arm: Arm, key: str, metric: str) -> float:
    return float(np.mean([run.evaluations[key].scores[metric].value for run in arm.runs]))


def _interval(values_D: np.ndarray) -> tuple[float, float]:
    low, high = np.nanpercentile(values_D, [2.5, 97.5])
    return float(low), float(high)


def recall_intervals(arm: Arm, key: str, num_draws: int = NUM_DRAWS, seed: int = 0) -> list[Score | None]:
    """Recall of each class as a mean over the arm's seeds, with its 95 % interval over the clips of the class."""
    answers_RN, _, targets_N, classes = _answers([arm], key)
    hits_N = (answers_RN == targets_N).mean(0)
    generator = np.random.default_rng(seed)
    found: list[Score | None] = []
    for c in range(len(classes)):
        hits_of_class = hits_N[targets_N == c]
        if len(hits_of_class) == 0:
            found.append(None)
            continue
        count = len(hits_of_class)
        drawn_DN = generator.multinomial(count, np.full(count, 1 / count), size=num_draws)
        found.append(Score(float(hits_of_class.mean()), *_interval(drawn_DN @ hits_of_class / count)))
    return found
