"""Settings of a recipe that contradict each other: found before anything is imported, said with the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emovlm import UserError

if TYPE_CHECKING:
    from emovlm.recipe import Recipe
    from emovlm.yaml_file import YamlFile

# Losses over classes that leave the prior alone; the others put it into the scores that they train.
LEAVES_PRIOR = (None, "cross_entropy", "focal")


def check(file: YamlFile, recipe: Recipe) -> None:
    """Raises UserError for the first contradiction."""
    _check_numbers(file, recipe)
    _check_weights(file, recipe)
    _check_head(file, recipe)
    _check_loss(file, recipe)
    _check_generation(file, recipe)
    _check_scores(file, recipe)
    _check_selection(file, recipe)


def _check_numbers(file: YamlFile, recipe: Recipe) -> None:
    """What the stream is computed from, long before TrainingArguments would see it."""
    kinds = {"max_steps": (int,), "per_device_train_batch_size": (int,), "num_train_epochs": (int, float)}
    for key, allowed in kinds.items():
        value = recipe.trainer.get(key, 1)
        fits = (
            isinstance(value, allowed)
            and not isinstance(value, bool)
            and (value > 0 or (value == -1 and key == "max_steps"))
        )
        if not fits or value == float("inf"):
            raise UserError(f"{file.at(f'trainer.{key}')}: got {value!r}; a number above 0 is expected")
    warmup, steps = recipe.trainer.get("warmup_steps", 0), recipe.trainer.get("max_steps", -1)
    if steps == 1 and isinstance(warmup, int) and warmup > 0:
        raise UserError(
            f"{file.at('trainer.warmup_steps')}: {warmup}, but the first step of a warm-up has a learning rate of 0, "
            "and there is only one; set it to 0"
        )


def _check_weights(file: YamlFile, recipe: Recipe) -> None:
    """Weights in four bits cannot learn, nor be taken apart."""
    if not recipe.model.quantize:
        return
    if recipe.train == "full":
        raise UserError(
            f"{file.at('model.quantize')}: weights in four bits cannot learn; set train=lora, or leave it out"
        )
    if recipe.train == "lora" and "language" in recipe.lora.parts and recipe.lora.part("language").train == "full":
        raise UserError(
            f"{file.at('lora.language')}: its weights are in four bits (model.quantize) and cannot learn; set "
            "lora.language.train=lora"
        )
    if recipe.lora.init != "default":
        raise UserError(
            f"{file.at('lora.init')}: {recipe.lora.init} takes the weights apart, which cannot be done in four bits; "
            "leave it out, or model.quantize"
        )


def _check_head(file: YamlFile, recipe: Recipe) -> None:
    """A linear layer has a score for each class, and no words."""
    if recipe.train != "head":
        return
    if not recipe.loss.over_classes:
        raise UserError(
            f"{file.at('train')}: a head has scores and no words, so it needs a loss over classes; set "
            "loss.over_classes=cross_entropy"
        )
    asked, default = recipe.evaluate, type(recipe.evaluate)()
    for key in ("scorer", "score", "synonyms", "orders", "words"):
        if getattr(asked, key) != getattr(default, key):
            raise UserError(f"{file.at(f'evaluate.{key}')}: goes by the words of the classes, and a head has none")


def _check_loss(file: YamlFile, recipe: Recipe) -> None:
    loss = recipe.loss
    if loss.class_weights == "effective_number" and loss.beta is None:
        raise UserError(f"{file.at('loss.beta')}: effective_number needs beta, such as 0.999; no value suits all sets")
    if loss.beta is not None and loss.class_weights != "effective_number":
        raise UserError(f"{file.at('loss.beta')}: goes with loss.class_weights=effective_number")
    if loss.weights_from and loss.class_weights == "none":
        raise UserError(f"{file.at('loss.weights_from')}: there are no loss.class_weights that could be deferred")
    if loss.prior != "planned" and loss.over_classes in LEAVES_PRIOR:
        raise UserError(
            f"{file.at('loss.prior')}: goes with a loss.over_classes that reads a prior: logit_adjusted, ..."
        )
    if loss.over_classes and loss.share_prefix and recipe.checkpoints_activations:
        raise UserError(
            f"{file.at('trainer')}: activation_checkpointing takes away the cache that the class names share; set it "
            "to false, or loss.share_prefix=false (every name gets a forward pass of its own)"
        )


def _check_generation(file: YamlFile, recipe: Recipe) -> None:
    """What is written and read has no scores, so nothing can be done to them."""
    asked = recipe.evaluate
    if asked.scorer != "generation":
        return
    default = type(asked)()
    for key in ("score", "synonyms", "prior", "tau", "temperature", "orders", "look", "words"):
        if getattr(asked, key) != getattr(default, key):
            raise UserError(f"{file.at(f'evaluate.{key}')}: goes with scorer=likelihood; generated text has no scores")


def _check_scores(file: YamlFile, recipe: Recipe) -> None:
    asked = recipe.evaluate
    if asked.score == "mean":
        for key, wanted in (("prior", asked.prior != "none"), ("synonyms", asked.synonyms)):
            if wanted:
                raise UserError(
                    f"{file.at(f'evaluate.{key}')}: needs log-probabilities, and a mean over tokens is none; set "
                    "evaluate.score to sum or trie"
                )
        if asked.temperature == "fit":
            raise UserError(
                f"{file.at('evaluate.temperature')}: a mean over tokens is no log-probability, so it has no "
                "calibration; set evaluate.score to sum or trie"
            )
    if asked.words and asked.synonyms:
        raise UserError(f"{file.at('evaluate.words')}: pools no synonyms but tells them apart; set one of the two")
    if asked.prior in ("effective", "label_shift") and recipe.train == "none":
        raise UserError(
            f"{file.at('evaluate.prior')}: {asked.prior} is the prior of a training, and train=none has none; blank or "
            "batch estimate the base's own"
        )
    if asked.prior != "none" and recipe.train != "none" and recipe.loss.over_classes not in LEAVES_PRIOR:
        raise UserError(
            f"{file.at('evaluate.prior')}: loss.over_classes: {recipe.loss.over_classes} has taken the prior out "
            "during training; taking it off again would correct twice: set it to none"
        )
    for key, wanted in (("look", asked.look), ("orders", asked.orders > 1), ("words", asked.words)):
        if wanted and asked.prior != "none":
            raise UserError(
                f"{file.at(f'evaluate.{key}')}: compares the scores as the model gives them; set evaluate.prior to none"
            )
    if asked.tau != 1.0 and asked.prior not in ("effective", "blank", "batch"):
        raise UserError(f"{file.at('evaluate.tau')}: needs evaluate.prior: effective, blank or batch")
    if asked.orders > 1 and not recipe.prompt.list_classes:
        raise UserError(
            f"{file.at('evaluate.orders')}: the prompt lists no classes, so their order cannot matter; leave it out, "
            "or set prompt.list_classes=true"
        )


def _check_selection(file: YamlFile, recipe: Recipe) -> None:
    chosen = recipe.select
    if recipe.train == "none":
        return  # the same recipe as it is, for zero-shot
    if (chosen.split if chosen else "validation") != recipe.select_on:
        raise UserError(
            f"{file.at('select_on')}: {recipe.select_on}, but select.split is {chosen.split if chosen else 'not set'}; "
            "to choose a checkpoint on the test split both must say test, and every result is stamped with it"
        )
    scored_by_class = recipe.evaluate.scorer == "likelihood" and recipe.evaluate.score != "mean"
    if chosen and chosen.metric in ("nll", "brier", "ece") and not scored_by_class:
        raise UserError(
            f"{file.at('select.metric')}: {chosen.metric} needs log-probabilities: evaluate.scorer=likelihood with "
            "evaluate.score=sum or trie"
        )
    if chosen and not recipe.evaluate.during_training:
        raise UserError(f"{file.at('select')}: needs evaluate.during_training, the steps between two scorings")
