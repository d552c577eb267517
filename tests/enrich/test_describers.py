"""Every describer found by lookup is put through the contract; then those that look at faces, on what they are for."""

import dataclasses
import inspect
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from emovlm import UserError, lookup
from emovlm.demo import CLIPS as DEMO_CLIPS
from emovlm.demo import MODEL
from emovlm.enrich import identities, sight
from emovlm.enrich.asking import content_of, question_of
from emovlm.enrich.describers import vlm
from emovlm.enrich.stages import plan
from emovlm.enrich.strip import Strip
from emovlm.frames import faces
from emovlm.recipe import Recipe

ROOT = Path(__file__).parents[2]
CLIPS = Path(os.environ.get("EMOVLM_SHARED_DATA", ROOT.parent / "shared" / "data")) / "clips"
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason=f"no {CLIPS} (EMOVLM_SHARED_DATA)")
needs_landmarker = pytest.mark.skipif(not faces.installed(), reason=f"no face landmarker: {faces.INSTALL}")
# openai has a server of its own in test_openai.py.
LOCAL = [
    pytest.param("action_units", {}, marks=needs_landmarker),
    pytest.param("motion", {}),
    pytest.param("vlm", {"model": "demo", "question": "describe_face"}),
]


def described(media, describer, keep=4, **args):
    """gap -> texts, and gap -> strips, of one clip."""
    enrich = {"describer": describer, "max_words": 40, **args}
    recipe = Recipe.model_validate(
        {
            "data": {"source": "demo"},
            "frames": {"keep": keep, "max_pixels": 200_000},
            "model": {"name": "demo"},
            "enrich": enrich,
        }
    )
    seen = sight.see({"id": "x", "media": [str(media)]}, recipe)
    (stage,) = plan(recipe)
    strips = stage.strips(seen, {})
    texts = stage.settled({gap: stage.describer.describe(found) for gap, found in strips.items()})
    assert isinstance(texts, dict)
    return texts, strips


def test_a_strip_has_pixels_and_times_only():
    names = {field.name for field in dataclasses.fields(Strip)}
    assert names == {"frames_THWC", "times_s_T", "timed", "before", "after", "reference_RHWC", "notes"}


@pytest.mark.parametrize("name", lookup.DESCRIBER.names())
def test_every_describer_takes_stage_and_words_and_says_what_its_arguments_are(name):
    load = lookup.resolve(lookup.DESCRIBER, name)
    assert (inspect.getdoc(load) or "").strip()
    parameters = inspect.signature(load).parameters
    assert {"stage", "max_words"} <= set(parameters)
    assert all(found.kind is inspect.Parameter.KEYWORD_ONLY for found in parameters.values())
    assert not {"label", "row", "path", "media", "annotations"} & set(parameters)
    assert all(found.annotation for found in lookup.parameters(lookup.DESCRIBER, name).values())


@pytest.mark.parametrize(("name", "args"), LOCAL)
def test_describers_are_deterministic_and_tell_each_strip_alone(name, args):
    load = lookup.resolve(lookup.DESCRIBER, name)
    describer = load(stage="frame" if name == "vlm" else "gap", max_words=30, **args)
    assert json.loads(json.dumps(describer.identity)) == dict(describer.identity)
    assert isinstance(describer.version, int)
    rng = np.random.default_rng(0)
    _, found = described(DEMO_CLIPS / "validation" / "0001.mp4", name, per="frame" if name == "vlm" else "gap", **args)
    strips = [strip for gap in found.values() for strip in gap]
    noise = rng.integers(0, 256, (1, 112, 112, 3), dtype=np.uint8)
    strips.append(Strip(noise, np.array([0.5]), True, None, None, noise))
    strips.append(Strip(noise, np.array([3.0]), False, None, None, noise))
    texts = describer.describe(strips)
    assert len(texts) == len(strips)
    assert all(isinstance(text, str) and text for text in texts)
    assert describer.describe(strips[::-1]) == texts[::-1]
    assert load(stage=describer_stage(name), max_words=30, **args).describe(strips[1:2]) == texts[1:2]


def describer_stage(name):
    return "frame" if name == "vlm" else "gap"


@needs_clips
@needs_landmarker
def test_a_smile_rises_from_nothing():
    texts, strips = described(CLIPS / "single_face.mp4", "action_units", keep=8)
    smiles = {gap: "lip corners pull up" in found[0] for gap, found in texts.items()}
    start_s = {gap: float(found[0].times_s_T[0]) for gap, found in strips.items()}
    assert not any(smiles[gap] for gap in smiles if start_s[gap] < 0.4)
    assert all(smiles[gap] for gap in smiles if 0.6 < start_s[gap] < 1.9)
    (rising,) = [found[0] for gap, found in texts.items() if smiles[gap] and not smiles.get(gap - 1)]
    assert rising.startswith("lip corners pull up")
    assert "lip corners pull up, held" not in rising


@needs_clips
@needs_landmarker
def test_a_smile_is_gone_in_the_middle_and_rises_to_the_end():
    texts, strips = described(CLIPS / "crying_laughing.mp4", "action_units", keep=16)
    rate = 472 / 19.7
    frames = {gap: found[0].times_s_T * rate for gap, found in strips.items()}
    # The person begins with raised lip corners, crying; below where they began they are told to relax.
    middle = [gap for gap, at in frames.items() if at[0] >= 165 and at[-1] <= 225]
    assert middle
    for gap in middle:
        assert "lip corners relax" in texts[gap][0], texts[gap]
        assert "lip corners pull up" not in texts[gap][0]
    late = [gap for gap, at in frames.items() if at[0] >= 380]
    assert len(late) >= 2
    for gap in late:
        assert "lip corners pull up" in texts[gap][0], texts[gap]


