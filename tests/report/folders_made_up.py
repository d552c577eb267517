"""Made-up run and study folders in the exact formats, without a model: the answers are drawn, the numbers computed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from emovlm.data.folds import ids_hash
from emovlm.evaluate.predictions import Predictions, write
from emovlm.evaluate.robustness import agreement
from emovlm.evaluate.summary import summarise

CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
TRAIN_COUNTS = (108, 99, 89, 79, 60, 6, 39)
# Chance that a clip of a class is answered right, by arm; a made-up version of what sampling does.
SKILL = {
    "zero_shot": (0.9, 0.75, 0.85, 0.7, 0.85, 0.02, 0.4),
    "natural": (0.92, 0.8, 0.85, 0.8, 0.86, 0.05, 0.48),
    "square_root": (0.9, 0.78, 0.84, 0.8, 0.86, 0.25, 0.54),
    "class_balanced": (0.87, 0.76, 0.78, 0.78, 0.86, 0.66, 0.58),
    "tail_oversampling": (0.86, 0.74, 0.76, 0.78, 0.85, 0.6, 0.62),
}
POWER = {"natural": 1.0, "square_root": 0.5, "class_balanced": 0.0, "tail_oversampling": 0.2}
NUM_STEPS, GLOBAL_BATCH = 60, 16
# What an evaluation holds since scores can be defended.
NEW = ("weighted_f1", "many", "medium", "few", "groups", "precision", "f1", "top2", "interval_unit", "collapse")
NEW += ("calibration", "look", "words", "orders", "soft", "cut_off", "unread", "agreement", "protocol")


def study(
    root: Path,
    *,
    arms: Sequence[str] = ("natural", "square_root", "class_balanced", "tail_oversampling"),
    seeds: Sequence[int] = (0,),
    folds: int | None = None,
    **settings: Any,
) -> Path:
    """A study folder with zero-shot; `settings`: those of `run`. Folds share the clips out by subject."""
    folder = root / "sampling"
    entries = []
    for name in (*arms, "zero_shot"):
        zero_shot, runs = name == "zero_shot", []
        for fold in range(1, folds + 1) if folds else [None]:
            for seed in (0,) if zero_shot else seeds:
                where = f"{name}/seed{seed}" if fold is None else f"{name}/fold{fold}/seed{seed}"
                part = None if fold is None or folds is None else (fold, folds)
                run(folder / where, arm=name, seed=seed, part=part, **settings)
                runs.append({"seed": seed, "folder": where} | ({} if fold is None else {"fold": fold}))
        overrides = [] if zero_shot else [f"sampler.strategy={name}"]
        entries.append({"name": name, "zero_shot": zero_shot, "overrides": overrides, "runs": runs})
    contrast = ["class_balanced", "natural"]
    (folder / "study.yaml").write_text(
        "name: sampling\nrecipe: recipes/demo/tiny.yaml\n"
        f"seeds: {list(seeds)}\ncontrol: natural\ncontrast: {contrast}\nzero_shot: true\n"
    )
    report = {"name": "sampling", "control": "natural", "contrast": contrast, "seeds": list(seeds), "arms": entries}
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def run(
    folder: Path,
    *,
    arm: str = "natural",
    seed: int = 0,
    classes: Sequence[str] = CLASSES,
    per_class: int = 40,
    media: dict[str, list[str]] | None = None,
    part: tuple[int, int] | None = None,
    full: bool = False,
) -> Path:
    """A run folder with all of its files; a zero-shot one has neither ledger nor log.

    media: clip id -> paths. part: (number of this fold, of how many). full: with everything that an evaluation may
    hold: altered clips, orders, votes, a temperature, and a generation audit beside it.
    """
    generator = np.random.default_rng([seed, sorted(SKILL).index(arm)])
    rows = _answers(arm, seed, classes, per_class, media or {}, full)
    if part is not None:
        rows = [row for row in rows if int(row["subject"][1:]) % part[1] == part[0] - 1]
    evaluations = {"test-likelihood": _predictions(rows, classes, arm, seed, part, "likelihood")}
    if full:
        evaluations["test-generation-synonyms"] = _predictions(
            _written(rows, generator), classes, arm, seed, part, "generation"
        )
    trained = arm != "zero_shot"
    train = {"seconds": 47.2 + seed, "num_steps": NUM_STEPS, "trainable_parameters": 108_544}
    train = train | {"loss_prior": "planned", "different_data": []} if trained else None
    report = {"name": arm, "recipe_hash": "0f3a9c", "train": train, "evaluations": {}}
    for key, found in evaluations.items():
        write(folder / "eval" / key / "predictions.jsonl", found)
        temperature = 0.4 if full and found.has_scores() else None
        report["evaluations"][key] = summarise(found, np.array(TRAIN_COUNTS), temperature)
    if full:
        pair = evaluations["test-generation-synonyms"], evaluations["test-likelihood"]
        report["evaluations"]["test-generation-synonyms"]["agreement"] = agreement(*pair)
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "recipe.yaml").write_text(
        f"seed: {seed}\ndata:\n  source: demo\nmodel:\n  name: demo\nsampler:\n  strategy: {arm}\n"
    )
    env = {"versions": {"torch": "2.14.1", "transformers": "5.24.0"}, "commit": "7ad0bb2", "device": "cpu"}
    env |= {"world_size": 1, "recipe_hash": f"0f3a9c{arm}", "started": "2026-01-01T00:00:00"}
    (folder / "env.json").write_text(json.dumps(env))
    if trained:
        (folder / "ledger.json").write_text(json.dumps(_ledger(arm, classes, generator)))
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in _log(arm, generator)))
    return folder


def before(folder: Path) -> Path:
    """The run as an emovlm from before wrote it: an evaluation knows only the first scores."""
    report = json.loads((folder / "report.json").read_text())
    for entry in report["evaluations"].values():
        for key in NEW:
            entry.pop(key, None)
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def drawn_faces(folder: Path, per_class: int = 40, num_frames: int = 8) -> dict[str, list[str]]:
    """Clip id -> small pictures of a drawn face, for the few clips that a page shows."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for frame in range(num_frames):
        picture = Image.new("RGB", (112, 112), (214, 222, 230))
        pen = ImageDraw.Draw(picture)
        pen.ellipse((22, 14, 90, 100), fill=(232, 190, 160))
        for left in (40, 64):
            pen.ellipse((left, 44, left + 8, 52), fill=(40, 40, 40))
        pen.arc((40, 56 + frame, 72, 84), 20, 160, fill=(150, 50, 50), width=4)
        paths.append(str(folder / f"frame{frame}.png"))
        picture.save(paths[-1])
    return {f"test/{number:04d}": paths for number in range(len(CLASSES) * per_class)}


