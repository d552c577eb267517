"""Fine-tune vision-language models on long-tailed emotion data, and score them in a way that can be defended.

For notebooks, what the commands do is here under these names; each is imported when it is first used:

    load_recipe(path, overrides)     a YAML file -> a checked Recipe                      emovlm train's first step
    load_rows(recipe.data)           {split: datasets.Dataset}, one row a clip
    plan_draws(recipe)               what a training will draw of each class              emovlm sample
    ClassSampler(labels, ...)        the index stream itself, for any trainer
    RunFolder(path)                  the files of a run, by name
    train_run(recipe, run)           trains, writes the run folder                        emovlm train
    evaluate_run(recipe, run)        scores a split, -> its part of report.json           emovlm evaluate
    load_predictor(path, overrides)  a run (or a recipe with train=none), model loaded
    predict_clips(predictor, paths)  -> [Answer], one a clip                              emovlm predict

From a recipe to answers (paths are pathlib's):

    from pathlib import Path

    import emovlm

    recipe = emovlm.load_recipe(Path("recipes/demo/tiny_video.yaml"), ["trainer.max_steps=8", "output=runs/try"])
    rows = emovlm.load_rows(recipe.data)["test"]
    run = emovlm.RunFolder(recipe.output)
    emovlm.train_run(recipe, run)
    print(emovlm.evaluate_run(recipe, run)["uar"])
    print(emovlm.predict_clips(emovlm.load_predictor(run.folder), rows[0]["media"])[0].probabilities)
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# Name -> the place of what it stands for. Not `train` or `evaluate`: those are the folders.
PUBLIC = {
    "load_recipe": "emovlm.recipe:load",
    "load_rows": "emovlm.data.splits:load",
    "plan_draws": "emovlm.sample:planned",
    "ClassSampler": "emovlm.longtail.sampler:ClassSampler",
    "RunFolder": "emovlm.run:RunFolder",
    "train_run": "emovlm.train.sft:train",
    "evaluate_run": "emovlm.evaluate.evaluator:evaluate",
    "load_predictor": "emovlm.predict.predictor:load",
    "predict_clips": "emovlm.predict.batch:predict",
}


class UserError(ValueError):
    """The user's mistake. The message is one line: the value, its place, what is allowed, the remedy."""


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'emovlm' has no attribute '{name}'; for notebooks it has {', '.join(PUBLIC)}")
    module, _, attribute = PUBLIC[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *PUBLIC})
