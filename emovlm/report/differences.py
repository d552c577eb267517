"""Every arm minus the control on the same clips: text, ready for the page."""

from dataclasses import dataclass

import numpy as np

from emovlm.report.answers import Difference, basis, best_of_all, difference
from emovlm.report.contrast import answers_of, statistics_of
from emovlm.report.numbers import Line, Textual, bracket, chance, signed
from emovlm.report.records import METRICS, Study, tails
from emovlm.report.tables import TITLES, ordered_arms

NONE = Difference(np.nan, np.nan, np.nan, None)


@dataclass(frozen=True)
class Against:
    """`lines`: an arm's difference in each of METRICS; below it interval, p, and the p of the best of all arms."""

    control: str
    lines: list[Line]
    note: str


def against_control(study: Study, key: str) -> Against | None:
    """None without a control, or where it is alone. Errors: UserError where arms were not scored on the same clips."""
    others = [arm.name for arm in ordered_arms(study) if not arm.control]
    if study.control is None or not others:
        return None
    control, answers = study.control.name, answers_of(study.arms, key)
    statistics = statistics_of(study.control.runs[0].evaluations[key])
    cells: dict[str, list[Textual]] = {name: [] for name in others}
    num_joint = 0
    for metric in METRICS:
        comparable = metric != "tail_recall" or len(tails(study, key)) == 1
        joint = best_of_all(answers, control, statistics[metric]) if comparable else {}
        num_joint = max(num_joint, len(joint))
        for name in others:
            found = difference(answers, name, control, statistics[metric]) if comparable else NONE
            below = (
                bracket(found, signed),
                "" if found.p is None else f"p {chance(found.p)}",
                f"best of {len(joint)}: p {chance(joint[name])}" if name in joint else "",
            )
            cells[name].append((TITLES[metric], signed(found.value), below))
    words = list(dict.fromkeys(basis(answers, name, control) for name in others))
    if num_joint:
        words.append(
            f"Best of {num_joint}: p of the same difference where the best arm is picked afterwards "
            "(the largest difference of all arms under the same swaps; Westfall and Young 1993)."
        )
    note = f"On the same {len(answers.targets_N)} clips, so that what makes a clip hard cancels out. {' '.join(words)}"
    return Against(control, [(name, cells[name]) for name in others], note)
