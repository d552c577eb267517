"""What the tower gives, kept and given back, is what the pixels give: in every family, clip by clip or together."""

import pytest
import torch

from emovlm.models import load, visual_tokens
from emovlm.models.parts import vision_path
from emovlm.prompts.collator import Collator
from emovlm.recipe import Model
from emovlm.train.kept_tokens import together

from .tiny_families import FAMILIES, SIDE

KINDS = [(name, kind) for name in FAMILIES for kind in ("images", "video") if kind == "images" or FAMILIES[name].video]


@pytest.mark.parametrize(("name", "kind"), KINDS)
@torch.no_grad()
def test_kept_tokens_give_the_logits_of_the_pixels(family_folder, small, demo_rows, name, kind):
    vlm = load.load(Model(name=str(family_folder(name))))
    model = vlm.model.eval()
    visual_tokens.teach(model)
    marks = {"time_marks": name != "llava_onevision"}
    recipe = small(frames={"input": kind, "max_pixels": SIDE**2}, prompt=marks)
    collator = Collator(vlm.processor, recipe, demo_rows.features["label"].names, with_answers=True)
    rows = [demo_rows[k] for k in range(3)]
    batch = collator(rows)
    labels = batch.pop("labels")
    expected = model(**batch).logits
    samples = [collator([row]) for row in rows]
    samples = [{"labels": one.pop("labels"), **visual_tokens.encode(model, one)} for one in samples]
    assert not any(key.startswith("pixel_") for key in samples[0])
    kept = together(samples, vlm.processor.tokenizer)
    assert torch.equal(kept.pop("labels"), labels)
    assert torch.equal(kept["input_ids"], batch["input_ids"])
    tower = model.get_submodule(vision_path(model))
    hook = tower.register_forward_hook(lambda *_: pytest.fail("the tower was asked"))
    torch.testing.assert_close(model(**kept).logits, expected, atol=1e-4, rtol=0)
    hook.remove()
