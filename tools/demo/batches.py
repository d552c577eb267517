"""Samples -> tensors, as the processor does it but 20 times faster: every picture here is 112 x 112 already.

tests/tools/test_demo_batches.py holds it to the processor's own output. Legend: B samples, T frames, H W C picture,
L tokens, P patches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from tools.demo.architecture import NUM_VISUAL_TOKENS

GRID = 8  # patches along a side


@dataclass(frozen=True)
class Image:
    """One picture (HWC uint8)."""

    frame_HWC: np.ndarray


@dataclass(frozen=True)
class Video:
    """An even number of frames, `frame_s` seconds apart."""

    frames_THWC: np.ndarray
    frame_s: float


@dataclass(frozen=True)
class Sample:
    """The items of the user's turn in order, and the answer (None: to be given)."""

    items: list[Image | Video | str]
    answer: str | None = None


def patchify(frames_THWC: np.ndarray) -> torch.Tensor:
    """uint8 frames (T even) -> patches_PD in the processor's order, D = 3 x 2 x 14 x 14."""
    pixels = torch.from_numpy(np.ascontiguousarray(frames_THWC)).float().div_(255).sub_(0.5).div_(0.25)
    steps = pixels.shape[0] // 2
    grid = pixels.permute(0, 3, 1, 2).reshape(steps, 2, 3, GRID // 2, 2, 14, GRID // 2, 2, 14)
    return grid.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(steps * GRID * GRID, -1).contiguous()


class Batcher:
    """Builds model inputs with the tokenizer's own ids; token strings are looked up once."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}
        vocabulary = tokenizer.get_vocab()
        self.image_id, self.video_id, self.start_id, self.end_id, self.pad_id, self.stop_id = (
            vocabulary[token]
            for token in (
                "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|endoftext|>", "<|im_end|>",
            )
        )  # fmt: skip

    def ids(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens around it."""
        if text not in self._known:
            self._known[text] = self.tokenizer(text, add_special_tokens=False).input_ids
        return self._known[text]

    def _prompt(self, items: list[Image | Video | str]) -> list[int]:
        """Token ids of the user's turn and of the beginning of the assistant's.

        Neighbouring texts are joined first: the tokenizer sees one string, and may merge over the seam.
        """
        ids, text = [], "<|im_start|>user\n"
        for item in items:
            if isinstance(item, str):
                text += item
                continue
            ids += self.ids(text)
            text = ""
            count = NUM_VISUAL_TOKENS * (len(item.frames_THWC) // 2 if isinstance(item, Video) else 1)
            ids += [self.start_id, *[self.video_id if isinstance(item, Video) else self.image_id] * count, self.end_id]
        return ids + self.ids(text + "<|im_end|>\n<|im_start|>assistant\n")

    def __call__(self, samples: list[Sample], pad_left: bool = False) -> dict[str, torch.Tensor]:
        """Inputs of the model, with `labels` where answers are given: the answer and its <|im_end|>, -100 elsewhere."""
        prompts = [self._prompt(sample.items) for sample in samples]
        answers = [[] if s.answer is None else [*self.ids(s.answer), self.stop_id] for s in samples]
        longest = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
        input_ids_BL = torch.full((len(samples), longest), self.pad_id)
        labels_BL = torch.full((len(samples), longest), -100)
        mask_BL = torch.zeros((len(samples), longest), dtype=torch.long)
        for i, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            length = len(prompt) + len(answer)
            first = longest - length if pad_left else 0
            input_ids_BL[i, first : first + length] = torch.tensor(prompt + answer)
            mask_BL[i, first : first + length] = 1
            if answer:
                labels_BL[i, first + len(prompt) : first + length] = torch.tensor(answer)
        batch = {
            "input_ids": input_ids_BL,
            "attention_mask": mask_BL,
            "mm_token_type_ids": (input_ids_BL == self.image_id).int() + 2 * (input_ids_BL == self.video_id).int(),
        }
        if any(answers):
            batch["labels"] = labels_BL
        return batch | self._pixels(samples)

    @staticmethod
    def _pixels(samples: list[Sample]) -> dict[str, torch.Tensor]:
        """pixel_values and their grids, of images and of videos."""
        items = [item for sample in samples for item in sample.items if not isinstance(item, str)]
        images = [item for item in items if isinstance(item, Image)]
        videos = [item for item in items if isinstance(item, Video)]
        inputs = {}
        if images:
            frames_THWC = np.repeat(np.stack([image.frame_HWC for image in images]), 2, axis=0)
            inputs["pixel_values"] = patchify(frames_THWC)
            inputs["image_grid_thw"] = torch.tensor([[1, GRID, GRID]] * len(images))
        if videos:
            inputs["pixel_values_videos"] = patchify(np.concatenate([video.frames_THWC for video in videos]))
            grids = [[len(video.frames_THWC) // 2, GRID, GRID] for video in videos]
            inputs["video_grid_thw"] = torch.tensor(grids)
            inputs["second_per_grid_ts"] = torch.tensor([2 * video.frame_s for video in videos])
        return inputs
