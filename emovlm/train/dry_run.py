"""What a training would do: classes and proportions, one prompt with its frames and texts, what is trained, memory.

The model is looked at without its weights, so that this takes seconds whatever its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm import processes
from emovlm.console import stdout
from emovlm.data import splits as data_splits
from emovlm.enrich.run import all_texts, look_for
from emovlm.models import load as models
from emovlm.models import lora, memory, tokens
from emovlm.prompts.collator import Collator
from emovlm.sample import planned, sampling_table
from emovlm.train.preflight import accumulation_steps, check_answers
from emovlm.train.sft import trainable

if TYPE_CHECKING:
    import datasets

    from emovlm.recipe import Recipe

# To find about the longest row, without decoding all of them.
ROWS_LOOKED_AT = 16


def dry_run(recipe: Recipe) -> None:
    """Print it to the terminal. Raises what the training would raise before its first step."""
    console = stdout()
    accumulation = accumulation_steps(recipe, processes.state().num_processes)
    splits = data_splits.load(recipe.data)
    rows = data_splits.pick(splits, "train")
    classes = rows.features["label"].names
    console.print(sampling_table(planned(recipe)))

    vlm = models.empty(recipe.model)
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
    if recipe.enrich:
        console.print("\n".join(collator.storyboard(row, clip)), markup=False, highlight=False)
    times = ", ".join(f"{time_s:.2f}" for time_s in clip.times_s_T)
    height, width = clip.frames_THWC.shape[1:3]
    console.print(f"\n{len(clip.times_s_T)} of {clip.num_visible} frames, {width} x {height} px, at s: {times}")
    cost = tokens.clip_cost(vlm.processor, *clip.frames_THWC.shape[:3], as_video=recipe.frames.input == "video")
    learnt = int((np.asarray(batch["labels"]) >= 0).sum())
    console.print(
        f"{batch['input_ids'].shape[1]} tokens a row: {cost.all} for the clip ({cost.visual} visual), {learnt} learnt"
    )
    # PiSSA would take apart weights that are not there.
    plain = recipe.model_copy(update={"lora": recipe.lora.model_copy(update={"init": "default"})})
    model = trainable(vlm, plain, len(classes))
    console.print(lora.table(model))
    device_batch = recipe.global_batch // accumulation // processes.state().num_processes
    console.print(f"global batch {recipe.global_batch} = {device_batch} a device x {accumulation} accumulated")
    console.print(memory_needed(recipe, model, collator, rows, device_batch), highlight=False)


def memory_needed(recipe: Recipe, model: Any, collator: Collator, rows: datasets.Dataset, device_batch: int) -> str:
    """The estimate, with and without gradient checkpointing, for the longest of some rows."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, ROWS_LOOKED_AT).astype(int))
    batches = [collator([{**rows[int(k)], "row": int(k)}]) for k in chosen]
    longest = max(batches, key=lambda batch: batch["input_ids"].numel())
    known = models.DTYPES.get(recipe.model.dtype)
    width = known.itemsize if known else 2
    lines = [
        f"GPU memory, estimated in {recipe.model.dtype if known else 'bfloat16'}, in GB, for {device_batch} rows of "
        f"{longest['input_ids'].numel()} tokens (the longest of {len(batches)}), beside about 1 GB of CUDA itself:"
    ]
    for checkpointing in (False, True):
        layout = memory.Layout(device_batch, width, bool(recipe.model.quantize), checkpointing)
        found = memory.estimate(model, longest, longest["labels"].shape[1], layout)
        now = "  <- this recipe" if recipe.checkpoints_activations == checkpointing else ""
        lines.append(f"  activation_checkpointing={str(checkpointing).lower()}: {found}{now}")
    return "\n".join(lines)
