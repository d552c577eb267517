"""The estimate against what autograd really keeps; what helps, in order; what a clip costs in tokens."""

import pytest
import torch

from emovlm import UserError
from emovlm.models import load, lora, memory, tokens
from emovlm.recipe import Lora, Model

from .tiny_families import FAMILIES, SIDE

# Layers with a running state keep more than their linear layers show.
RUNNING = {"qwen3_5", "minicpmv4_6"}


def lengthened(batch, length):
    """The same prompt with words behind it, so that tokens outweigh masks and the like."""
    more = length - batch["input_ids"].shape[1]
    for key in {"input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids"} & batch.keys():
        fill = {"input_ids": 70, "attention_mask": 1}.get(key, 0)
        batch[key] = torch.nn.functional.pad(batch[key], (0, more), value=fill)
    return batch


def kept_bytes(model, batch):
    """Bytes that the forward pass keeps for the backward pass, each storage once, weights and inputs left out."""
    known = [*model.parameters(), *model.buffers(), *batch.values()]
    left_out = {tensor.untyped_storage().data_ptr() for tensor in known}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in left_out:
            kept[storage.data_ptr()] = tensor  # alive, or its place would be given to another
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(**batch, logits_to_keep=1)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("parts", [["language"], ["language", "vision"]])
@pytest.mark.parametrize("name", FAMILIES)
def test_activations_are_those_that_autograd_keeps(family_folder, name, parts):
    """In bfloat16, as on a GPU."""
    vlm = load.load(Model(name=str(family_folder(name)), dtype="bfloat16"))
    model = lora.add(vlm.model, Lora(parts=parts, rank=2)).train()
    batch = lengthened(load.probe(vlm.processor), 120)
    batch = {key: value.bfloat16() if value.is_floating_point() else value for key, value in batch.items()}
    found = memory.estimate(model, batch, 0, memory.Layout(rows=1, width=2)).activations
    expected = kept_bytes(model, batch)
    low = 0.4 if name in RUNNING else 0.85
    assert low < found / expected < 1.25, f"{found / expected:.2f}"


@pytest.mark.parametrize("name", ["qwen2_5_vl", "internvl"])
def test_a_gradient_to_the_projector_passes_the_language_model_and_not_the_tower(family_folder, name):
    vlm = load.load(Model(name=str(family_folder(name))))
    batch = load.probe(vlm.processor)
    found = {}
    for part in ("language", "projector", "vision"):
        model = lora.add(vlm.model, Lora(parts=[part], rank=2))
        found[part] = memory.estimate(model, batch, 0, memory.Layout(rows=1, width=2)).activations
        found[part, "kept"] = kept_bytes(model.train(), batch)
        model.unload()
    assert 0.5 < found["projector"] / found["language"] < 1, "adapters keep their inputs too"
    assert found["vision"] > 1.3 * found["projector"]
    assert found["vision", "kept"] > 1.3 * found["projector", "kept"] > 0.8 * found["language", "kept"]


def test_with_checkpointing_a_block_keeps_what_it_is_given(demo_vlm):
    """12 tokens in 4 blocks of the demo's language model, 192 wide: by hand."""
    model = lora.add(load.load(Model(name="demo")).model, Lora(rank=2))
    batch = {"input_ids": torch.zeros(1, 12, dtype=torch.long)}
    plain = memory.estimate(model, batch, 0, memory.Layout(rows=1, width=4))
    sparse = memory.estimate(model, batch, 0, memory.Layout(rows=1, width=4, checkpointing=True))
    outputs = 192 + 2 * 64 + 192 + 2 * 512 + 192
    inputs = 4 * 192 + 2 * 192 + 512
    block = 4 * outputs + 4 * inputs + 8 * 2 * 192
    assert plain.activations == 12 * (4 * block + 8 * 192)  # and the norm behind them
    assert sparse.activations == 12 * (4 * 192 * 4 + block)
    three = memory.estimate(model, batch, 0, memory.Layout(rows=3, width=4))
    assert three.activations == 3 * plain.activations
    assert three.weights == plain.weights