@needs_clips
@needs_landmarker
def test_no_face_is_said():
    texts, _ = described(CLIPS / "no_face.mp4", "action_units")
    assert texts == {0: ["no face"], 1: ["no face"], 2: ["no face"]}
    texts, _ = described(CLIPS / "noface_face.mov", "action_units")
    assert texts[0] == ["no face"]
    assert texts[2][0].startswith("no face at first; "), "there is nothing to compare with, and that is said"
    texts, _ = described(CLIPS / "face_noface.mov", "action_units")
    assert texts[2] == ["no face"]
    assert "no face" not in texts[0][0]


def test_the_demo_model_captions_its_own_clips(demo_rows):
    row = next(row for row in demo_rows if demo_rows.features["label"].names[row["label"]] == "happy")
    args = {"model": "demo", "question": "describe_face", "per": "frame"}
    texts, _ = described(row["media"][0], "vlm", **args)
    assert {gap: len(found) for gap, found in texts.items()} == {0: 4, 1: 4, 2: 4}
    said = " ".join(text for found in texts.values() for text in found)
    assert "lip corners" in said or "cheeks" in said, said


def test_a_smaller_batch_writes_the_same():
    args = {"model": "demo", "question": "describe_face", "per": "frame"}
    clip = DEMO_CLIPS / "validation" / "0003.mp4"
    assert described(clip, "vlm", **args)[0] == described(clip, "vlm", batch_size=5, **args)[0]


def test_strips_of_unlike_lengths_get_their_own_texts(demo_rows):
    faces_of = [described(demo_rows[k]["media"][0], "motion")[1][1][0] for k in (0, 4, 7)]
    lengths = (3, 1, 2)
    strips = [
        dataclasses.replace(strip, frames_THWC=strip.frames_THWC[:count], times_s_T=strip.times_s_T[:count])
        for strip, count in zip(faces_of, lengths, strict=True)
    ]
    captioner = vlm.load(stage="gap", max_words=20, model="demo", question="describe_face", batch_size=2)
    together = captioner.describe(strips)
    assert together == [captioner.describe([strip])[0] for strip in strips]
    assert len(set(together)) == 3


def test_a_captioner_is_known_by_its_weights_and_its_words(tmp_path):
    def identity(**changes):
        return vlm.load(**({"stage": "gap", "max_words": 9, "model": "demo"} | changes)).identity

    plain = identity()
    assert identity(batch_size=3) == plain
    copied = tmp_path / "model"
    shutil.copytree(MODEL, copied)
    assert identity(model=str(copied)) == plain, "a model is what it holds, wherever it lies"
    weights = next(copied.glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert identity(model=str(copied)) != plain
    for change in ({"question": "What moves here?"}, {"max_words": 3}, {"stage": "frame"}, {"dtype": "bfloat16"}):
        assert identity(**change) != plain, change
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    with pytest.raises(UserError, match="no model or adapter"):
        identity(adapter=str(adapter))
    (adapter / "adapter_model.safetensors").write_bytes(b"1")
    one = identity(adapter=str(adapter))
    (adapter / "adapter_model.safetensors").write_bytes(b"2")
    assert len({json.dumps(found) for found in (plain, one, identity(adapter=str(adapter)))}) == 3


def test_a_lora_of_the_model_writes_other_texts(tmp_path):
    import torch

    from emovlm.models import load, lora
    from emovlm.recipe import Lora, Model

    torch.manual_seed(0)
    own = load.load(Model(name="demo"))
    adapted = lora.add(own.model, Lora(rank=2, alpha=4))
    for name, parameter in adapted.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(parameter, std=0.5)
    lora.save(adapted, own.processor, tmp_path / "adapter")
    args = {"model": "demo", "question": "describe_face", "per": "frame"}
    clip = DEMO_CLIPS / "validation" / "0003.mp4"
    assert described(clip, "vlm", adapter=str(tmp_path / "adapter"), **args)[0] != described(clip, "vlm", **args)[0]


def test_questions_of_the_stages():
    assert question_of("gap", None, 12).count("at most 12 words") == 1
    assert question_of("frame", "describe_face", 12) == "Describe the face."
    assert question_of("frame", "What moves in {max_words} words?", None) == "What moves in 40 words?"
    with pytest.raises(UserError, match=r"enrich\.question: 'describe_fase'.*did you mean 'describe_face'"):
        question_of("gap", "describe_fase", 12)


def test_frames_and_notes_are_told_in_time_order():
    frames_THWC = np.zeros((2, 4, 4, 3), np.uint8)
    strip = Strip(frames_THWC, np.array([0.5, 2.0]), True, None, None, frames_THWC, ((1.0, "up"), (2.5, "down")))
    shown = [item if isinstance(item, str) else "IMAGE" for item in content_of(strip, "What?")]
    assert shown == ["0.50 s: ", "IMAGE", "Then: up\n", "2.00 s: ", "IMAGE", "Then: down\n", "What?"]
    single = Strip(frames_THWC[:1], np.array([0.5]), True, None, None, frames_THWC)
    assert [item if isinstance(item, str) else "IMAGE" for item in content_of(single, "What?")] == ["IMAGE", "What?"]


def test_weights_are_told_apart_wherever_they_differ(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(3 << 20))
    found = [identities.folder(tmp_path)]
    for place in (0, 3 << 19, (3 << 20) - 1):
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"x")
        found.append(identities.folder(tmp_path))
    assert len({json.dumps(one) for one in found}) == 4
