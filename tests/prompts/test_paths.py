"""What a row is called never reaches the model: paths, ids, subjects and sources may all spell the answer."""

import shutil

import pytest
import torch

from emovlm.data.leaks import spells
from emovlm.frames.look import look
from emovlm.prompts.collator import Collator

CLASSES = ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]


@pytest.mark.parametrize("kind", ["images", "video"])
def test_a_row_whose_names_spell_its_label_gives_the_same_tensors(small, demo_vlm, demo_rows, tmp_path, kind):
    plain = dict(demo_rows[0])
    label = CLASSES[plain["label"]]
    named = tmp_path / label / f"a {label} face.mp4"
    named.parent.mkdir()
    shutil.copy(plain["media"][0], named)
    spelt = plain | {"id": f"{label}/1", "media": [str(named)], "subject": label, "source": label}
    spelt |= {"action_units": [label]}

    recipe = small(frames={"input": kind, "keep": 4})
    collator = Collator(demo_vlm.processor, recipe, CLASSES, with_answers=False)
    prompt = collator.prompt(spelt, look(spelt, recipe.frames, (0, 0, spelt["id"])))
    assert spells(str(named), label)
    assert not spells(prompt, label)
    assert str(tmp_path) not in prompt
    ours, theirs = collator([plain]), collator([spelt])
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(torch.as_tensor(tensor), torch.as_tensor(theirs[name])), name
