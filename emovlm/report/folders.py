"""Read run and study folders from disk. The report reads these files and nothing else."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.evaluate import pooling, predictions
from emovlm.evaluate.predictions import Predictions
from emovlm.evaluate.summary import summarise
from emovlm.report import entries
from emovlm.report import ledger as ledgers
from emovlm.report.files import AGAIN, field, parse_yaml, read_json, read_lines, read_text
from emovlm.report.records import METRICS, Arm, Evaluation, Prediction, Run, Study


def load(folder: Path) -> Study:
    """Read a study folder or a run folder.

    Errors: UserError which names the file, what is missing or broken in it, and the remedy.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of a study or of a run (the one with report.json)")
    report = read_json(folder / "report.json")
    study = _study(folder, report) if "arms" in report else _single(folder)
    if not study.evaluation_keys():
        raise UserError(
            f"{folder / 'report.json'}: no evaluation that every run has; "
            "evaluate all of them on one split with one scorer"
        )
    _check_comparable(study)
    return study


def _study(folder: Path, report: Mapping[str, Any]) -> Study:
    place = folder / "report.json"
    arms = []
    entries_of_arms = field(report, "arms", place, list)
    shown = next(
        (entry.get("evaluation") for entry in entries_of_arms if entry.get("name") == report.get("control")), None
    )
    for entry in entries_of_arms:
        name = field(entry, "name", place, str)
        own = entry.get("evaluation")
        runs = _runs(folder, field(entry, "runs", place, list), place, {shown: own} if shown and own else {})
        if not runs:
            raise UserError(f"{place}: arm '{name}' has no runs; {AGAIN}")
        zero_shot = bool(entry.get("zero_shot", False))
        control = name == report.get("control")
        arms.append(Arm(name, zero_shot, control, tuple(map(str, entry.get("overrides") or ())), tuple(runs)))
    if not arms:
        raise UserError(f"{place}: no arm in 'arms'; {AGAIN}")
    names = [arm.name for arm in arms]
    contrast = report.get("contrast") or None
    for name in [*(contrast or ()), *([report["control"]] if report.get("control") else [])]:
        if name not in names:
            raise UserError(
                f"{place}: '{name}' is named as control or contrast but is no arm; arms: {', '.join(names)}"
            )
    if contrast is not None and len(contrast) != 2:
        raise UserError(f"{place}: contrast has {len(contrast)} arms, needs two; correct 'contrast' in the study file")
    definition = folder / "study.yaml"
    text = definition.read_text(encoding="utf-8") if definition.is_file() else ""
    return Study(
        folder=folder,
        name=str(report.get("name") or folder.name),
        single=False,
        contrast=(contrast[0], contrast[1]) if contrast else None,
        definition_text=text,
        recipe_name=parse_yaml(text, definition).get("recipe"),
        command=report.get("command"),
        arms=tuple(arms),
    )


def _runs(folder: Path, listed: list[Mapping[str, Any]], place: Path, called: Mapping[str, str]) -> list[Run]:
    """The runs of an arm, one a seed: the folds of a seed are pooled into one run.

    called: name of an evaluation in the study -> in the files, for arms that are scored otherwise than the control.
    """
    by_seed: dict[int, list[Run]] = {}
    for entry in listed:
        run = load_run(folder / field(entry, "folder", place, str), field(entry, "seed", place, int))
        known = {shown: run.evaluations[own] for shown, own in called.items() if own in run.evaluations}
        run = dataclasses.replace(run, evaluations={**run.evaluations, **known})
        by_seed.setdefault(run.seed, []).append(run)
    if not any("fold" in entry for entry in listed):
        return [run for found in by_seed.values() for run in found]
    return [found[0] if len(found) == 1 else pooled(found) for found in by_seed.values()]


def pooled(folds: list[Run]) -> Run:
    """The clips of all folds scored as one set. Training counts are the mean over folds."""
    shared = [key for key in folds[0].evaluations if all(key in run.evaluations for run in folds)]
    return dataclasses.replace(
        folds[0], evaluations={key: _pooled_evaluation(folds, key) for key in shared}, folds=tuple(folds)
    )


