"""The path of prediction is the path of evaluation; a clip that cannot be read is named and passed over."""

import json

import numpy as np
import pytest

from emovlm import UserError
from emovlm.predict import batch, predictor
from emovlm.predict.clips import row


@pytest.fixture(scope="module")
def plain(plain_run):
    return predictor.load(plain_run[0].folder)


def scores_NC(answers):
    return np.array([list(answer.scores.values()) for answer in answers])


def media(found):
    return [line["media"][0] for line in found.rows]


def test_scores_equal_those_of_the_evaluation_to_the_last_digit(plain_run, plain):
    _, found = plain_run
    answers = batch.predict(plain, media(found))
    assert scores_NC(answers).tolist() == found.scores_NC().tolist()
    assert [answer.times_s for answer in answers] == [line["times_s"] for line in found.rows]
    assert [answer.answer for answer in answers] == [found.classes[c] for c in found.predicted_N()]
    assert sum(answers[0].probabilities.values()) == pytest.approx(1)


def test_alone_or_among_others_a_clip_scores_alike(plain_run, plain):
    _, found = plain_run
    alone = [batch.predict(plain, [clip])[0] for clip in media(found)[:3]]
    np.testing.assert_allclose(scores_NC(alone), found.scores_NC()[:3], atol=1e-6)


def test_texts_are_made_of_the_clip_and_shown_as_in_the_evaluation(scored):
    run, found = scored("texts", enrich={"describer": "motion", "frames_per_gap": 2})
    answers = batch.predict(predictor.load(run.folder), media(found)[:4])
    np.testing.assert_allclose(scores_NC(answers), found.scores_NC()[:4], atol=1e-6)
    texts = answers[0].texts["0"]
    assert len(texts) == 1
    assert answers[0].storyboard[1].endswith(texts[0])


def test_the_blank_prior_is_taken_off_as_in_the_evaluation(scored):
    run, found = scored("blank", evaluate={"prior": "blank", "tau": 0.5, "batch_size": 4})
    answers = batch.predict(predictor.load(run.folder), media(found)[:4])
    np.testing.assert_allclose(scores_NC(answers), found.scores_NC()[:4], atol=1e-6)
    raw_NC = [list(answer.raw.values()) for answer in answers]
    np.testing.assert_allclose(raw_NC, [line["raw"] for line in found.rows[:4]], atol=1e-6)


def test_generated_text_is_read_by_the_rules(scored):
    run, found = scored("written", evaluate={"scorer": "generation", "max_new_tokens": 8})
    answers = batch.predict(predictor.load(run.folder), media(found)[:2])
    assert [answer.text for answer in answers] == [line["text"] for line in found.rows[:2]]
    assert [answer.answer for answer in answers] == [line["parsed"] for line in found.rows[:2]]
    assert answers[0].record()["probabilities"] == {}


def test_a_bad_clip_is_an_error_and_the_others_score_on(plain_run, plain, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"nonsense")
    clips = media(plain_run[1])
    answers = batch.predict(plain, [clips[0], tmp_path / "bad.mp4", tmp_path / "none.mp4", clips[1]])
    assert [answer.error is None for answer in answers] == [True, False, False, True]
    assert "cannot be opened" in answers[1].error
    assert "no such file" in answers[2].error
    assert answers[1].record() == {"clip": str(tmp_path / "bad.mp4"), "error": answers[1].error}
    np.testing.assert_allclose(scores_NC([answers[0], answers[3]]), plain_run[1].scores_NC()[:2], atol=1e-6)


def test_a_clip_that_the_processor_refuses_costs_no_other(plain_run, plain, tmp_path):
    from PIL import Image

    Image.new("RGB", (2000, 2)).save(tmp_path / "line.png")
    clip = media(plain_run[1])[0]
    answers = batch.predict(plain, [clip, tmp_path / "line.png"])
    assert answers[0].error is None
    assert "aspect" in answers[1].error


def test_a_photograph_is_a_clip_of_one_frame(plain, tmp_path):
    from PIL import Image

    Image.new("RGB", (64, 64), "grey").save(tmp_path / "photo.jpg")
    (answer,) = batch.predict(plain, [tmp_path])
    assert len(answer.times_s) == 1
    assert set(answer.probabilities) == set(plain.classes)


def test_other_frames_are_allowed_and_said_other_models_are_not(plain_run):
    run, found = plain_run
    more = predictor.load(run.folder, ["frames.keep=6"])
    answers = list(more.answers([row(media(found)[0])]))
    assert len(answers[0][0].times_s) == len(answers[0][1].frames_THWC) == 6
    assert more.changed == ["frames.keep=6"]
    for override in ("seed=1", "lora.rank=2", "train=none"):
        with pytest.raises(UserError, match="of a run folder only"):
            predictor.load(run.folder, [override])


def test_what_is_asked_is_not_random(plain_run, plain):
    clip = media(plain_run[1])[0]
    other = predictor.load(plain_run[0].folder, ["frames.pick=segment_random"])
    assert batch.predict(other, [clip])[0].times_s == batch.predict(plain, [clip])[0].times_s


def test_a_source_of_ones_own_is_asked_and_class_names_are_taken_out(small, plain_run, tmp_path, monkeypatch):
    (tmp_path / "own_texts.py").write_text("def say(row, seen):\n    return {0: ['an angry brow']}\n")
    monkeypatch.syspath_prepend(tmp_path)
    run, found = plain_run
    recipe = small(enrich={"source": "own_texts:say", "mask_labels": True}, train="none")
    (answer,) = batch.predict(predictor.Predictor(recipe, run), media(found)[:1])
    assert answer.texts == {"0": ["an brow"]}


def test_what_a_new_clip_cannot_have_is_refused(plain_run, plain, small):
    clip = media(plain_run[1])[0]
    with pytest.raises(UserError, match="no apex_s"):
        batch.predict(predictor.load(plain_run[0].folder, ["frames={pick: apex}"]), [clip])
    with pytest.raises(UserError, match="true_units are annotations"):
        predictor.Predictor(small(enrich={"control": "true_units"}, train="none"), plain_run[0])


def test_classes_come_with_the_run_where_its_data_are_gone(plain_run, small, tmp_path):
    run, _ = plain_run
    assert predictor.classes_of(small(), run)[0] == "happy"
    other = type(run)(tmp_path)
    other.ledger.write_text(json.dumps({"classes": ["b", "a"]}))
    assert predictor.classes_of(small(data={"source": "folder", "root": "/gone"}), other) == ["b", "a"]
