"""A run's model on clips that are in no data set, by the path on which the run was scored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from emovlm import UserError, processes
from emovlm import recipe as recipes
from emovlm import run as runs
from emovlm.data import tables
from emovlm.enrich.run import look_for, texts_made
from emovlm.evaluate import adjust
from emovlm.evaluate import predictions as border
from emovlm.evaluate.asking import asker
from emovlm.evaluate.evaluator import checkpoint
from emovlm.evaluate.predictions import Predictions
from emovlm.frames import altered
from emovlm.frames.clip import Clip, ClipError
from emovlm.models import load as models
from emovlm.predict import adjusting
from emovlm.predict.clips import Answer, named_gaps
from emovlm.prompts.arrangement import own_times_s
from emovlm.prompts.collator import Collator

if TYPE_CHECKING:
    from emovlm.evaluate.passes import Ask
    from emovlm.recipe import Recipe

# What may be another than in training: how the scores are read, and which frames are looked at (which is then said).
MAY_CHANGE = ("evaluate", "frames")
Row = dict[str, Any]


class Predictor:
    """The model, loaded once. trained: the run's recipe; asked: the same as it is used, with `evaluate:` and `frames:`.

    changed: the overrides by which clips are put to the model otherwise than when the run was scored.
    """

    def __init__(self, trained: Recipe, run: runs.RunFolder, asked: Recipe | None = None, changed: Sequence[str] = ()):
        self.trained, self.run, self.asked, self.changed = trained, run, asked or trained, list(changed)
        if self.asked.enrich and self.asked.enrich.control == "true_units":
            raise UserError("enrich.control: true_units are annotations, which a new clip has not; take another run")
        self.classes = classes_of(trained, run)
        # Asked first: its errors come in a second, the model in many.
        self.adjustment = adjusting.of_run(self.asked, run, self.classes)
        vlm = models.load(trained.model) if trained.train == "none" else checkpoint(trained, run)
        self.vlm = models.Vlm(vlm.model.to(processes.state().device).eval(), vlm.processor)

    def answers(
        self, rows: Sequence[Row], asked: Recipe | None = None, adjustment: adjusting.Adjustment | None = None
    ) -> Iterator[tuple[Answer, Clip | None]]:
        """Each row's answer and its clip as it was looked at, in order; for a clip that cannot be read None.

        asked, adjustment: in place of the predictor's own.
        """
        asked, adjustment = asked or self.asked, adjustment or self.adjustment
        texts, failed = texts_made(asked, rows, self.classes)
        # What only a whole split can tell (orders, altered clips, rare words) is left out.
        plain = adjust.plain(asked, keep_prior=True)
        collator = Collator(
            self.vlm.processor, plain, self.classes, with_answers=False, texts=texts, look=look_for(plain)
        )
        ask = asker(plain, self.vlm.model, collator, self.classes)
        size = asked.evaluate.batch_size
        for start in range(0, len(rows), size):
            batch = list(rows[start : start + size])
            clips, errors = _looked(batch, collator, failed)
            replies = _replies([row for row in batch if row["id"] in clips], clips, collator, ask, errors)
            if adjustment.kind == "blank":
                _add_blank(batch, clips, collator, ask, replies)
            lines = [
                border.row_of(row, self.classes, own_times_s(clips[row["id"]]).tolist(), **replies[row["id"]])
                for row in batch
                if row["id"] in replies
            ]
            known = {answer.id: answer for answer in self._answers(lines, clips, collator, asked, adjustment)}
            for row in batch:
                name = row["id"]
                yield known.get(name) or Answer(name, error=errors[name]), clips.get(name)

    def _answers(
        self,
        lines: list[Row],
        clips: dict[str, Clip],
        collator: Collator,
        asked: Recipe,
        adjustment: adjusting.Adjustment,
    ) -> Iterator[Answer]:
        found = Predictions({"classes": self.classes, "scorer": asked.evaluate.scorer, "protocol": {}}, lines)
        probs_NC = None
        if found.has_scores() and lines:
            found = adjustment.scores(found)
            probs_NC = adjustment.probabilities_NC(found)
        for n, line in enumerate(found.rows):
            name, clip = line["id"], clips[line["id"]]
            yield Answer(
                id=name,
                start_s=line["start_s"],
                end_s=line["end_s"],
                answer=line["parsed"] if probs_NC is None else self.classes[int(probs_NC[n].argmax())],
                probabilities={} if probs_NC is None else self._by_class(probs_NC[n].tolist()),
                scores=self._by_class(line["scores"]) if line["scores"] else {},
                raw=self._by_class(line["raw"]) if "raw" in line else None,
                text=line["text"],
                times_s=line["times_s"],
                texts=named_gaps(collator.arranging.shown(name, clip)[1]),
                storyboard=collator.storyboard(line, clip),
            )

    def _by_class(self, values_C: Sequence[float]) -> dict[str, float]:
        return dict(zip(self.classes, values_C, strict=True))


def load(path: Path, overrides: Sequence[str] = ()) -> Predictor:
    """The predictor of a run folder, or of a recipe (its run; with train=none the model as it is).

    Raises UserError for an override of a run folder that would make it another model.
    """
    if not path.is_dir():
        found = recipes.load(path, list(overrides))
        return Predictor(found, runs.folder_of(found, path))
    for override in overrides:
        if _section(override) not in MAY_CHANGE:
            raise UserError(
                f"{override}: of a run folder only evaluate and frames can be another; with a recipe and train=none "
                "anything can be varied"
            )
    run = runs.existing(path)
    changed = [override for override in overrides if _section(override) == "frames"]
    return Predictor(recipes.load(run.recipe), run, recipes.load(run.recipe, list(overrides)), changed)


def _section(override: str) -> str:
    return override.partition("=")[0].partition(".")[0]


def classes_of(recipe: Recipe, run: runs.RunFolder) -> list[str]:
    """In the order of the run; its data set may be elsewhere by now. Without a run as the recipe's data have them."""
    if run.ledger.is_file() and recipe.train != "none":
        return json.loads(run.ledger.read_text(encoding="utf-8"))["classes"]
    return tables.load_rows(recipe.data)[1]


