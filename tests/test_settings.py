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
        (["evaluate.tau=fit"], "fit needs evaluate.prior"),
        (["train=none", "evaluate.prior=effective"], "blank or batch estimate the base's own"),
        (["loss.over_classes=logit_adjusted", "evaluate.prior=effective"], "would correct twice"),
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
    recipe.load(DEMO, ["train=none", "evaluate.prior=blank"])
    recipe.load(DEMO, ["evaluate.scorer=generation", "evaluate.max_new_tokens=64"])
