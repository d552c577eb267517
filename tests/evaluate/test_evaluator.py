"""One trained run, scored in every way: the same numbers during and after training, priors, altered clips, orders."""

import json

import numpy as np
import pytest

from emovlm import UserError
from emovlm import run as runs
from emovlm.evaluate import passes, predictions
from emovlm.evaluate.evaluator import evaluate, validator

CHANGES = {
    "data": {"source": "demo", "test_subset": {"per_class": 3}},
    "prompt": {"list_classes": True},
    "sampler": {"strategy": "square_root"},  # eight steps of it draw every class
    "trainer": {"max_steps": 8},
    "evaluate": {"during_training": 4, "batch_size": 4},
}


@pytest.fixture(scope="module")
def trained(small, tmp_path_factory):
    """(recipe, run): eight steps, validated after the last."""
    from emovlm.train.sft import train

    recipe = small(output=str(tmp_path_factory.mktemp("runs") / "run"), **CHANGES)
    run = runs.RunFolder(recipe.output)
    train(recipe, run, validate=validator(recipe))
    return recipe, run


def scored(trained, **asked):
    recipe, run = trained
    recipe = recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update=asked)})
    summary = evaluate(recipe, run)
    return summary, predictions.read(run.predictions(runs.evaluation_key(recipe.evaluate, "test")))


def test_during_and_after_training_the_numbers_are_identical(trained):
    recipe, run = trained
    lines = [json.loads(line) for line in run.log.read_text().splitlines()]
    logged = [line for line in lines if "validation_uar" in line][-1]
    assert logged["step"] == 8
    found = evaluate(recipe, run, split="validation")
    for metric in ("war", "uar", "macro_f1", "weighted_f1", "tail_recall"):
        assert found[metric]["value"] == logged[f"validation_{metric}"]
    assert found["calibration"]["nll"] == pytest.approx(logged["validation_nll"], abs=1e-6)


def test_the_effective_prior_is_taken_off_and_what_was_said_stays(trained):
    _, plain = scored(trained)
    _, found = scored(trained, prior="effective", tau=1.5)
    ledger = json.loads(trained[1].ledger.read_text())
    prior_C = np.array(ledger["effective_prior"])
    assert found.header["prior"] == {
        "kind": "effective",
        "tau": 1.5,
        "log_prior": pytest.approx(np.log(prior_C / prior_C.sum()).tolist()),
    }
    raw_NC = np.array([row["raw"] for row in found.rows])
    np.testing.assert_allclose(raw_NC, plain.scores_NC(), atol=1e-6)
    np.testing.assert_allclose(found.scores_NC(), raw_NC - 1.5 * np.log(prior_C / prior_C.sum()), atol=1e-9)


def test_a_blank_clip_is_asked_once_a_prompt(trained, monkeypatch):
    asked = []
    ask = passes._ask

    def counted(view, batch, clips, put):
        if view.repeats:
            asked.extend(clips)
        return ask(view, batch, clips, put)

    monkeypatch.setattr(passes, "_ask", counted)
    _, found = scored(trained, prior="blank")
    assert 0 < len(asked) == len({(tuple(row["times_s"]), tuple(row["blank"])) for row in found.rows}) < len(found.rows)
    assert all((clip.frames_THWC == 127).all() for clip in asked)
    blank_NC = np.array([row["blank"] for row in found.rows])
    np.testing.assert_allclose(found.scores_NC(), np.array([row["raw"] for row in found.rows]) - blank_NC)


def test_batch_and_label_shift_leave_the_rows_in_place(trained):
    for prior in ("batch", "label_shift"):
        _, found = scored(trained, prior=prior)
        assert found.header["prior"]["kind"] == prior
        assert np.isfinite(found.scores_NC()).all()


def test_what_is_fitted_is_fitted_on_validation(trained):
    summary, found = scored(trained, prior="effective", tau="fit", temperature="fit")
    assert 0 <= found.header["prior"]["tau"] <= 4
    assert summary["calibration"]["temperature"]["value"] > 0
    recipe, run = trained
    recipe = recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update={"temperature": "fit"})})
    with pytest.raises(UserError, match="are fitted on it, so scoring it too would flatter"):
        evaluate(recipe, run, split="validation")


