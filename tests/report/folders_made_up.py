"""Made-up run and study folders in the exact formats, without a model: the answers are drawn, the numbers computed."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from emovlm.metrics import recognition
from emovlm.metrics.uncertainty import bootstrap

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


def study(
    root: Path,
    *,
    arms: Sequence[str] = ("natural", "square_root", "class_balanced", "tail_oversampling"),
    seeds: Sequence[int] = (0,),
    classes: Sequence[str] = CLASSES,
    per_class: int = 40,
    media: dict[str, list[str]] | None = None,
) -> Path:
    """A study folder with zero-shot; `media`: clip id -> paths."""
    folder = root / "sampling"
    entries = []
    for name in (*arms, "zero_shot"):
        zero_shot, runs = name == "zero_shot", []
        for seed in (0,) if zero_shot else seeds:
            where = f"{name}/seed{seed}"
            run(folder / where, arm=name, seed=seed, classes=classes, per_class=per_class, media=media)
            runs.append({"seed": seed, "folder": where})
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
) -> Path:
    """A run folder with all of its files; a zero-shot one has neither ledger nor log."""
    generator = np.random.default_rng([seed, sorted(SKILL).index(arm)])
    rows = _answers(arm, seed, classes, per_class, media or {})
    where = folder / "eval" / "test-likelihood"
    where.mkdir(parents=True)
    header = {"format": 1, "classes": list(classes), "scorer": "likelihood", "prior": None, "split": "test"}
    header |= {"recipe_hash": "0f3a9c", "protocol": {}}
    (where / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [header, *rows]))
    trained = arm != "zero_shot"
    train = {"seconds": 47.2 + seed, "num_steps": NUM_STEPS, "trainable_parameters": 108_544}
    train = train | {"loss_prior": "planned", "different_data": []} if trained else None
    report = {"name": arm, "recipe_hash": "0f3a9c", "train": train}
    report["evaluations"] = {"test-likelihood": _evaluation(rows, classes)}
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


def _answers(arm: str, seed: int, classes: Sequence[str], per_class: int, media: dict[str, list[str]]) -> list[dict]:
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
                    "soft_target": None,
                    "subject": f"s{number % 12}",
                    "source": None,
                    "media": media.get(row_id, []),
                    "scores": scores_C.tolist(),
                    "text": None,
                    "parsed": classes[int(np.argmax(scores_C))],
                    "times_s": [float(t) for t in range(8)] if row_id in media else [],
                    "hit": None,
                }
            )
    return rows


def _evaluation(rows: list[dict], classes: Sequence[str]) -> dict:
    targets_N = np.array([classes.index(row["target"]) for row in rows])
    predicted_N = np.array([int(np.argmax(row["scores"])) for row in rows])
    counts_CP = recognition.confusion(targets_N, predicted_N, len(classes))
    is_tail_C = recognition.tail_classes(np.array(TRAIN_COUNTS))

    def scored(statistic) -> dict:
        low, high = bootstrap(targets_N, predicted_N, statistic, num_classes=len(classes))
        return {"value": float(statistic(counts_CP)), "low": float(low), "high": float(high)}

    low_C, high_C = bootstrap(targets_N, predicted_N, recognition.recall_C, num_classes=len(classes))
    recall = zip(recognition.recall_C(counts_CP), low_C, high_C, strict=True)
    return {
        "num_clips": len(rows),
        "classes": list(classes),
        "support": recognition.support_C(counts_CP).tolist(),
        "train_counts": list(TRAIN_COUNTS),
        "tail": [name for name, is_tail in zip(classes, is_tail_C, strict=True) if is_tail],
        "war": scored(recognition.war),
        "uar": scored(recognition.uar),
        "macro_f1": scored(recognition.macro_f1),
        "tail_recall": scored(lambda counts: recognition.tail_recall(counts, is_tail_C)),
        "recall": [{"value": float(v), "low": float(low), "high": float(high)} for v, low, high in recall],
        "confusion": counts_CP.tolist(),
        "predicted": recognition.predicted_C(counts_CP).tolist(),
        "unreadable": int(recognition.unreadable(counts_CP)),
        "num_classes_present": int(recognition.num_present(counts_CP)),
        "interval": "95 % bootstrap over clips, 1000 draws",
    }


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
