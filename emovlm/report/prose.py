"""The sentences of the page that depend on the study: title, first paragraph, contrast, how to reproduce."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emovlm.evaluate.pooling import POOLED
from emovlm.report.contrast import Contrast
from emovlm.report.records import Run, Study
from emovlm.report.tables import ordered_arms

# Parts of the protocol, as `protocol` words them.
IN_SHORT = ("scorer", "score", "synonyms", "prior", "frames", "selected on")
# Written from the definitions in metrics/recognition.py.
DEFINITIONS = (
    ("WAR", "Weighted average recall: the share of all clips answered right (accuracy). Common classes decide it."),
    (
        "UAR",
        "Unweighted average recall: the recall of each class, averaged with equal weight for every class that has "
        "clips in the split. Always answering one class gives 1 / number of classes.",
    ),
    (
        "Macro-F1",
        "The F1 of each class (harmonic mean of precision and recall), averaged like UAR. It also punishes answering a "
        "class too often.",
    ),
    (
        "Tail recall",
        "The mean recall of the tail: the third of the classes (rounded, at least one) with the fewest training clips.",
    ),
    (
        "Unreadable",
        "Answers that name no class. They count as wrong for every class and are never counted as some default class.",
    ),
    (
        "Brackets",
        "95 % interval from resampling, with replacement, whole subjects with all their clips: it says how much the "
        "score depends on who was in the split. Where the subjects are not known clips are resampled, which is "
        "optimistic: clips of one person are alike. Where a class has clips of fewer than five subjects there is no "
        "interval. Of one seed it says nothing about another training run; of several, seeds are resampled too, and "
        "of three seeds two thirds of their spread are seen.",
    ),
    (
        "p",
        "How often a difference as large comes about where the two arms do not differ: their answers are swapped, "
        "subject by subject, by the throw of a coin. It speaks of these trained models on other subjects.",
    ),
)


@dataclass(frozen=True)
class Cost:
    """What an arm was and what it took; text, ready to print."""

    arm: str
    overrides: str
    steps: str
    batch: str
    parameters: str
    seconds: str
    recipe_hash: str


def title(study: Study) -> str:
    words = study.name.replace("_", " ").replace("-", " ").strip() or study.name
    return words[:1].upper() + words[1:]


def lede(study: Study, key: str) -> str:
    """One plain paragraph: what was compared, on what, at what cost."""
    evaluation = study.arms[0].runs[0].evaluations[key]
    if study.given:
        return _lede_of_runs(study, key)
    arms = ordered_arms(study)
    trained = [arm for arm in arms if not arm.zero_shot]
    order = evaluation.head_to_tail
    names, counts = evaluation.classes, evaluation.train_counts_C
    scored = f"{evaluation.num_clips} {evaluation.split} clips"
    model = model_name(trained[0].runs[0] if trained else arms[0].runs[0])
    if not trained:
        return f"{model} as it is, without any training, on {scored} of {len(names)} classes."
    about = "about " if study.num_folds > 1 else ""
    skew = (
        f"{about}{sum(counts)} training clips of {len(names)} classes, from {counts[order[0]]} ({names[order[0]]}) "
        f"down to {counts[order[-1]]} ({names[order[-1]]}),"
    )
    spent = _spent(trained[0].runs[0])
    if study.single:
        return f"One fine-tune of {model} on {skew}{spent}. It is scored on {scored}."
    listed = _listed([arm.name + (" (the control)" if arm.control else "") for arm in trained])
    each = "Each arm fine-tunes" if len(trained) > 1 else "It fine-tunes"
    beside = " Zero-shot is the same model before any training." if len(trained) < len(arms) else ""
    pooled = f", {POOLED} ({study.num_folds})" if study.num_folds > 1 else ""
    return (
        f"Compared: {listed}. {each} {model} on the same {skew}{spent}. All are scored on the same {scored}{pooled}."
        f"{beside}"
    )


def _lede_of_runs(study: Study, key: str) -> str:
    evaluation = study.arms[0].runs[0].evaluations[key]
    listed = _listed([arm.name + (" (the control)" if arm.control else "") for arm in study.arms])
    return (
        f"Compared: {listed}. They are runs of different recipes, each as it was made, scored on the same "
        f"{evaluation.num_clips} {evaluation.split} clips of {len(evaluation.classes)} classes. What their recipes "
        "differ in stands under How to reproduce."
    )


def contrast_words(named: Contrast, study: Study) -> str:
    """What the interval of the UAR difference says, what it does not say, and what it rests on."""
    found = named.differences["uar"]
    if np.isnan(found.low):
        verdict = ""
    elif found.low > 0 or found.high < 0:
        verdict = "The interval of the UAR difference leaves out 0"
    else:
        verdict = "The interval of the UAR difference includes 0: these clips do not tell the two apart"
    if verdict:
        verdict += (
            "; it covers who was in the split, not the luck of a training run. " if study.num_seeds == 1 else ". "
        )
    return (
        f"{verdict}Both arms answered the same {named.num_clips} clips, so that what makes a clip hard cancels out. "
        f"{named.basis} The contrast is the one that the study file names."
    )


def protocol(study: Study, key: str) -> list[tuple[str, str]]:
    """How the numbers came about: each part once, arm by arm where arms differ in it."""
    found = []
    for name, by_arm in _parts(study, key).items():
        values = list(dict.fromkeys(by_arm.values()))
        if len(values) > 1:
            values = [f"{value} ({', '.join(arm for arm in by_arm if by_arm[arm] == value)})" for value in values]
        found.append((name, "; ".join(values)))
    return found


def in_short(study: Study, key: str) -> str:
    """Of the protocol what changes a number most; nothing where the files have none."""
    found = []
    for name, by_arm in _parts(study, key).items():
        values = set(by_arm.values())
        if name in IN_SHORT and not values <= {"no", "none"}:
            found.append(f"{name} {values.pop()}" if len(values) == 1 else f"{name} not the same in all")
    return "; ".join(found)


def _parts(study: Study, key: str) -> dict[str, dict[str, str]]:
    """Part of the protocol -> arm -> its value, in words; all values where the arm's runs differ."""
    by_part: dict[str, dict[str, list[str]]] = {}
    for arm in ordered_arms(study):
        for run in arm.runs:
            evaluation = run.evaluations[key]
            if not evaluation.protocol:
                continue
            for name, value in {"evaluation": evaluation.key, **evaluation.protocol}.items():
                by_part.setdefault(name.replace("_", " "), {}).setdefault(arm.name, []).append(_plain(name, value))
    return {
        name: {arm: ", ".join(dict.fromkeys(values)) for arm, values in by_arm.items()}
        for name, by_arm in by_part.items()
    }


