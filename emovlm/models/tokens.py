"""What a clip costs in tokens, found by asking the model's own processor about blank frames of its size."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from emovlm import UserError


class Cost(NamedTuple):
    """visual: tokens that hold what the tower saw. all: with the marks and times around them."""

    visual: int
    all: int


def clip_cost(processor: Any, num_frames: int, height: int, width: int, *, as_video: bool) -> Cost:
    """Of frames of height x width px. Raises UserError where the processor has no place for such input."""
    frames_TCHW = torch.zeros(num_frames, 3, height, width, dtype=torch.uint8)
    clock = {"total_num_frames": num_frames, "fps": 1.0, "frames_indices": list(range(num_frames))}
    if as_video:
        content = [{"type": "video"}]
        pixels = {"videos": [frames_TCHW], "video_metadata": [clock], "do_sample_frames": False}
    else:
        content = [{"type": "image"}] * num_frames
        pixels = {"images": [list(frames_TCHW)]}
    with_clip = _ids(processor, content, **pixels)
    visual = num_visual(processor, with_clip)
    if not visual:
        kind = "video" if as_video else "images"
        other = "images" if as_video else "video"
        raise UserError(
            f"frames.input: {kind}: {type(processor).__name__} has no place for it in the prompt, so the model would "
            f"answer without seeing the clip; set frames.input={other}"
        )
    return Cost(visual, with_clip.numel() - _ids(processor, []).numel())


def keeps_order(processor: Any) -> bool:
    """Whether pictures and texts stand in the prompt in the order in which they are given.

    Some templates (LLaVA-OneVision) put all pictures first: times and texts between them would lose their place.
    """
    marks = ["first", "second", "third"]
    content = [{"type": "text", "text": marks[0]}]
    for mark in marks[1:]:
        content += [{"type": "image"}, {"type": "text", "text": mark}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
    places = [text.index(mark) for mark in marks]
    between = [text[a + len(mark) : b].strip() for mark, a, b in zip(marks, places, places[1:], strict=False)]
    return places == sorted(places) and all(between)


def num_visual(processor: Any, ids: torch.Tensor) -> int:
    """How many token ids stand for what the vision tower saw."""
    listed = [getattr(processor, f"{kind}_token_ids", None) or [None] for kind in ("image", "video")]
    # The first of each is the place holder; others mark its start and end.
    places = [kind[0] for kind in listed if kind[0] is not None]
    return int(torch.isin(ids, torch.tensor(places, dtype=ids.dtype)).sum())


def _ids(processor: Any, content: list[dict[str, str]], **pixels: Any) -> torch.Tensor:
    turn = [{"role": "user", "content": [*content, {"type": "text", "text": "?"}]}]
    text = processor.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    return processor(text=[text], return_tensors="pt", **pixels)["input_ids"]