def test_altered_clips_and_shuffled_lists(trained):
    summary, found = scored(trained, look=True, orders=3)
    names = {"blank", "shuffled", "reversed", "single_frame", "other_clip"}
    assert set(summary["look"]["altered"]) == names
    assert summary["orders"]["num_orders"] == 3
    answers = [found.classes[c] for c in found.predicted_N()]
    half = len(answers) // 2
    for n, row in enumerate(found.rows):
        assert len(row["orders"]) == 2
        ring = [(n + half + step) % len(answers) for step in range(len(answers))]
        other = next(place for place in ring if found.rows[place]["target"] != row["target"])
        if row["times_s"] == found.rows[other]["times_s"]:  # the other clip in the same words: its own answer
            assert row["look"]["other_clip"] == answers[other]


def test_trie_and_mean_and_synonyms_are_named(trained):
    for asked in ({"score": "trie"}, {"score": "mean"}, {"synonyms": True}):
        _, found = scored(trained, **asked)
        for key, value in asked.items():
            assert found.header["protocol"][key] == value
        if asked == {"score": "trie"}:
            np.testing.assert_allclose(np.exp(found.scores_NC()).sum(axis=1), 1, atol=1e-6)


def test_frequent_and_rare_words(trained):
    _, plain = scored(trained)
    summary, found = scored(trained, words=True)
    np.testing.assert_allclose(found.scores_NC(), plain.scores_NC(), atol=1e-5)  # by the classes' own names
    assert summary["words"]["frequent"]["words"]["fear"] == "fear"
    assert summary["words"]["rare"]["words"]["happy"] != "happy"
    assert set(summary["words"]["rare"]) == {"words", "uar", "recall"}


def test_the_protocol_is_whole(trained):
    summary, found = scored(trained)
    told = summary["protocol"]
    assert told == found.header["protocol"]
    assert (told["split"], told["num_rows"], told["score"], told["train"]) == ("test", 21, "sum", "lora")
    assert len(told["ids_hash"]) == len(told["prompt_hash"]) == 16


def test_what_is_written_is_read_and_set_against_the_scores(trained):
    _, by_score = scored(trained)
    summary, found = scored(trained, scorer="generation", max_new_tokens=8)
    assert all(row["scores"] == [] and isinstance(row["text"], str) for row in found.rows)
    assert all((row["parsed"] is None) == (row["unread"] is not None) for row in found.rows)
    same = (found.predicted_N() == by_score.predicted_N()).mean()
    report = trained[1].report

    key = next(key for key in json.loads(report.read_text())["evaluations"] if key.startswith("test-generation"))

    def agreement():
        return json.loads(report.read_text())["evaluations"][key]["agreement"]

    assert agreement()["share"] == pytest.approx(same)
    # In the other order too.
    content = json.loads(report.read_text())
    del content["evaluations"][key]["agreement"]
    report.write_text(json.dumps(content))
    scored(trained)
    assert agreement()["share"] == pytest.approx(same)
    assert same > 0.9  # it was trained to write a class name and nothing else
    assert summary["cut_off"] == 0
    short, found = scored(trained, scorer="generation", max_new_tokens=1)
    assert short["cut_off"] == len(found.rows)
    assert short["unreadable"] == sum(row["parsed"] is None for row in found.rows) == sum(short["unread"].values())


def test_what_a_clip_cost_is_that_of_its_prompt(trained):
    from emovlm.data import splits
    from emovlm.models import load as models
    from emovlm.models.tokens import clip_cost

    recipe, _ = trained
    _, found = scored(trained)
    processor = models.load(recipe.model).processor
    rows = splits.load(recipe.data)["test"]
    view = passes.views(processor, recipe, rows, rows.features["label"].names)[passes.AS_IS]
    row = dict(rows[0])
    clip = view.collator.look(row, recipe.frames, None)
    line = found.rows[0]
    assert line["frames"] == len(line["times_s"]) == len(clip.times_s_T)
    # Alone, so without padding.
    assert line["tokens"] == view.collator.tensors([row], [clip])["input_ids"].shape[1]
    height, width = clip.frames_THWC.shape[1:3]
    as_video = recipe.frames.input == "video"
    assert line["visual_tokens"] == clip_cost(processor, line["frames"], height, width, as_video=as_video).visual
