"""Runs of different recipes on the same clips, as one study whose arms are the runs; the first is the control."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emovlm import UserError
from emovlm.report import folders
from emovlm.report.contrast import answers_of
from emovlm.report.files import AGAIN
from emovlm.report.records import Arm, Run, Study

NOT_OF_THE_RECIPE = ("seed", "output")  # they may differ between runs that are one thing done again


def load(given: Sequence[Path]) -> Study:
    """One run or study folder as it is; of several run folders, or folders of seeds, each is an arm.

    Errors: UserError, also where clips, labels or classes differ.
    """
    if len(given) == 1:
        return folders.load(given[0])
    places = [folder.resolve() for folder in given]
    twice = next((folder for folder, place in zip(given, places, strict=True) if places.count(place) > 1), None)
    if twice is not None:
        raise UserError(f"{twice}: is given twice; give each run once")
    named = zip(_names(places), given, strict=True)
    arms = [_arm(name, folder, number == 0) for number, (name, folder) in enumerate(named)]
    control = arms[0].runs[0]
    study = Study(
        folder=_shared(places),
        name=f"{len(arms)} runs side by side",
        single=False,
        contrast=None,
        definition_text="",
        recipe_name=None,
        command=None,
        arms=tuple(_told_apart(arm, control) for arm in arms),
        given=tuple(given),
    )
    if not study.evaluation_keys():
        listed = "; ".join(f"{arm.name}: {', '.join(arm.runs[0].evaluations) or 'none'}" for arm in arms)
        raise UserError(f"{given[0]}: no evaluation that all runs have ({listed}); evaluate all with one scorer")
    answers_of(study.arms, study.evaluation_keys()[0])  # refuses other clips, labels or classes
    return study


def page_of(study: Study) -> Path:
    """Where the page is written unless the user says: in the folder, or in the closest one that holds all runs."""
    return study.folder / ("compared.html" if study.given else "report.html")


def _arm(name: str, folder: Path, is_control: bool) -> Arm:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of a run (the one with report.json)")
    if (folder / "study.yaml").is_file():
        raise UserError(f"{folder}: is a study, which has a page of its own; give its runs, such as {folder}/<arm>")
    runs = []
    for parts in folders.runs_by_seed(folder):
        loaded = [folders.load_run(part, None) for part in parts]
        runs.append(loaded[0] if len(loaded) == 1 else folders.pooled(loaded))
    untrained = [run.train is None for run in runs]
    if any(untrained) and not all(untrained):
        raise UserError(f"{folder}: holds trained and untrained runs; {AGAIN}")
    return Arm(name, all(untrained), is_control, (), tuple(runs))


def _told_apart(arm: Arm, control: Run) -> Arm:
    """With what its recipe has other than the control's, as the overrides that would make it."""
    ours, theirs = (_dotted(run.recipe) for run in (control, arm.runs[0]))
    keys = [key for key in {**theirs, **ours} if key.split(".")[0] not in NOT_OF_THE_RECIPE]
    overrides = tuple(f"{key}={_word(theirs.get(key))}" for key in keys if theirs.get(key) != ours.get(key))
    return Arm(arm.name, arm.zero_shot, arm.control, overrides, arm.runs)


def _dotted(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found = {}
    for key, value in recipe.items():
        if isinstance(value, Mapping) and value:
            found |= _dotted(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _word(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _names(places: Sequence[Path]) -> list[str]:
    """The fewest last parts of each path that tell the runs apart."""
    for num in range(1, max(len(place.parts) for place in places)):
        names = ["/".join(place.parts[-num:]) for place in places]
        if len(set(names)) == len(names):
            return names
    return [str(place) for place in places]


def _shared(places: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([place.parent for place in places]))
