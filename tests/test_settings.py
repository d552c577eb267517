"""Settings that contradict each other are said with the remedy, before anything is imported."""

from pathlib import Path

import pytest

from emovlm import UserError, recipe
from emovlm.scoring.kinds import KINDS, LOG_PROBABILITIES

DEMO = Path(__file__).parents[1] / "recipes" / "demo" / "tiny_video.yaml"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["evaluate.scorer=generation", "evaluate.prior=blank"], "generated text has no scores"),
        (["evaluate.scorer=generation", "evaluate.synonyms=true"], "generated text has no scores"),
        (["evaluate.scorer=generation", "evaluate.look=true"], "generated text has no scores"),
        (["evaluate.score=mean", "evaluate.prior=batch"], "needs log-probabilities"),
        (["evaluate.score=mean", "evaluate.synonyms=true"], "needs log-probabilities"),
        (["evaluate.score=mean", "evaluate.temperature=fit"], "has no calibration"),
        (["evaluate.words=true", "evaluate.synonyms=true"], "set one of the two"),
        (["evaluate.tau=fit"], r"needs evaluate\.prior: effective, blank or batch"),
        (["train=none", "evaluate.prior=effective"], "blank or batch estimate the base's own"),
        (["loss.over_classes=logit_adjusted", "evaluate.prior=effective"], "would correct twice"),
        (["loss.over_classes=logit_adjusted", "evaluate.prior=label_shift"], "would correct twice"),
        (["evaluate.look=true", "evaluate.prior=batch"], "compares the scores as the model gives them"),
        (["evaluate.tau=0.5"], r"evaluate\.tau: needs evaluate\.prior"),
        (["evaluate.tau=.nan"], "finite"),
        (["select.metric=nll", "evaluate.during_training=5", "evaluate.score=mean"], "nll needs log-probabilities"),
        (["select.metric=ece", "evaluate.during_training=5", "evaluate.scorer=generation"], "ece needs log-prob"),
        (["loss.beta=0.9"], r"goes with loss\.class_weights=effective_number"),
        (["loss.weights_from=0.5"], "no loss.class_weights that could be deferred"),
        (["loss.prior=natural"], "that reads a prior"),
        (["trainer.num_train_epochs=abc"], r"trainer\.num_train_epochs: got 'abc'"),
        (["trainer.max_steps=0"], r"trainer\.max_steps: got 0"),
        (["trainer.label_smoothing_factor=0.1"], "use soft labels"),
        (["trainer.eval_strategy=steps"], r"use evaluate\.during_training"),
        (["trainer.deepspeed=x.json"], r"use --launch accelerate_configs/zero2\.yaml"),
        (["trainer.use_cpu=true"], "set ACCELERATE_USE_CPU=1"),
        (["loss.over_classes=focal", "trainer.activation_checkpointing=true"], "takes away the cache"),
        (["loss.over_classes=focal", "trainer.gradient_checkpointing=true"], "takes away the cache"),
        (["model.quantize=nf4", "lora.language={train: full}"], r"lora\.language: its weights are in four bits"),
        (["lora.init=pissa_niter_16"], "'default' or 'pissa'"),
        (["lora.plus_ratio=16", "lora.language={train: full}"], "plus_ratio 16: goes with adapters"),
        (["trainer.max_steps=1", "trainer.warmup_steps=2"], r"has a learning rate of 0, and there is only one"),
        (["model.quantize=nf4", "train=full"], r"model\.quantize: weights in four bits cannot learn"),
        (["model.quantize=nf4", "lora.init=pissa"], r"lora\.init: pissa takes the weights apart"),
        (["evaluate.cuts=[20, 100]"], r"evaluate: cuts \[20, 100\]: give \[high, low\]"),
        (["train=head"], r"set loss\.over_classes=cross_entropy"),
        (["train=head", "loss.over_classes=focal", "evaluate.words=true"], "and a head has none"),
        (["prompt.list_classes=false", "evaluate.orders=4"], "their order cannot matter"),
    ],
)
def test_contradictions(changes, says):
    with pytest.raises(UserError, match=says):
        recipe.load(DEMO, changes)


def test_scores_that_are_no_log_probabilities_are_those_of_the_scorer():
    for score in KINDS:
        changes = [f"evaluate.score={score}", "evaluate.temperature=fit"]
        if score in LOG_PROBABILITIES:
            recipe.load(DEMO, changes)
        else:
            with pytest.raises(UserError, match="has no calibration"):
                recipe.load(DEMO, changes)


def test_what_goes_together():
    recipe.load(DEMO, ["loss.over_classes=cross_entropy", "evaluate.prior=effective", "evaluate.tau=fit"])
    recipe.load(DEMO, ["loss.over_classes=focal", "trainer.activation_checkpointing=false"])
    recipe.load(DEMO, ["train=none", "evaluate.prior=blank"])
    recipe.load(DEMO, ["evaluate.scorer=generation", "evaluate.max_new_tokens=64"])
