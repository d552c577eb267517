"""One battery for every family: trained through the trainer, scored, continued, read back by plain peft, merged."""

import json
import shutil
from typing import NamedTuple

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText

from emovlm import UserError
from emovlm import run as runs
from emovlm.data import splits
from emovlm.evaluate.clip_scores import clip_scores
from emovlm.models import load, lora
from emovlm.models.export import export
from emovlm.models.load import Vlm
from emovlm.models.parts import PARTS, part_of, roots
from emovlm.models.tokens import clip_cost
from emovlm.prompts.collator import Collator
from emovlm.recipe import Data, Recipe
from emovlm.scoring import likelihood
from emovlm.scoring.generate import generate

from . import tiny_families

pytestmark = pytest.mark.slow


class Trained(NamedTuple):
    name: str
    recipe: Recipe
    run: runs.RunFolder
    vlm: Vlm  # with the adapter of the run
    collator: Collator
    names: list[list[int]]  # the classes as token ids, each with its end


@pytest.fixture(scope="module", params=tiny_families.FAMILIES)
def trained(request, small, family_folder, tmp_path_factory):
    """Two steps through emovlm's trainer, with adapters on every part (Gemma 3's projector, a bare matrix, whole)."""
    from emovlm.train.sft import train

    folder = family_folder(request.param)
    changes = {
        "model": {"name": str(folder)},
        "lora": {"parts": list(PARTS), "vision": {"rank": 2}},
        "frames": {"max_pixels": tiny_families.SIDE**2},
        "trainer": {"max_steps": 2, "save_strategy": "steps", "save_steps": 1},
    }
    if request.param == "gemma3":
        changes["lora"]["projector"] = {"train": "full"}
    if request.param == "llava_onevision":  # its template puts pictures first, so times between them say nothing
        changes["prompt"] = {"time_marks": False}
    recipe = small(**changes)
    run = runs.RunFolder(tmp_path_factory.mktemp("run") / "run")
    train(recipe, run)
    base = load.load(recipe.model)
    vlm = Vlm(lora.load(base.model, run.adapter).eval(), base.processor)
    classes = splits.load(recipe.data)["train"].features["label"].names
    collator = Collator(vlm.processor, recipe, classes, with_answers=False)
    return Trained(request.param, recipe, run, vlm, collator, [collator.answers.ids(label) for label in classes])


@pytest.fixture(scope="module")
def rows():
    """Four clips, the last with one frame: so that one prompt is padded on the left."""
    found = splits.load(Data(source="demo"))["validation"]
    return [dict(found[k]) for k in range(4)]


def prompt_of(trained, rows):
    clips = [trained.collator.look(row, trained.recipe.frames, (0, 0, row["id"])) for row in rows]
    clips[-1] = type(clips[-1])(clips[-1].frames_THWC[:1], clips[-1].times_s_T[:1], clips[-1].timed, 1)
    return trained.collator.tensors(rows, clips)


def brute_force(model, prompt, names):
    """scores_BC by a forward pass over the whole of each prompt and name, without a cache or a choice of logits."""
    batch, length = prompt["input_ids"].shape
    columns = []
    for ids in names:
        whole = dict(prompt)
        for key in {"input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids"} & prompt.keys():
            more = torch.tensor(ids) if key == "input_ids" else torch.full((len(ids),), int(key == "attention_mask"))
            whole[key] = torch.cat([prompt[key], more.expand(batch, -1)], dim=1)
        logp_BAV = model(**whole).logits[:, length - 1 : -1].log_softmax(-1)
        columns.append(logp_BAV[:, range(len(ids)), ids].sum(-1))
    return torch.stack(columns, dim=1)


@torch.no_grad()
def test_likelihood_is_that_of_brute_force_in_any_batch(trained, rows):
    """Batch 1 = batch 4, and padding on the left changes nothing."""
    model, prompt = trained.vlm.model, prompt_of(trained, rows)
    mask_BL = prompt["attention_mask"]
    assert not mask_BL.all()
    assert (mask_BL.diff(dim=1) >= 0).all(), "padded on the left"
    scores_BC = likelihood.label_scores(model, prompt, trained.names)
    torch.testing.assert_close(scores_BC, brute_force(model, prompt, trained.names), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        likelihood.label_scores_apart(model, prompt, trained.names), scores_BC, atol=1e-4, rtol=0
    )
    clips = [trained.collator.look(row, trained.recipe.frames, (0, 0, row["id"])) for row in rows[:3]]
    for k, (row, clip) in enumerate(zip(rows, clips, strict=False)):
        alone = likelihood.label_scores(model, trained.collator.tensors([row], [clip]), trained.names)
        torch.testing.assert_close(alone[0], scores_BC[k], atol=1e-4, rtol=0)
    assert (scores_BC[0] - scores_BC[1]).abs().max() > 0.01, "the model does not look at the clip"


