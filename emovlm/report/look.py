"""What the answers hang on beside the clip: altered inputs, the order of the listed classes, text against scores.

Text, ready for the page; means over seeds.
"""

from collections import Counter
from dataclasses import dataclass

from emovlm.evaluate.robustness import LOOKS
from emovlm.report.numbers import Line, Textual, mean, number, signed
from emovlm.report.records import Arm, Evaluation, Study
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
    return Looked(arm.name, cells, war)


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


def written(study: Study, key: str) -> list[Line]:
    """Of every evaluation on the split of `key` that made the model write: what was read, and whether scores agree.

    All seeds and folds together.
    """
    split, found = key.split("-", 1)[0], []
    for arm in ordered_arms(study):
        for other in arm.parts[0].evaluations:
            entries = [one for part in arm.parts if (one := part.evaluations.get(other))]
            if other.split("-", 1)[0] == split and any(one.agreement or one.unread is not None for one in entries):
                found.append((arm.name, [("evaluation", other, ()), *_read(entries), *_agreed(entries)]))
    return found


def _read(entries: list[Evaluation]) -> list[Textual]:
    num, unreadable = sum(one.num_clips for one in entries), sum(one.unreadable for one in entries)
    reasons: Counter[str] = Counter()
    for one in entries:
        reasons.update(one.unread or {})
    why = tuple(f"{count} {reason}" for reason, count in reasons.most_common())
    return [("read", f"{num - unreadable} of {num}", why)]


def _agreed(entries: list[Evaluation]) -> list[Textual]:
    known = [one.agreement for one in entries if one.agreement]
    num, num_read = sum(one.num_clips for one in known), sum(one.readable for one in known)
    same = sum(one.share * one.num_clips for one in known)
    return [
        ("agrees with the scores", f"{same / num:.1%}" if num else "-", () if num else ("not scored",)),
        ("of those read", f"{same / num_read:.1%}" if num_read else "-", ()),
    ]
