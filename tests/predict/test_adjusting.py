"""Priors and temperatures of a run on a clip without a label; what can be tried on the page; how far to trust it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from emovlm import UserError
from emovlm.evaluate.predictions import Predictions, row_of, write
from emovlm.predict import adjusting, choices, confidence
from emovlm.predict.clips import Answer
from emovlm.run import RunFolder

CLASSES = ["happy", "sad"]


@pytest.fixture
def run(tmp_path):
    """A run that drew happy three times as often, with tau .5 and temperature 2 fitted where it was asked for."""
    found = RunFolder(tmp_path / "run")
    found.folder.mkdir()
    found.ledger.write_text(json.dumps({"classes": CLASSES, "effective_prior": [0.75, 0.25]}))
    key = "test-likelihood-effective_prior-tau_fit-temperature"
    header = {"classes": CLASSES, "scorer": "likelihood", "split": "test", "protocol": {}}
    row = row_of({"id": "1", "media": ["1.mp4"], "label": 0}, CLASSES, [0.0], scores=[0.0, 0.0])
    write(found.predictions(key), Predictions({**header, "prior": {"kind": "effective", "tau": 0.5}}, [row]))
    bins = {"count": [0, 0, 0, 8], "accuracy": [None, None, None, 0.75]}
    evaluations = {
        key: {"calibration": {"temperature": {"value": 2.0}, "reliability": bins}},
        "test-likelihood": {"calibration": {"reliability": bins}},
    }
    found.report.write_text(json.dumps({"evaluations": evaluations}))
    return found


def asked(small, **evaluate):
    return small(evaluate=evaluate)


def found(scores, blank=None):
    row = {"id": "1", "scores": scores} | ({"blank": blank} if blank else {})
    return Predictions({"classes": CLASSES, "scorer": "likelihood", "protocol": {}}, [row])


def test_fitted_values_are_those_of_the_same_evaluation(small, run):
    recipe = asked(small, prior="effective", tau="fit", temperature="fit")
    adjustment = adjusting.of_run(recipe, run, CLASSES)
    assert (adjustment.tau, adjustment.temperature) == (0.5, 2.0)
    shifted = adjustment.scores(found([0.0, 0.0]))
    # .5 of log .75 and of log .25 are taken off, and halved: odds of sad to happy 3 ** .25.
    probs_NC = adjustment.probabilities_NC(shifted)
    assert probs_NC[0, 1] / probs_NC[0, 0] == pytest.approx(3**0.25)
    assert shifted.rows[0]["raw"] == [0.0, 0.0]


def test_what_was_never_fitted_is_refused(small, run):
    with pytest.raises(UserError, match=r"its evaluation test-likelihood-effective_prior-tau_fit is not there"):
        adjusting.of_run(asked(small, prior="effective", tau="fit"), run, CLASSES)
    with pytest.raises(UserError, match=r"evaluate\.temperature: .* run `emovlm evaluate`"):
        adjusting.of_run(asked(small, temperature="fit"), run, CLASSES)


@pytest.mark.parametrize("prior", ["batch", "label_shift"])
def test_what_is_estimated_over_a_set_is_refused(small, run, prior):
    with pytest.raises(UserError, match="means nothing for a clip alone"):
        adjusting.of_run(asked(small, prior=prior), run, CLASSES)


def test_a_mean_over_tokens_is_no_probability(small, run):
    with pytest.raises(UserError, match="mean gives no probabilities"):
        adjusting.of_run(asked(small, score="mean"), run, CLASSES)


def test_the_blank_clip_is_taken_off_tau_times(small, run):
    adjustment = adjusting.of_run(asked(small, prior="blank", tau=2.0), run, CLASSES)
    np.testing.assert_allclose(adjustment.scores(found([1.0, 0.0], blank=[1.0, 0.5])).scores_NC(), [[-1.0, -1.0]])
    plain = adjusting.of_run(asked(small), run, CLASSES)
    assert plain.scores(found([1.0, 0.0])).rows == found([1.0, 0.0]).rows


def tool(small, run, **changes):
    recipe = small(**changes)
    adjustment = adjusting.of_run(recipe, run, CLASSES)
    return SimpleNamespace(trained=recipe, asked=recipe, run=run, classes=CLASSES, adjustment=adjustment)


def test_policies_that_need_annotations_or_chance_are_not_offered(small):
    assert choices.policies(small(frames={"pick": "keyframes"}))[0] == "keyframes"
    assert set(choices.policies(small())) == {"uniform", "fps", "keyframes", "apex_estimate"}


def test_a_choice_is_a_recipe_and_other_frames_are_told(small, run):
    given = tool(small, run, frames={"keep": 4, "max_pixels": 3136})
    recipe, adjustment, others = choices.changed(given, "uniform", 4, "none", 3.0, False)
    assert recipe == given.asked
    assert not others
    assert adjustment.tau == 1.0
    recipe, _, others = choices.changed(given, "fps", 4, "effective", 0.25, False)
    assert others
    assert (recipe.frames.pick, recipe.frames.args, recipe.frames.max_pixels) == ("fps", {}, 3136)
    assert (recipe.evaluate.prior, recipe.evaluate.tau) == ("effective", 0.25)
    recipe, _, others = choices.changed(given, "keyframes", 6, "none", 1.0, False)
    assert recipe.frames.args == {"keep": 6}
    with pytest.raises(UserError, match="cannot be taken off"):
        choices.changed(given, "uniform", 4, "batch", 1.0, False)


def test_a_fitted_tau_stays_the_fitted_one_until_it_is_moved(small, run):
    given = tool(small, run, evaluate={"prior": "effective", "tau": "fit", "temperature": "fit"})
    recipe, adjustment, _ = choices.changed(given, "uniform", 2, "effective", 0.504, True)
    assert recipe.evaluate.tau == "fit"
    assert (adjustment.tau, adjustment.temperature) == (0.5, 2.0)
    recipe, adjustment, _ = choices.changed(given, "uniform", 2, "effective", 0.7, False)
    assert recipe.evaluate.tau == adjustment.tau == 0.7


def test_the_effective_prior_is_offered_where_there_is_one(small, run, tmp_path):
    assert choices.priors(tool(small, run)) == ["none", "blank", "effective"]
    assert choices.priors(tool(small, run, train="none")) == ["none", "blank"]
    assert choices.priors(tool(small, RunFolder(tmp_path / "none"))) == ["none", "blank"]


def test_how_far_to_trust_it_is_the_runs_own_record(small, run, tmp_path):
    """Four bins: a probability of .9 is in the last, with 8 clips of which 6 were right; .6 is in an empty one."""
    sure = Answer("a", scores={"happy": float(np.log(0.9)), "sad": float(np.log(0.1))})
    doubt = Answer("a", scores={"happy": float(np.log(0.6)), "sad": float(np.log(0.4))})
    recipe = asked(small)
    told = confidence.told(run, recipe.evaluate, sure, changed=False)
    assert told == (
        "Of the 8 clips of the test split that were answered with a probability from 0.75 to 1.00 (before any "
        "temperature), 75% were answered rightly."
    )
    assert "nothing is known about such answers" in confidence.told(run, recipe.evaluate, doubt, changed=False)
    assert "with other frames" in confidence.told(run, recipe.evaluate, sure, changed=True)
    other = asked(small, prior="blank").evaluate
    assert "no evaluation test-likelihood-blank_prior" in confidence.told(run, other, sure, changed=False)
    assert "no evaluation" in confidence.told(RunFolder(tmp_path / "none"), recipe.evaluate, sure, changed=False)