def _plain(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(key, one)}" for key, one in value.items() if one is not None)
    if isinstance(value, list):
        return ", ".join(_plain(name, one) for one in value)
    if value is None or isinstance(value, bool):
        return "yes" if value else "no" if value is False else "none"
    return _folder_name(str(value)) if name == "model" else str(value)


def costs(study: Study) -> list[Cost]:
    found = []
    for arm in ordered_arms(study):
        runs = arm.parts
        trains = [run.train for run in runs if run.train]
        batches = [run.ledger.global_batch for run in runs if run.ledger]
        found.append(
            Cost(
                arm=arm.name,
                overrides=" ".join(arm.overrides) or ("no training" if not trains else "none"),
                steps=str(trains[0]["num_steps"]) if trains else "0",
                batch=str(batches[0]) if batches else "-",
                parameters=f"{trains[0]['trainable_parameters']:,}" if trains else "0",
                seconds=f"{np.mean([train['seconds'] for train in trains]):.0f} s" if trains else "-",
                recipe_hash=str(runs[0].env.get("recipe_hash") or "-")[:12],
            )
        )
    return found


def commands(study: Study) -> list[str]:
    """What to type to make this again; the study as a whole where its command is known, else arm by arm."""
    if study.command:
        return [study.command]
    if study.given:
        return [_again(run) for arm in study.arms for run in arm.parts]
    if study.single:
        return [_again(study.arms[0].runs[0])]
    if not study.recipe_name or study.num_folds > 1:
        return [f"emovlm study {shlex.quote(place(study.folder) + '/study.yaml')}"]
    lines = []
    for arm in ordered_arms(study):
        untrained = ["train=none"] if arm.zero_shot and "train=none" not in arm.overrides else []
        for run in arm.runs:
            words = [study.recipe_name, *arm.overrides, *untrained, f"seed={run.seed}"]
            lines.append("emovlm train " + " ".join(map(shlex.quote, words)))
    return lines


def _again(run: Run) -> str:
    return f"emovlm {'train' if run.train else 'evaluate'} {shlex.quote(f'{place(run.folder)}/recipe.yaml')}"


def remake(study: Study) -> str:
    """What to type for this page."""
    return " ".join(["emovlm report", *(shlex.quote(place(folder)) for folder in study.given or [study.folder])])


def place(folder: Path) -> str:
    """The folder as one types it in the project, from `runs` on; never this machine's absolute path."""
    parts = folder.resolve().parts
    from_runs = parts[len(parts) - 1 - parts[::-1].index("runs") :] if "runs" in parts else parts[-1:]
    return "/".join(from_runs)


def environment(study: Study) -> list[tuple[str, str]]:
    """Commit, device and versions; each value once, all of them where runs differ."""
    runs = [part for arm in study.arms for part in arm.parts]
    facts: dict[str, list[str]] = {}
    for run in runs:
        env = run.env
        for name in ("commit", "device", "world_size"):
            if env.get(name) is not None:
                facts.setdefault(name.replace("world_size", "processes"), []).append(str(env[name]))
        for name, version in sorted((env.get("versions") or {}).items()):
            facts.setdefault(name, []).append(str(version))
    return [(name, ", ".join(dict.fromkeys(values))) for name, values in facts.items()]


def model_name(run: Run) -> str:
    model = run.recipe.get("model")
    name = str(model.get("name") or "") if isinstance(model, dict) else ""
    if name == "demo":
        return "the tiny demo model"
    return _folder_name(name) or "the model"


def _folder_name(name: str) -> str:
    """Of a path the last part: the rest is nobody else's business."""
    return name.rstrip("/").rsplit("/", 1)[-1] if name.startswith(("/", "~", ".")) else name


def _spent(run: Run) -> str:
    if not run.train:
        return ""
    batch = f" of {run.ledger.global_batch} clips" if run.ledger else ""
    return f" for {run.train['num_steps']} optimiser steps{batch}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
