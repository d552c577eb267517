"""What a training would do: classes and proportions, one prompt with its frames and texts, what is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from emovlm import processes
from emovlm.data import splits as data_splits
from emovlm.enrich.run import all_texts, look_for
from emovlm.models import load as models
from emovlm.models import lora
from emovlm.prompts.collator import Collator
from emovlm.sample import planned, sampling_table
from emovlm.train.preflight import accumulation_steps, check_answers
from emovlm.train.sft import trainable

if TYPE_CHECKING:
    from emovlm.recipe import Recipe


def dry_run(recipe: Recipe) -> None:
    """Print it to the terminal. Raises what the training would raise before its first step."""
    console = Console()
    accumulation = accumulation_steps(recipe, processes.state().num_processes)
    splits = data_splits.load(recipe.data)
    rows = data_splits.pick(splits, "train")
    classes = rows.features["label"].names
    console.print(sampling_table(planned(recipe)))

    vlm = models.load(recipe.model)
    texts = all_texts(recipe, splits)["train"]
    look = look_for(recipe)
    collator = Collator(vlm.processor, recipe, classes, with_answers=True, texts=texts, look=look)
    check_answers(rows, collator)
    row = {**rows[0], "row": 0}
    clip = look(row, recipe.frames, (recipe.seed, 0, row["id"]))
    batch = collator.tensors([row], [clip])
    console.print(f"\n[bold]One prompt[/bold] (row {row['id']}), and its answer:")
    whole = collator.prompt(row, clip) + collator.answers.text(collator.answer(row))
    console.print(whole, markup=False, highlight=False)
    times = ", ".join(f"{time_s:.2f}" for time_s in clip.times_s_T)
    height, width = clip.frames_THWC.shape[1:3]
    console.print(f"\n{len(clip.times_s_T)} of {clip.num_visible} frames, {width} x {height} px, at s: {times}")
    learnt = int((np.asarray(batch["labels"]) >= 0).sum())
    console.print(f"{batch['input_ids'].shape[1]} tokens a row, {learnt} of them learnt")
    console.print(lora.table(trainable(vlm, recipe)))
    device_batch = recipe.global_batch // accumulation // processes.state().num_processes
    console.print(f"global batch {recipe.global_batch} = {device_batch} a device x {accumulation} accumulated")
