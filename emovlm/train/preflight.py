"""What is checked before the first step, so that hours are not spent on a run that could not have been right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emovlm import UserError

if TYPE_CHECKING:
    import datasets

    from emovlm.prompts.collator import Collator
    from emovlm.recipe import Recipe


def accumulation_steps(recipe: Recipe, num_processes: int) -> int:
    """Accumulation follows from the global batch, the batch on a device and the number of processes."""
    device_batch = recipe.trainer.get("per_device_train_batch_size", 8)
    per_forward = device_batch * num_processes
    if recipe.global_batch % per_forward:
        each, rest = divmod(recipe.global_batch, num_processes)
        fits = next((size for size in range(min(device_batch, each), 0, -1) if each % size == 0), 0)
        remedy = (
            f"set global_batch to a multiple of {num_processes}"
            if rest or not fits
            else f"set trainer.per_device_train_batch_size={fits}"
        )
        raise UserError(
            f"global_batch: {recipe.global_batch} is not a multiple of {device_batch} (per device) x {num_processes} "
            f"(processes); {remedy}"
        )
    return recipe.global_batch // per_forward


def check_answers(rows: datasets.Dataset, collator: Collator) -> bool:
    """Every row has an answer to learn, with exactly one end-of-turn. -> True for labels, False for free answers."""
    columns = rows.column_names
    free = list(rows["answer"]) if "answer" in columns else [None] * len(rows)
    labels = list(rows["label"])
    kinds = {bool(answer) for answer in free}
    if len(kinds) > 1:
        odd = rows["id"][free.index(next(answer for answer in free if not answer))]
        raise UserError(f"row {odd}: has no answer while others have; train labels and answers in two runs")
    if kinds == {True}:
        for answer in {answer for answer in free if answer}:
            collator.answers.ids(answer)
        return False
    soft = list(rows["soft_label"]) if "soft_label" in columns else [None] * len(rows)
    for row_id, label, shares in zip(rows["id"], labels, soft, strict=True):
        if label is None and shares is None:
            raise UserError(f"row {row_id}: has no label; give it one, or leave it out of the training split")
    for name in collator.classes:
        collator.answers.ids(name)
    return True