def _pooled_evaluation(folds: list[Run], key: str) -> Evaluation:
    parts = [run_predictions(run, key) for run in folds]
    own = [run.evaluations[key] for run in folds]
    train_counts_C = np.rint(np.mean([one.train_counts_C for one in own], axis=0))
    place = folds[0].folder / "report.json"
    whole = entries.evaluation(key, summarise(pooling.pool(parts), train_counts_C), place)
    means = {}
    if pooling.has_mean(parts):
        means = {name: float(np.mean([one.scores[name].value for one in own])) for name in METRICS}
    return dataclasses.replace(whole, mean_of_folds=means)


def run_predictions(run: Run, key: str) -> Predictions:
    """The rows of the evaluation `key`, of all folds where they are pooled. Errors: UserError naming file and line."""
    parts = [predictions.read(predictions_file(part, key)) for part in run.parts]
    return pooling.pool(parts) if run.folds else parts[0]


def predictions_file(run: Run, key: str) -> Path:
    return run.folder / "eval" / run.evaluations[key].key / "predictions.jsonl"


def _single(folder: Path) -> Study:
    run = load_run(folder, None)
    zero_shot = run.train is None
    arm = Arm(run.name, zero_shot, False, (), (run,))
    return Study(folder, run.name, True, None, "", None, read_json(folder / "report.json").get("command"), (arm,))


def load_run(folder: Path, seed: int | None) -> Run:
    """Read a run folder; `seed` None: the one of its recipe. Errors: UserError."""
    place = folder / "report.json"
    report = read_json(place)
    text = read_text(folder / "recipe.yaml")
    recipe = parse_yaml(text, folder / "recipe.yaml")
    evaluations = field(report, "evaluations", place, dict)
    ledger = folder / "ledger.json"
    log = folder / "log.jsonl"
    env = folder / "env.json"
    return Run(
        folder=folder,
        seed=seed if seed is not None else int(recipe.get("seed", 0)),
        name=str(report.get("name") or folder.name),
        recipe=recipe,
        recipe_text=text,
        env=read_json(env) if env.is_file() else {},
        selected_on=report.get("selected_on"),
        train=report.get("train"),
        ledger=ledgers.read(ledger) if ledger.is_file() else None,
        log=tuple(read_lines(log)) if log.is_file() else (),
        evaluations={key: entries.evaluation(key, entry, place) for key, entry in evaluations.items()},
    )


def runs_by_seed(folder: Path) -> list[list[Path]]:
    """The run folders of each seed, several where they are folds: the folder itself, or those in it."""
    if (folder / "eval").is_dir():
        return [[folder]]
    by_seed: dict[str, list[Path]] = {}
    for place in sorted([*folder.glob("*/eval"), *folder.glob("fold*/*/eval")]):
        by_seed.setdefault(place.parent.name, []).append(place.parent)
    if not by_seed:
        raise UserError(f"{folder}: holds no evaluated run; give a run folder, or an arm's folder with its seeds")
    return list(by_seed.values())


def load_predictions(run: Run, key: str) -> tuple[tuple[str, ...], tuple[Prediction, ...]]:
    """The class order and the rows of `run_predictions`."""
    found = run_predictions(run, key)
    rows = [
        Prediction(
            line["id"],
            line.get("target"),
            tuple(line.get("media") or ()),
            tuple(line["scores"]),
            tuple(line.get("times_s") or ()),
            line.get("start_s"),
            line.get("end_s"),
            line.get("fps"),
            answer,
            line.get("crop") and tuple(line["crop"]),
            line.get("texts") or {},
        )
        for line, answer in zip(found.rows, found.predicted_N().tolist(), strict=True)
    ]
    return tuple(found.classes), tuple(rows)


def _check_comparable(study: Study) -> None:
    """Arms are compared only on the same clips of the same classes."""
    key = study.evaluation_keys()[0]
    first, *others = [run for arm in study.arms for run in arm.runs]
    reference = first.evaluations[key]
    for run in others:
        one = run.evaluations[key]
        if (one.classes, one.support_C) != (reference.classes, reference.support_C):
            raise UserError(
                f"{run.folder / 'report.json'}: evaluations.{key} has other classes or clips than "
                f"{first.folder / 'report.json'}; evaluate both on the same rows"
            )
