"""What the answers hang on beside the clip: altered inputs, the order of the listed classes, text against scores.

Text, ready for the page; means over seeds.
"""

from dataclasses import dataclass

from emovlm.evaluate.robustness import LOOKS
from emovlm.report.numbers import Line, Textual, mean, number, signed
from emovlm.report.records import Arm, Study
from emovlm.report.tables import ordered_arms

TITLES = {
    "blank": "blank clip",
    "shuffled": "frames shuffled",
    "reversed": "frames reversed",
    "single_frame": "one frame, repeated",
    "other_clip": "another clip",
}


@dataclass(frozen=True)
class Looked:
    """`cells`: UAR as it is, then its change on each altered input; `war`: likewise, without the change."""

    arm: str
    cells: list[Textual]
    war: list[Textual]
    ignores_video: bool


def looked(arm: Arm, key: str) -> Looked | None:
    """None where no altered clips were scored."""
    evaluations = [run.evaluations[key] for run in arm.runs]
    looks = [one.look for one in evaluations if one.look]
    if len(looks) < len(evaluations):
        return None
    before = {metric: number(mean(one.scores[metric].value for one in evaluations)) for metric in ("war", "uar")}
    cells: list[Textual] = [("as it is", f"UAR {before['uar']}", ())]
    war: list[Textual] = [("as it is", before["war"], ())]
    for name in looks[0].altered:
        seeds = [look.altered[name] for look in looks]
        same = f"{mean(one.same_answer for one in seeds):.0%} as before"
        below = (f"UAR {number(mean(one.uar for one in seeds))}", same)
        cells.append((TITLES.get(name, name), signed(mean(one.uar_change for one in seeds)), below))
        war.append((TITLES.get(name, name), number(mean(one.war for one in seeds)), ()))
    return Looked(arm.name, cells, war, any(look.ignores_video for look in looks))


def look_note() -> str:
    """When a model is said to ignore the video."""
    return (
        f"A model that looks loses UAR on a blank clip and on another clip in its place; one that loses less than "
        f"{LOOKS:.2f} on both is said to ignore the video. Shuffled, reversed and single frames show what the order of "
        "the frames, and more than one of them, is worth."
    )


def flipped(study: Study, key: str) -> list[Line]:
    """Clips that some other order of the listed classes answers otherwise."""
    found = []
    for arm in ordered_arms(study):
        orders = [one for run in arm.runs if (one := run.evaluations[key].orders)]
        if orders:
            share = f"{mean(one.flip_rate for one in orders):.1%}"
            found.append(
                (arm.name, [("orders", f"{orders[0].num_orders}", ()), ("clips answered otherwise", share, ())])
            )
    return found


def agreed(study: Study, key: str) -> list[Line]:
    """Text against scores, of every evaluation on the split of `key` that knows of both; all runs together."""
    split, found = key.split("-", 1)[0], []
    for arm in ordered_arms(study):
        for other in arm.parts[0].evaluations:
            known = [one.agreement for part in arm.parts if (one := part.evaluations.get(other)) and one.agreement]
            if not known or other.split("-", 1)[0] != split:
                continue
            num, num_read = sum(one.num_clips for one in known), sum(one.readable for one in known)
            same = sum(one.share * one.num_clips for one in known)
            cells: list[Textual] = [
                ("evaluation", other, ()),
                ("read", f"{num_read} of {num}", ()),
                ("agree", f"{same / num:.1%}", ()),
                ("agree, of those read", f"{same / num_read:.1%}" if num_read else "-", ()),
            ]
            found.append((arm.name, cells))
    return found
