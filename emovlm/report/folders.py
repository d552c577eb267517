"""Read run and study folders from disk. The report reads these files and nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

import yaml

from emovlm import UserError
from emovlm.evaluate import predictions
from emovlm.report.records import METRICS, Arm, Epoch, Evaluation, Ledger, Prediction, Run, Score, Study

AGAIN = "run the study (or the run) again: what is done already is not repeated"


def load(folder: Path) -> Study:
    """Read a study folder or a run folder.

    Errors: UserError which names the file, what is missing or broken in it, and the remedy.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of a study or of a run (the one with report.json)")
    report = _json(folder / "report.json")
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
    for entry in _field(report, "arms", place, list):
        name = _field(entry, "name", place, str)
        runs = [
            load_run(folder / _field(run, "folder", place, str), _field(run, "seed", place, int))
            for run in _field(entry, "runs", place, list)
        ]
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
        recipe_name=_yaml(text, definition).get("recipe"),
        command=report.get("command"),
        arms=tuple(arms),
    )


def _single(folder: Path) -> Study:
    run = load_run(folder, None)
    zero_shot = run.train is None
    arm = Arm(run.name, zero_shot, False, (), (run,))
    return Study(folder, run.name, True, None, "", None, _json(folder / "report.json").get("command"), (arm,))


def load_run(folder: Path, seed: int | None) -> Run:
    """Read a run folder; `seed` None: the one of its recipe. Errors: UserError."""
    place = folder / "report.json"
    report = _json(place)
    text = _text(folder / "recipe.yaml")
    recipe = _yaml(text, folder / "recipe.yaml")
    evaluations = _field(report, "evaluations", place, dict)
    ledger = folder / "ledger.json"
    log = folder / "log.jsonl"
    env = folder / "env.json"
    return Run(
        folder=folder,
        seed=seed if seed is not None else int(recipe.get("seed", 0)),
        name=str(report.get("name") or folder.name),
        recipe=recipe,
        recipe_text=text,
        env=_json(env) if env.is_file() else {},
        selected_on=report.get("selected_on"),
        train=report.get("train"),
        ledger=_ledger(ledger) if ledger.is_file() else None,
        log=tuple(_lines(log)) if log.is_file() else (),
        evaluations={key: _evaluation(key, entry, place) for key, entry in evaluations.items()},
    )


def load_predictions(run: Run, key: str) -> tuple[tuple[str, ...], tuple[Prediction, ...]]:
    """The class order and the rows of the evaluation `key`. Errors: UserError naming file and line."""
    found = predictions.read(run.folder / "eval" / key / "predictions.jsonl")
    rows = [
        Prediction(
            line["id"],
            line.get("target"),
            tuple(line.get("media") or ()),
            tuple(line["scores"]),
            line.get("parsed"),
            tuple(line.get("times_s") or ()),
            line.get("start_s"),
            line.get("end_s"),
        )
        for line in found.rows
    ]
    return tuple(found.classes), tuple(rows)


def _evaluation(key: str, entry: Mapping[str, Any], path: Path) -> Evaluation:
    place = f"{path}: evaluations.{key}"
    classes = tuple(_field(entry, "classes", place, list))
    per_class = {}
    for name in ("support", "train_counts", "recall", "confusion", "predicted"):
        per_class[name] = tuple(_field(entry, name, place, list))
        if len(per_class[name]) < len(classes):
            raise UserError(f"{place}.{name}: {len(per_class[name])} entries for {len(classes)} classes; {AGAIN}")
    return Evaluation(
        key=key,
        num_clips=_field(entry, "num_clips", place, int),
        num_unlabelled=int(entry.get("num_unlabelled") or 0),
        classes=classes,
        support_C=per_class["support"],
        train_counts_C=per_class["train_counts"],
        tail=tuple(_field(entry, "tail", place, list)),
        scores={name: _score(_field(entry, name, place, dict | None)) for name in METRICS},
        recall_C=tuple(None if one is None else _score(one) for one in per_class["recall"]),
        confusion=tuple(tuple(row) for row in per_class["confusion"]),
        predicted_C=per_class["predicted"][: len(classes)],
        unreadable=_field(entry, "unreadable", place, int),
        num_classes_present=_field(entry, "num_classes_present", place, int),
        interval=str(entry.get("interval") or "95 % bootstrap over clips"),
    )


def _ledger(path: Path) -> Ledger:
    content = _json(path)

    def known(name: str) -> tuple[Any, ...] | None:
        return tuple(_field(content, name, path, list)) if name in content else None

    return Ledger(
        classes=tuple(_field(content, "classes", path, list)),
        strategy=_field(content, "strategy", path, str),
        available_C=tuple(_field(content, "available", path, list)),
        asked_C=tuple(_field(content, "asked", path, list)),
        drawn_C=tuple(_field(content, "drawn", path, list)),
        distinct_C=tuple(_field(content, "distinct_clips", path, list)),
        most_draws_C=known("most_draws_of_a_clip"),
        effective_epochs_C=known("effective_epochs"),
        class_weights_C=known("class_weights"),
        effective_prior_C=known("effective_prior"),
        epochs=tuple(_epoch(entry, path) for entry in known("epochs") or ()),
        num_steps=_field(content, "num_steps", path, int),
        global_batch=_field(content, "global_batch", path, int),
    )


def _epoch(entry: Mapping[str, Any], path: Path) -> Epoch:
    place = f"{path}: epochs"
    return Epoch(
        number=_field(entry, "epoch", place, int),
        asked_C=tuple(_field(entry, "asked", place, list)),
        drawn_C=tuple(_field(entry, "drawn", place, list)),
        distinct_C=tuple(_field(entry, "distinct_clips", place, list)),
        most_repeated=_field(_field(entry, "most_repeated", place, dict), "times", place, int),
    )


def _score(entry: Mapping[str, Any] | None) -> Score:
    """nan where there was nothing to score, such as a tail class without a clip in the split."""
    values = [(entry or {}).get(name) for name in ("value", "low", "high")]
    return Score(*(float("nan") if value is None else float(value) for value in values))


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


def _field(content: Mapping[str, Any], name: str, place: Path | str, kind: type | UnionType) -> Any:
    if not isinstance(content, dict) or name not in content:
        raise UserError(f"{place}: '{name}' is missing; {AGAIN}")
    value = content[name]
    if not isinstance(value, kind):
        raise UserError(f"{place}: '{name}' is {value!r}, must be of type {getattr(kind, '__name__', kind)}; {AGAIN}")
    return value


def _text(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"{path}: no such file; {AGAIN}")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as UTF-8 text ({error}); {AGAIN}") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not JSON ({error.msg}); {AGAIN}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: must hold a JSON object; {AGAIN}")
    return content


def _lines(path: Path) -> list[dict[str, Any]]:
    lines = []
    # Not splitlines(): it also cuts at separators such as U+2028, which JSON allows inside a string.
    for number, line in enumerate(_text(path).split("\n"), start=1):
        try:
            if line.strip():
                lines.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise UserError(f"{path}:{number}: not JSON ({error.msg}); {AGAIN}") from error
    return lines


def _yaml(text: str, path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text) if text else {}
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML ({str(error).splitlines()[0]}); {AGAIN}") from error
    return content if isinstance(content, dict) else {}
