"""What a reader must know before believing the numbers: one sentence each."""

from collections.abc import Mapping

from emovlm.evaluate.robustness import LOOKS
from emovlm.report.records import Arm, Run, Study, tails


def seeds_stamp(study: Study) -> str:
    by_arm = {frozenset(run.seed for run in arm.runs) for arm in study.arms if not arm.zero_shot}
    if not by_arm:
        return "Untrained: there is no seed to vary."
    if study.num_seeds == 1:
        return "One seed: a demonstration, not a claim of significance."
    few = " At least three are needed before a claim." if min(map(len, by_arm)) < 3 else ""
    if len(by_arm) > 1:
        return f"The arms have different seeds; a value is the mean over an arm's own.{few}"
    return f"{study.num_seeds} seeds ({', '.join(map(str, study.seeds))}); a value is the mean over seeds.{few}"


def stamps(study: Study, key: str) -> list[str]:
    """All warnings."""
    single = (
        selection_stamp(study, key),
        video_stamp(study, key),
        steps_stamp(study),
        tails_stamp(study, key),
        prior_stamp(study),
        left_out_stamp(study, key),
        unread_stamp(study),
    )
    return [stamp for stamp in single if stamp] + data_stamps(study)


def selection_stamp(study: Study, key: str) -> str | None:
    """Where a checkpoint or a setting was chosen on the split that is reported."""
    split = key.split("-", 1)[0]
    chosen = [arm.name for arm in study.arms if any(part.selected_on == split for part in arm.parts)]
    if not chosen:
        return None
    return f"Selected on the {split} split: {', '.join(chosen)}. These scores are optimistic and are no evidence."


def video_stamp(study: Study, key: str) -> str | None:
    """Where a model answers as well without its clip."""
    blind = []
    for arm in study.arms:
        looks = [look for run in arm.runs if (look := run.evaluations[key].look)]
        num = sum(look.ignores_video for look in looks)
        if num:
            blind.append(arm.name if num == len(looks) else f"{arm.name} ({num} of {len(looks)} seeds)")
    if not blind:
        return None
    return (
        f"Ignores the video: {', '.join(blind)}. On a blank clip, and on another clip in its place, UAR falls by less "
        f"than {LOOKS:.2f}."
    )


def tails_stamp(study: Study, key: str) -> str | None:
    """Where runs side by side were trained on other clips, so that other classes are the rare ones."""
    found = tails(study, key)
    if len(found) == 1:
        return None
    listed = "; ".join(f"{', '.join(arms)}: {', '.join(sorted(tail))}" for tail, arms in found.items())
    return f"The tail is not the same classes ({listed}): tail recalls are not of one kind."


def steps_stamp(study: Study) -> str | None:
    """Where trained arms took different numbers of optimiser steps."""
    steps = {arm.name: int(part.train["num_steps"]) for arm in study.arms for part in arm.parts if part.train}
    if len(set(steps.values())) <= 1:
        return None
    listed = ", ".join(f"{name} {count}" for name, count in steps.items())
    return f"The arms took different numbers of optimiser steps ({listed}): the comparison is not at equal cost."


def prior_stamp(study: Study) -> str | None:
    """Where the loss was given the natural prior in place of the one that the optimiser saw."""
    asked = [a.name for a in study.arms if any(p.train and p.train.get("loss_prior") == "natural" for p in a.parts)]
    if not asked:
        return None
    return (
        f"The loss was given the natural class prior, not that of the planned stream: {', '.join(asked)}. "
        "Where the sampler or class weights rebalance as well, this corrects twice."
    )


def left_out_stamp(study: Study, key: str) -> str | None:
    """How many rows of the scored split were left out by `data.quarantine`, and why."""
    told = {}
    for arm in study.arms:
        for run in arm.runs:
            if reasons := run.evaluations[key].protocol.get("left_out"):
                told[arm.name] = f"{sum(reasons.values())} ({_listed(reasons)})"
    if not told:
        return None
    alike = len(set(told.values())) == 1 and len(told) == len(study.arms)
    shown = next(iter(told.values())) if alike else "; ".join(f"{name} {what}" for name, what in told.items())
    return f"Rows left out as unusable (data.quarantine): {shown}. The scores are over the others."


def unread_stamp(study: Study) -> str | None:
    """Where training rows could not be read, and counted for nothing."""
    failed = {a.name: len(p.train["failed"]) for a in study.arms for p in a.parts if p.train and p.train.get("failed")}
    if not failed:
        return None
    return f"Training rows that could not be read and counted for nothing: {_listed(failed)}."


def data_stamps(study: Study) -> list[str]:
    """Of every resume that went on with other rows, or another order of them, than it began with."""
    found = []
    for arm in study.arms:
        for part in arm.parts:
            changes = (part.train or {}).get("different_data") or ()
            found += [f"Resumed on different data: {_name(study, arm, part)}, {change}." for change in changes]
    return found


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


def _name(study: Study, arm: Arm, part: Run) -> str:
    if len(arm.parts) == 1:
        return arm.name
    if study.num_folds > 1:
        return "/".join([arm.name, *part.folder.parts[-2:]])
    return f"{arm.name}, seed {part.seed}"