@torch.no_grad()
def test_generation_goes_on_with_the_likeliest_token_of_the_whole(trained, rows):
    model, prompt = trained.vlm.model, prompt_of(trained, rows)
    replies = generate(model, trained.collator.answers, prompt, max_new_tokens=3)
    whole = dict(prompt)
    for _ in range(3):
        next_B1 = model(**whole).logits[:, -1:].argmax(-1)
        for key in {"input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids"} & whole.keys():
            more = next_B1 if key == "input_ids" else torch.full_like(next_B1, int(key == "attention_mask"))
            whole[key] = torch.cat([whole[key], more], dim=1)
    answers = trained.collator.answers
    ends = {answers.end_ids[0], answers.tokenizer.eos_token_id}
    for reply, ids in zip(replies, whole["input_ids"][:, -3:].tolist(), strict=True):
        written = ids[: next((k for k, token in enumerate(ids) if token in ends), 3)]
        assert reply.text == answers.tokenizer.decode(written, skip_special_tokens=True).strip()
        assert reply.cut_off == (len(written) == 3)


@torch.no_grad()
def test_plain_peft_reads_the_adapter(trained, rows):
    prompt = prompt_of(trained, rows)
    expected = trained.vlm.model(**prompt, logits_to_keep=1).logits[:, -1]
    base = AutoModelForImageTextToText.from_pretrained(trained.recipe.model.name, dtype=torch.float32).eval()
    assert (base(**prompt).logits[:, -1] - expected).abs().max() > 1e-4
    plain = PeftModel.from_pretrained(base, trained.run.adapter).eval()
    torch.testing.assert_close(plain(**prompt).logits[:, -1], expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_merged_and_read_back_it_is_the_same_model(trained, rows, tmp_path):
    prompt = prompt_of(trained, rows)
    score = clip_scores(trained.recipe, 2)
    assert export(trained.recipe, trained.run, tmp_path / "merged", merge=True, score=score) < 1e-3
    merged = AutoModelForImageTextToText.from_pretrained(tmp_path / "merged", dtype=torch.float32).eval()
    expected = trained.vlm.model(**prompt, logits_to_keep=1).logits[:, -1]
    torch.testing.assert_close(merged(**prompt).logits[:, -1], expected, atol=1e-3, rtol=0)


def test_a_resumed_run_is_the_run_that_never_stopped(trained, tmp_path):
    from safetensors.torch import load_file

    from emovlm.train.sft import train

    stopped = runs.RunFolder(tmp_path / "run")
    shutil.copytree(trained.run.folder, stopped.folder)
    for path in (stopped.adapter, stopped.folder / "checkpoint-2"):
        shutil.rmtree(path)
    train(trained.recipe, stopped, resume=True)
    assert [json.loads(line)["loss"] for line in stopped.log.read_text().splitlines()] == [
        json.loads(line)["loss"] for line in trained.run.log.read_text().splitlines()
    ]
    whole, resumed = (load_file(run.adapter / lora.WEIGHTS) for run in (trained.run, stopped))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_every_part_was_adapted_and_moved(trained):
    by_part = roots(trained.vlm.model.get_base_model())
    moved = {
        part_of(lora.saved_name(name).removeprefix("base_model.model."), by_part)
        for name, tensor in trained.vlm.model.named_parameters()
        if (".lora_B." in name and tensor.any()) or ".modules_to_save.default." in name
    }
    assert moved == set(PARTS)
    written = json.loads((trained.run.adapter / "adapter_config.json").read_text())
    assert written["r"] == 4


def test_the_processor_gives_what_its_own_chat_template_gives(trained, rows):
    """Ours and `apply_chat_template(tokenize=True)`: the same ids (one begin-of-sequence, where there is one).

    Behind them only what closes the prompt before an answer, see prompts/answers.py.
    """
    row = rows[0]
    clip = trained.collator.look(row, trained.recipe.frames, (0, 0, row["id"]))
    ours = trained.collator.tensors([row], [clip])
    pictures = [np.ascontiguousarray(frame) for frame in clip.frames_THWC]
    content = []
    for time_s, picture in zip(clip.times_s_T, pictures, strict=True):
        content += [{"type": "text", "text": f"{time_s:.2f} s: "}] if trained.recipe.prompt.time_marks else []
        content.append({"type": "image", "image": picture})
    content.append({"type": "text", "text": trained.collator.question})
    theirs = trained.vlm.processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    answers = trained.collator.answers
    opening = answers.tokenizer(answers.opening, add_special_tokens=False)["input_ids"]
    assert ours["input_ids"][0].tolist() == theirs["input_ids"][0].tolist() + opening
    bos = trained.vlm.processor.tokenizer.bos_token_id
    assert bos is None or ours["input_ids"][0].tolist().count(bos) == 1


@torch.no_grad()
def test_a_video_is_seen_and_scored_like_brute_force(trained, rows):
    """As one video with its clock, in the families that take one."""
    if not tiny_families.FAMILIES[trained.name].video:
        with pytest.raises(UserError, match=r"frames.input: video: .* set frames.input=images"):
            clip_cost(trained.vlm.processor, 2, 56, 56, as_video=True)
        return
    as_video = trained.recipe.model_copy(update={"frames": trained.recipe.frames.model_copy(update={"input": "video"})})
    prompt = Collator(trained.vlm.processor, as_video, trained.collator.classes, with_answers=False)(rows[:3])
    scores_BC = likelihood.label_scores(trained.vlm.model, prompt, trained.names)
    torch.testing.assert_close(scores_BC, brute_force(trained.vlm.model, prompt, trained.names), atol=1e-4, rtol=0)
    assert (scores_BC[0] - scores_BC[1]).abs().max() > 0.01
