"""Every control through the collator and the model: which frames and texts stand in the prompt, at which cost."""

import functools

import numpy as np
import pytest
import torch

from emovlm import UserError, lookup
from emovlm.enrich.run import look_for
from emovlm.frames.clip import Clip
from emovlm.prompts import controls
from emovlm.prompts.arrangement import WHOLE
from emovlm.prompts.collator import Collator
from emovlm.prompts.storyboard import storyboard
from emovlm.scoring.likelihood import label_scores

CLASSES = ["happy", "sad", "neutral"]
SAID = ["brows rise a lot and fall again", "lips part and close and part"]


def set_up(small, demo_vlm, demo_rows, control, **changes):
    """A collator over two clips of three frames with two texts each, and its rows."""
    enrich = {"describer": "motion", "frames_per_gap": 2, "control": control}
    recipe = small(enrich=enrich, frames={"keep": 3, **changes})
    rows = [dict(demo_rows[k]) for k in (0, 1)]
    texts = {row["id"]: {0: [f"{SAID[0]} {k}"], 1: [f"{SAID[1]} {k}"]} for k, row in enumerate(rows)}
    if control in controls.WITHOUT_TEXTS:
        texts = {}
    make = functools.partial(Collator, demo_vlm.processor, recipe, CLASSES, with_answers=False)
    return make(texts=texts, look=look_for(recipe)), rows, recipe


def shown(collator, row, recipe):
    clip = collator.look(row, recipe.frames, (0, 0, row["id"]))
    return collator.storyboard(row, clip), collator.prompt(row, clip)


@pytest.mark.parametrize("control", [None, *lookup.CONTROL.names()])
def test_every_control_gives_a_prompt_that_the_model_can_score(small, demo_vlm, demo_rows, control):
    collator, rows, recipe = set_up(small, demo_vlm, demo_rows, control)
    batch = collator(rows)
    lines, prompt = shown(collator, rows[0], recipe)
    frames = sum(line.startswith("[frame") for line in lines)
    assert prompt.count("<|image_pad|>") == frames
    assert prompt.count("Then: ") == len(lines) - frames
    assert ("pixel_values" in batch) == (frames > 0)
    if frames:
        assert len(batch["image_grid_thw"]) == 2 * frames
    with torch.no_grad():
        scores_BC = label_scores(demo_vlm.model, batch, [collator.answers.ids(name) for name in CLASSES])
    assert torch.isfinite(scores_BC).all()
    expected = {"texts_only": 0, "dense": 7, "repeated_frames": 7}.get(control, 3)
    if control != "dense_equal_tokens":
        assert frames == expected


def test_what_each_control_shows(small, demo_vlm, demo_rows):
    def texts(control):
        collator, rows, recipe = set_up(small, demo_vlm, demo_rows, control)
        lines, _ = shown(collator, rows[0], recipe)
        return [line.split(":  ")[1] for line in lines if ":  " in line]

    own = [f"{said} 0" for said in SAID]
    assert texts(None) == own
    assert texts("texts_only") == own
    assert texts("texts_of_another_clip") == [f"{said} 1" for said in SAID]
    assert texts("reversed") == texts("shuffled_order") == own[::-1]
    assert texts("static") == [own[1]] * 2
    assert [len(text.split()) for text in texts("irrelevant")] == [len(text.split()) for text in own]
    for control in ("keyframes_only", "dense", "dense_equal_tokens", "repeated_frames"):
        assert texts(control) == []


def test_repeated_frames_are_the_chosen_ones_and_dense_ones_are_not(small, demo_vlm, demo_rows):
    def pixels(control):
        collator, rows, _ = set_up(small, demo_vlm, demo_rows, control)
        return collator(rows[:1])["pixel_values"].unflatten(0, (-1, 64))

    own, repeated, dense = pixels("keyframes_only"), pixels("repeated_frames"), pixels("dense")
    assert torch.equal(repeated, own[[0, 0, 1, 1, 1, 2, 2]])
    assert torch.equal(dense[[0, 3, 6]], own)
    assert len({frame.sum().item() for frame in dense}) == 7


def test_dense_at_equal_tokens_costs_no_more_than_the_texts(small, demo_vlm, demo_rows):
    def length(control):
        collator, rows, _ = set_up(small, demo_vlm, demo_rows, control)
        for gaps in collator.texts.values():
            gaps[0] = gaps[0] * 2  # enough text for two frames
        return collator(rows[:1])["input_ids"].shape[1]

    enriched, equal = length(None), length("dense_equal_tokens")
    one_frame = (length("dense") - length("keyframes_only")) / 4
    assert enriched - one_frame < equal <= enriched
    assert equal > length("keyframes_only") + one_frame


def test_dense_frames_may_be_a_video_and_texts_may_not(small, demo_vlm, demo_rows):
    collator, rows, _ = set_up(small, demo_vlm, demo_rows, "dense", input="video")
    assert collator(rows)["video_grid_thw"].tolist() == [[4, 8, 8]] * 2, "7 frames, in pairs"
    with pytest.raises(UserError, match=r"enrich: .*frames\.input=images"):
        set_up(small, demo_vlm, demo_rows, None, input="video")


def test_another_clip_needs_another_clip(small, demo_vlm, demo_rows):
    recipe = small(enrich={"describer": "motion", "control": "texts_of_another_clip"})
    with pytest.raises(UserError, match="two clips"):
        Collator(demo_vlm.processor, recipe, CLASSES, with_answers=False, texts={"a": {0: ["x"]}})


def test_a_clip_without_its_texts_is_no_clip_of_this_experiment(small, demo_vlm, demo_rows):
    collator, rows, _ = set_up(small, demo_vlm, demo_rows, None)
    with pytest.raises(KeyError):
        collator([rows[0] | {"id": "somebody else"}])


def test_a_storyboard_reads_like_the_prompt():
    def clip(times, timed=True):
        return Clip(np.zeros((len(times), 2, 2, 3), np.uint8), np.array(times, dtype=float), timed, 9)

    assert storyboard(clip([0.25, 1]), {-1: ["a"], 0: ["b", "c"], 1: ["d"], WHOLE: ["e"]}) == [
        "    start -> 0:  a",
        "[frame 0]  0.25 s",
        "    0 -> 1:  b",
        "    0 -> 1:  c",
        "[frame 1]  1.00 s",
        "    1 -> end:  d",
        "    whole clip:  e",
    ]
    assert storyboard(clip([0, 1], timed=False), {}) == ["[frame 0]  picture", "[frame 1]  picture"]
    assert storyboard(clip([]), {0: ["b"], 1: ["c"]}) == ["    0 -> 1:  b", "    1 -> 2:  c"]