def _predictions(
    rows: list[dict], classes: Sequence[str], arm: str, seed: int, part: tuple[int, int] | None, scorer: str
) -> Predictions:
    protocol = {
        "split": "test",
        "fold": part and part[0],
        "num_rows": len(rows),
        "ids_hash": ids_hash(row["id"] for row in rows),
    }
    protocol |= {"scorer": scorer, "score": "sum", "question": "Which emotion does the person show?"}
    protocol |= {"frames": {"pick": "uniform", "keep": 8}, "model": "/data/models/tiny", "seed": seed}
    protocol |= {"train": "none" if arm == "zero_shot" else "lora"}
    header = {"classes": list(classes), "scorer": scorer, "prior": None, "split": "test"}
    return Predictions(header | {"recipe_hash": "0f3a9c", "protocol": protocol}, rows)


def _answers(
    arm: str, seed: int, classes: Sequence[str], per_class: int, media: dict[str, list[str]], full: bool
) -> list[dict]:
    hard = np.random.default_rng(7).random((len(classes), per_class))  # the same clips are hard for every arm
    generator = np.random.default_rng([seed, sorted(SKILL).index(arm), 1])
    head = np.array(TRAIN_COUNTS, dtype=float) / sum(TRAIN_COUNTS)
    rows = []
    for c, name in enumerate(classes):
        for number in range(per_class):
            scores_C = -1.5 + 0.8 * np.log(head) + generator.normal(0, 0.5, len(classes))
            right = 0.75 * hard[c, number] + 0.25 * generator.random() < SKILL[arm][c]
            scores_C[c] = scores_C.max() + 0.9 if right else scores_C.min() - 0.1
            row_id = f"test/{c * per_class + number:04d}"
            rows.append(
                {
                    "id": row_id,
                    "target": name,
                    "soft_target": _votes(c, len(classes)) if full else None,
                    "subject": f"s{number % 12}",
                    "source": None,
                    "media": media.get(row_id, []),
                    "scores": scores_C.tolist(),
                    "text": None,
                    "parsed": None,
                    "times_s": [float(t) for t in range(8)] if row_id in media else [],
                    "hit": None,
                }
            )
            if full:
                rows[-1] |= _altered(arm, classes, int(scores_C.argmax()), np.random.default_rng([seed, c, number]))
    return rows