def _looked(batch: Sequence[Row], collator: Collator, failed: dict[str, str]) -> tuple[dict[str, Clip], dict[str, str]]:
    """(clips by id; id -> why it could not be read, or `failed`: why it has no texts)."""
    clips: dict[str, Clip] = {}
    errors = {row["id"]: failed[row["id"]] for row in batch if row["id"] in failed}
    for row in batch:
        if row["id"] in errors:
            continue
        try:
            # Without a key: what is scored is not random.
            clips[row["id"]] = collator.look(row, collator.recipe.frames, None)
        except ClipError as error:
            errors[row["id"]] = str(error)
    return clips, errors


def _replies(
    batch: Sequence[Row], clips: dict[str, Clip], collator: Collator, ask: Ask, errors: dict[str, str]
) -> dict[str, Row]:
    """By id. Where the processor refuses a batch, its clips are asked one by one, and what it says goes to `errors`."""
    if not batch:
        return {}
    try:
        tensors = collator.tensors(batch, [clips[row["id"]] for row in batch])
    except ValueError as error:
        if len(batch) == 1:
            errors[batch[0]["id"]] = " ".join(str(error).split())
            return {}
        return {name: found for row in batch for name, found in _replies([row], clips, collator, ask, errors).items()}
    device = processes.state().device
    with torch.no_grad():
        found = ask({name: tensor.to(device) for name, tensor in tensors.items()})
    return {row["id"]: reply for row, reply in zip(batch, found, strict=True)}


def _add_blank(
    batch: Sequence[Row], clips: dict[str, Clip], collator: Collator, ask: Ask, replies: dict[str, Row]
) -> None:
    """To each reply the scores of the same clip with nothing to see in it."""
    grey = {name: altered.blank(clip) for name, clip in clips.items()}
    errors: dict[str, str] = {}
    for name, reply in _replies([row for row in batch if row["id"] in replies], grey, collator, ask, errors).items():
        replies[name]["blank"] = reply["scores"]
    assert not errors, "a blank clip has the size of the one that passed"
