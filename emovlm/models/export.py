"""A trained run as a folder that other tools load: its adapter, or one model with the adapter merged into the weights.

N clips, C classes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from emovlm import UserError
from emovlm.models import load as models
from emovlm.models import lora

if TYPE_CHECKING:
    from emovlm.recipe import Recipe
    from emovlm.run import RunFolder

# Nats by which the score of a class may differ after the merge.
LIMIT = 1e-3
# (model, processor) -> scores_NC of some clips.
Score = Callable[[Any, Any], np.ndarray]


def export(
    recipe: Recipe,
    run: RunFolder,
    out: Path,
    *,
    merge: bool,
    score: Score,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
) -> float | None:
    """Write the run's model and its processor to `out`: whole or not at all.

    merge: the scores by the adapter and by the merged model, read back from its folder, are compared, both computed in
    float32. -> the largest difference. UserError above LIMIT: a short dtype rounds the adapter away.
    """
    if not run.trained():
        raise UserError(f"{run.folder}: is not trained yet; run `emovlm train` first")
    if merge and recipe.train == "head":
        raise UserError("--merge: a head stands behind the model's last state and is no part of it; leave it out")
    if dtype != "float32" and not (merge and recipe.train == "lora"):
        raise UserError(f"--dtype {dtype}: goes with --merge of an adapter; what was trained is exported as it is")
    if out.exists():
        raise UserError(f"{out}: exists already; give another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        if merge and recipe.train == "lora":
            difference = _merge(recipe, run, temporary, score, dtype)
        else:
            shutil.copytree(run.learnt(recipe.train), temporary)
            difference = None
        os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return difference


def _merge(recipe: Recipe, run: RunFolder, folder: Path, score: Score, dtype: str) -> float:
    exact = recipe.model.model_copy(update={"dtype": "float32"})
    vlm = models.load(exact)
    if recipe.model.quantize:
        # The weights that the adapter was trained on: those of the four bits, not those of the hub.
        vlm = models.Vlm(vlm.model.dequantize(), vlm.processor)
    adapted = lora.load(vlm.model, run.adapter).eval()
    before_NC = score(adapted, vlm.processor)
    merged = adapted.merge_and_unload().to(models.DTYPES[dtype])
    merged.save_pretrained(folder)
    vlm.processor.save_pretrained(folder)
    again = models.load(exact.model_copy(update={"name": str(folder), "quantize": None}))
    after_NC = score(again.model.eval(), again.processor)
    difference = float(np.abs(after_NC - before_NC).max())
    if difference > LIMIT:
        remedy = (
            "keep the adapter (without --merge)" if dtype == "float32" else "give --dtype float32, or keep the adapter"
        )
        raise UserError(
            f"{run.folder}: merged into {dtype} weights the label scores of {len(after_NC)} clips differ by up to "
            f"{difference:.2g} nats, more than {LIMIT}; {remedy}"
        )
    return difference