def _votes(target: int, num_classes: int) -> list[float]:
    return [0.8 if c == target else 0.2 / (num_classes - 1) for c in range(num_classes)]


def _altered(arm: str, classes: Sequence[str], answer: int, generator: np.random.Generator) -> dict:
    """What is answered to altered clips, by other words and orders; zero-shot answers any clip alike."""
    keeps = {"blank": 0.1, "shuffled": 0.9, "reversed": 0.95, "single_frame": 0.7, "other_clip": 0.15}
    if arm == "zero_shot":
        keeps = dict.fromkeys(keeps, 1.0)

    def other(share: float) -> str:
        return classes[answer if generator.random() < share else int(generator.integers(len(classes)))]

    return {
        "look": {name: other(share) for name, share in keeps.items()},
        "words": {"frequent": other(1.0), "rare": other(0.8)},
        "orders": [other(0.97) for _ in range(3)],
    }


def _written(rows: list[dict], generator: np.random.Generator) -> list[dict]:
    """The same clips, answered in words: nine of ten as the scores say, the others not readable."""
    found = []
    for row in rows:
        cut_off = bool(generator.random() < 0.1)
        best = None if cut_off else CLASSES[int(np.argmax(row["scores"]))]
        plain = {key: value for key, value in row.items() if key not in ("look", "words", "orders", "soft_target")}
        read = {
            "text": "...",
            "parsed": best,
            "unread": "answer tag not closed" if cut_off else None,
            "cut_off": cut_off,
        }
        found.append(plain | {"scores": [], **read})
    return found


def _ledger(arm: str, classes: Sequence[str], generator: np.random.Generator) -> dict:
    counts_C = np.array(TRAIN_COUNTS, dtype=float)
    asked_C = counts_C ** POWER[arm] / (counts_C ** POWER[arm]).sum()
    half_EC = generator.multinomial(NUM_STEPS * GLOBAL_BATCH // 2, asked_C, size=2)  # two epochs of one length
    drawn_C, weights_C = half_EC.sum(0), np.linspace(0.7, 1.3, len(classes))
    masses_C = drawn_C * weights_C
    return {
        "classes": list(classes),
        "strategy": arm,
        "available": list(TRAIN_COUNTS),
        "asked": asked_C.tolist(),
        "drawn": drawn_C.tolist(),
        "class_weights": weights_C.tolist(),
        "effective_prior": (masses_C / masses_C.sum()).tolist(),
        "distinct_clips": np.minimum(drawn_C, TRAIN_COUNTS).tolist(),
        "most_draws_of_a_clip": np.ceil(drawn_C / TRAIN_COUNTS).astype(int).tolist(),
        "effective_epochs": (drawn_C / TRAIN_COUNTS).tolist(),
        "num_steps": NUM_STEPS,
        "global_batch": GLOBAL_BATCH,
        "epochs": [_epoch(epoch, asked_C, drawn_C) for epoch, drawn_C in enumerate(half_EC)],
    }


def _epoch(epoch: int, asked_C: np.ndarray, drawn_C: np.ndarray) -> dict:
    distinct_C = np.minimum(drawn_C, TRAIN_COUNTS)
    return {
        "epoch": epoch,
        "asked": asked_C.tolist(),
        "drawn": drawn_C.tolist(),
        "distinct_clips": distinct_C.tolist(),
        "repeats": (drawn_C - distinct_C).tolist(),
        "most_repeated": {"row": 17, "times": int(np.ceil(drawn_C / TRAIN_COUNTS).max())},
    }


def _log(arm: str, generator: np.random.Generator) -> list[dict]:
    lines = []
    for step in range(1, NUM_STEPS + 1):
        loss = 0.55 + 1.4 * np.exp(-step / 14) + 0.2 * (1 - POWER[arm]) + generator.normal(0, 0.09)
        lines.append({"step": step, "epoch": step / 30, "loss": float(loss), "learning_rate": 1e-3, "grad_norm": 1.0})
        if step % 20 == 0:
            uar = 0.66 + 0.1 * (1 - POWER[arm]) * step / NUM_STEPS + float(generator.normal(0, 0.008))
            lines.append({"step": step, "epoch": step / 30, "validation_uar": uar, "validation_war": uar - 0.02})
            lines[-1]["validation_macro_f1"] = uar - 0.01
    return lines