def test_weights_and_what_learns(demo_vlm):
    """In bfloat16 the base has 2 bytes a weight, adapters 4, their gradient and moments 12; nf4 shrinks one part."""
    number = sum(parameter.numel() for parameter in load.load(Model(name="demo")).model.parameters())
    model = lora.add(load.empty(Model(name="demo")).model, Lora(rank=2, targets="attention"))
    learnt = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    batch = {"input_ids": torch.zeros(1, 12, dtype=torch.long)}
    found = memory.estimate(model, batch, 4, memory.Layout(rows=2, width=2))
    assert (found.weights, found.learning) == (2 * number + 4 * learnt, 12 * learnt)
    assert found.logits == 2 * 5 * 455 * (2 * 2 + 12)
    shrunk = memory.estimate(model, batch, 4, memory.Layout(rows=2, width=2, quantized=True))
    linear = 4 * (192 * 192 * 2 + 192 * 64 * 2 + 3 * 192 * 512)
    assert found.weights - shrunk.weights == pytest.approx(linear * (2 - memory.NF4_BYTES))


def test_out_of_memory_ends_with_what_helps_the_cheapest_first(small):
    recipe = small(trainer={"per_device_train_batch_size": 4}, lora={"parts": ["language", "vision"]})
    with pytest.raises(UserError) as raised, memory.explained(recipe):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...")
    said = str(raised.value)
    assert said.startswith("CUDA out of memory. What helps, the cheapest first: 1. ")
    order = [
        "per_device_train_batch_size=2",
        "activation_checkpointing",
        "zero2",
        "nf4",
        "lora.parts",
        "max_pixels=6272",
    ]
    assert [said.index(word) for word in order] == sorted(said.index(word) for word in order)


def test_what_is_done_already_is_not_advised(small):
    recipe = small(
        trainer={"per_device_train_batch_size": 1, "gradient_checkpointing": True}, model={"quantize": "nf4"}
    )
    found = " ".join(memory.advice(recipe))
    for word in ("batch_size", "checkpointing", "nf4", "lora.parts", "train=lora"):
        assert word not in found
    classes = small(loss={"over_classes": "cross_entropy"})
    assert any("loss.share_prefix=false and" in step for step in memory.advice(classes))
    assert any("train=lora" in step for step in memory.advice(small(train="full")))


def test_other_errors_pass(small):
    with pytest.raises(RuntimeError, match="another"), memory.explained(small()):
        raise RuntimeError("another")


@pytest.mark.parametrize("as_video", [False, True])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_clip_costs_what_its_embeddings_fill(family, name, as_video):
    """The tokens counted are those that the model puts what the tower saw into."""
    vlm = family(name)
    if as_video and not FAMILIES[name].video:
        with pytest.raises(UserError, match=r"frames.input: video: .* set frames.input=images"):
            tokens.clip_cost(vlm.processor, 4, SIDE, SIDE, as_video=True)
        return
    cost = tokens.clip_cost(vlm.processor, 4, SIDE, SIDE, as_video=as_video)
    config = vlm.model.config
    kinds = [getattr(config, f"{kind}_token_id", None) for kind in ("image", "video")]
    ids = with_frames(vlm.processor, 4, as_video)
    assert cost.visual == sum(int((ids == kind).sum()) for kind in kinds if kind is not None) > 0
    assert cost.all >= cost.visual
    more = tokens.clip_cost(vlm.processor, 8, SIDE, SIDE, as_video=as_video)
    assert more.visual >= cost.visual


def with_frames(processor, number, as_video):
    content = [{"type": "video"}] if as_video else [{"type": "image"}] * number
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    frames = torch.full((number, 3, SIDE, SIDE), 100, dtype=torch.uint8)
    clock = {"total_num_frames": number, "fps": 1.0, "frames_indices": list(range(number))}
    pixels = {"videos": [frames], "video_metadata": [clock], "do_sample_frames": False}
    if not as_video:
        pixels = {"images": [list(frames)]}
    return processor(text=[text], return_tensors="pt", **pixels)["input_ids"]


@pytest.mark.parametrize("name", FAMILIES)
def test_pictures_and_texts_keep_their_order_but_in_llava_onevision(family, name):
    assert tokens.keeps_order(family(name).processor) == (name != "llava_onevision")
