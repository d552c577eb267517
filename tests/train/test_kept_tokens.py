"""Tokens kept in place of pixels: the same losses without decoding, and never those of other weights or frames."""

import json

import pytest
import torch

from emovlm import UserError
from emovlm import run as runs
from emovlm.models import visual_tokens
from emovlm.prompts.collator import Collator


@pytest.fixture
def train(small, tmp_path):
    """-> a function that trains on 16 draws with changes: (losses, run folder)."""
    from emovlm.train.sft import train as train_run

    def train(name, **changes):
        changes["frames"] = {"cache": str(tmp_path / "cache"), **changes.get("frames", {})}
        run = runs.RunFolder(tmp_path / name)
        train_run(small(**changes), run)
        return [json.loads(line)["loss"] for line in run.log.read_text().splitlines()], run

    return train


@pytest.fixture
def calls(monkeypatch):
    """How often the tower is asked and frames are looked at."""
    found = {"encode": 0, "tensors": 0}

    def count(owner, name):
        plain = getattr(owner, name)

        def counting(*args, **kwargs):
            found[name] += 1
            return plain(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    count(visual_tokens, "encode")
    count(Collator, "tensors")
    return found


KEPT = {"model": {"cache_visual_tokens": True}}


@pytest.mark.parametrize("loss", [{}, {"over_classes": "cross_entropy"}], ids=["answers", "classes"])
@pytest.mark.parametrize("kind", ["images", "video"])
def test_the_losses_are_those_of_the_pixels_and_a_clip_is_looked_at_once(train, calls, kind, loss, capsys):
    pixels, _ = train("pixels", frames={"input": kind}, loss=loss)
    calls.update(encode=0, tensors=0)
    kept, _ = train("kept", frames={"input": kind}, loss=loss, **KEPT)
    assert kept == pytest.approx(pixels, rel=1e-5)
    number = calls["encode"]
    assert 4 < number <= 16
    # accelerate takes one batch more than is trained on, ahead of time.
    assert number <= calls["tensors"] <= number + 1, "all of them before the first step"
    said = " ".join(capsys.readouterr().err.split())
    assert f"visual tokens of {number} clips are kept" in said
    assert f"{16 - number} of 16 draws need no decoding" in said
    calls.update(encode=0, tensors=0)
    again, _ = train("again", frames={"input": kind}, loss=loss, **KEPT)
    assert again == kept
    assert calls["encode"] == 0
    assert calls["tensors"] <= 1, "in another run not at all"


def test_other_frames_and_other_weights_are_looked_at_anew(train, calls, family_copy):
    train("kept", **KEPT)
    once = calls["encode"]
    train("frames", frames={"keep": 3}, **KEPT)
    assert calls["encode"] == 2 * once
    train("weights", model={**KEPT["model"], "name": str(family_copy)})
    assert calls["encode"] == 3 * once


@pytest.fixture
def family_copy(tmp_path):
    """The demo's model with one weight of its tower changed."""
    from emovlm.models import load
    from emovlm.recipe import Model

    vlm = load.load(Model(name="demo"))
    with torch.no_grad():
        vlm.model.model.visual.patch_embed.proj.weight[0, 0, 0, 0, 0] += 1
    load.save(vlm.model, vlm.processor, tmp_path / "model")
    return tmp_path / "model"


def test_what_was_lost_from_the_folder_comes_from_the_pixels(train, calls, tmp_path, monkeypatch):
    kept, _ = train("kept", **KEPT)
    monkeypatch.setattr("emovlm.train.kept_tokens.KeptTokens.kept", lambda self, row: None)
    lost, _ = train("lost", **KEPT)
    assert lost == pytest.approx(kept, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lora": {"parts": ["language", "vision"]}}, "the vision part learns"),
        ({"train": "full"}, "the whole model learns"),
        ({"frames": {"pick": "segment_random"}}, "segment_random takes other frames in every epoch"),
        ({"frames": {"cache": None}}, "needs frames.cache"),
    ],
)
def test_what_would_make_kept_tokens_wrong_is_refused(train, changes, says):
    with pytest.raises(UserError, match=f"model.cache_visual_tokens: .*{says}"):
        train("refused", **changes, **KEPT)


def test_what_another_clip_or_a_track_says_is_part_of_the_key(small, tmp_path, demo_vlm, demo_rows):
    from emovlm.train.kept_tokens import KeptTokens

    recipe = small(
        frames={"cache": str(tmp_path / "cache")},
        enrich={"source": "file", "path": "texts.json", "control": "texts_of_another_clip"},
    )
    classes = demo_rows.features["label"].names
    (tmp_path / "track.csv").write_text("time_s,left,top,right,bottom\n")
    row = {**demo_rows[0], "track": str(tmp_path / "track.csv")}

    def key(text):
        texts = {demo_rows[0]["id"]: {0: ["own"]}, demo_rows[1]["id"]: {0: [text]}}
        return KeptTokens(
            Collator(demo_vlm.processor, recipe, classes, with_answers=False, texts=texts), recipe, "w"
        ).key(row)

    one = key("a")
    assert key("a") == one
    assert key("b") != one
    (tmp_path / "track.csv").write_text("time_s,left,top,right,bottom\n0,0,0,1,1\n")
    assert key("a") != one


def test_a_cache_without_room_is_said(train, capsys):
    train("full", frames={"cache_gb": 1e-6}, **KEPT)
    said = " ".join(capsys.readouterr().err.split())
    assert "visual tokens of 0 clips are kept" in said
    assert ": 0 of 16 draws need no decoding" in said
    assert "clips are not kept; raise it" in said
