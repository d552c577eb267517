"""`emovlm compare`: runs on the same clips against the first one, by tests that know who is in the clips.

A side is a run, or a folder of runs that differ in their seed; of a study with folds, those of a seed are pooled.
R: runs of a side, one a seed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from emovlm import UserError
from emovlm.evaluate import pooling
from emovlm.evaluate import predictions as border
from emovlm.evaluate.predictions import Predictions
from emovlm.metrics import comparison, recognition
from emovlm.metrics.uncertainty import Statistic
from emovlm.report.answers import Answers, basis, best_of_all, difference, match
from emovlm.report.folders import runs_by_seed
from emovlm.report.numbers import bracket, chance, number, signed

STATISTICS: Mapping[str, Statistic] = {
    "WAR": recognition.war,
    "UAR": recognition.uar,
    "Macro-F1": recognition.macro_f1,
}
# What may differ between runs that are compared on purpose, and must be said.
MAY_DIFFER = ("prior", "fold", "train", "max_new_tokens", "frames", "question", "prompt_hash", "scorer", "score")
MAY_DIFFER += ("synonyms", "model", "selected_on")


def compare(folders: Sequence[Path], key: str | None = None) -> tuple[Table, list[str]]:
    """(one line a side and statistic against the first side, notes on what the numbers rest on). UserError."""
    if len(folders) < 2:
        raise UserError("compare: needs at least two run folders; the first one is what the others are compared with")
    names = [str(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise UserError(f"compare: {', '.join(names)}: a folder is given twice")
    by_side = {str(folder): runs_by_seed(folder) for folder in folders}
    key = key or _shared_key([run for seeds in by_side.values() for runs in seeds for run in runs])
    sides = {name: [_read(runs, key) for runs in seeds] for name, seeds in by_side.items()}
    differences = _differences(sides)
    answers = match(sides)
    return _table(answers, key), [*differences, *_notes(answers)]


def _table(answers: Answers, key: str) -> Table:
    control, *others = answers.by_arm
    shown = Table(title=f"{key}, {len(answers.targets_N)} clips, against {escape(control)}", title_justify="left")
    for column in ("run", "score", "first", "run's", "difference", "95 % interval", "p", "p (best of all)", "McNemar"):
        shown.add_column(column, justify="left" if column in ("run", "score") else "right")
    for title, statistic in STATISTICS.items():
        joint = best_of_all(answers, control, statistic)
        for name in others:
            found = difference(answers, name, control, statistic)
            shown.add_row(
                escape(name),
                title,
                number(answers.mean(control, statistic)),
                number(answers.mean(name, statistic)),
                signed(found.value),
                escape(bracket(found, signed)),
                "-" if found.p is None else chance(found.p),
                chance(joint[name]) if name in joint else "-",
                _mcnemar(answers, name, control) if title == "WAR" else "-",
            )
    return shown


def _mcnemar(answers: Answers, name: str, control: str) -> str:
    first_RN, second_RN = answers.by_arm[name], answers.by_arm[control]
    if len(first_RN) > 1 or len(second_RN) > 1:
        return "-"
    return chance(comparison.mcnemar(answers.targets_N, first_RN[0], second_RN[0]).p)


def _notes(answers: Answers) -> list[str]:
    control, *others = answers.by_arm
    # One line each where sides differ in what they rest on: in their number of seeds.
    notes = list(dict.fromkeys(basis(answers, name, control) for name in others))
    fewest = min(len(answers_RN) for answers_RN in answers.by_arm.values())
    if fewest < 3:
        notes.append("Fewer than three seeds: no claim about the method, only about these trained models.")
    notes.append("McNemar assumes independent clips and speaks of WAR alone.")
    return notes


def _told(run: Predictions) -> dict[str, Any]:
    return {**run.header["protocol"], "prior": run.header.get("prior")}


def _differences(sides: Mapping[str, Sequence[tuple[Path, Predictions]]]) -> list[str]:
    """One line for each part of the protocol in which a run differs from the first; another split is refused."""
    reference = next(iter(sides.values()))[0][1]
    ours, notes = _told(reference), []
    for name, runs in sides.items():
        for place, run in runs:
            if reference.header["split"] != run.header["split"]:
                raise UserError(
                    f"{place}: the {run.header['split']} split against {reference.header['split']}; compare runs on one"
                )
            theirs = _told(run)
            notes += [
                f"{name} differs in {part}: {theirs.get(part)!r}, not {ours.get(part)!r}"
                for part in MAY_DIFFER
                if ours.get(part) != theirs.get(part)
            ]
    return list(dict.fromkeys(notes))


def _read(runs: Sequence[Path], key: str) -> tuple[Path, Predictions]:
    places = [run / "eval" / key / "predictions.jsonl" for run in runs]
    parts = [border.read(place) for place in places]
    return places[0], pooling.pool(parts) if len(parts) > 1 else parts[0]


def _shared_key(runs: Sequence[Path]) -> str:
    keys = [{path.parent.name for path in run.glob("eval/*/predictions.jsonl")} for run in runs]
    shared = sorted(set.intersection(*keys), key=lambda key: (not key.startswith("test-"), key))
    if not shared:
        raise UserError(f"compare: no evaluation that all runs have ({', '.join(sorted(set.union(*keys)))})")
    return shared[0]
