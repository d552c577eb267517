"""Does an arm know what it knows? Text, ready for the page, and the bars of its reliability diagram. B: bins."""

from dataclasses import dataclass

import numpy as np

from emovlm.report.numbers import Textual, mean, number
from emovlm.report.records import Arm, Reliability


@dataclass(frozen=True)
class Bin:
    """`number`: from 0. Mean confidence, share right and number of the answers in it, at least one."""

    number: int
    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True)
class Calibrated:
    """Means over seeds; bins hold the answers of all seeds.

    An ECE in `cells` never stands alone: below it, that of a perfectly calibrated model, which is above 0.
    """

    arm: str
    ece: str
    perfect_ece: str
    cells: list[Textual]
    classwise_C: tuple[str, ...]  # ECE, in the order of the file's classes
    bins: tuple[Bin, ...]
    num_bins: int


def calibrated(arm: Arm, key: str) -> Calibrated | None:
    """None where the scores are no probabilities, or the files know nothing of it."""
    found = [one for run in arm.runs if (one := run.evaluations[key].calibration)]
    if len(found) < len(arm.runs):
        return None
    ece, perfect_ece = number(mean(one.ece for one in found)), number(mean(one.expected_ece for one in found))
    cells = [
        ("ECE", ece, (f"perfect {perfect_ece}",)),
        ("Class-wise ECE", number(mean(mean(one.classwise_ece) for one in found)), ()),
        ("NLL", number(mean(one.nll for one in found)), ()),
        ("Brier", number(mean(one.brier for one in found)), ()),
    ]
    fitted = [one.temperature for one in found if one.temperature]
    if len(fitted) == len(found):
        cells += [
            ("Temperature", f"{mean(one.value for one in fitted):.2f}", ()),
            ("ECE after", number(mean(one.ece for one in fitted)), _perfect(mean(one.expected_ece for one in fitted))),
            ("NLL after", number(mean(one.nll for one in fitted)), ()),
            ("Brier after", number(mean(one.brier for one in fitted)), ()),
        ]
    classwise = tuple(number(mean(values)) for values in zip(*(one.classwise_ece for one in found), strict=True))
    bins = _bins([one.reliability for one in found])
    return Calibrated(arm.name, ece, perfect_ece, cells, classwise, bins, len(found[0].reliability.count))


def _perfect(expected: float) -> tuple[str, ...]:
    return () if np.isnan(expected) else (f"perfect {number(expected)}",)


def _bins(seeds: list[Reliability]) -> tuple[Bin, ...]:
    count_B = np.sum([one.count for one in seeds], axis=0)
    confidence_B, accuracy_B = (
        np.sum([np.array(one.count) * np.array([value or 0 for value in getattr(one, name)]) for one in seeds], axis=0)
        for name in ("confidence", "accuracy")
    )
    return tuple(
        Bin(b, float(confidence_B[b] / count), float(accuracy_B[b] / count), int(count))
        for b, count in enumerate(count_B)
        if count
    )
