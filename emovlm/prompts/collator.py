"""The text-enriched temporal collator: rows -> frames and texts in time order -> tensors.

One path for training and scoring: a training batch is the scoring batch with the answer behind it. Everything is padded
on the left, so the answer sits at the end of every row and only those logits are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from emovlm import UserError
from emovlm.frames.clip import Clip, ClipError
from emovlm.frames.look import look
from emovlm.longtail.losses import IGNORED
from emovlm.models.tokens import clip_cost, keeps_order
from emovlm.prompts.answers import Answers
from emovlm.prompts.arrangement import GapTexts, Texts
from emovlm.prompts.arranging import Arranging
from emovlm.prompts.messages import clock, question_text, user_turn
from emovlm.prompts.storyboard import storyboard

if TYPE_CHECKING:
    from emovlm.recipe import Recipe

# (row, frames section, policy key) -> clip: frames/look.py, or what a control of enrichment looks at beside.
Look = Callable[..., Clip]
# Stands in the batch for a clip that could not be read, so that steps and shapes stay; nothing is learnt from it.
UNREAD = Clip(np.zeros((2, 56, 56, 3), np.uint8), np.array([0.0, 1.0]), timed=True, num_visible=2)


class Collator:
    """rows -> what the processor returns, all of it, and with `with_answers` also:

    labels (B, A): the last A token ids, -100 where a row has no answer token. Rows that carry their index (key `row`)
    give rows_B. With `data.on_error: quarantine` an unreadable clip gives failed: {place in the batch: (kind, why)}.

    texts: by row id and gap; see messages.user_turn. look: where clips come from. epoch: read by random frame policies,
    set before an epoch starts.
    """

    def __init__(
        self,
        processor: Any,
        recipe: Recipe,
        classes: Sequence[str],
        *,
        with_answers: bool,
        texts: Texts | None = None,
        look: Look = look,
    ):
        self.processor, self.recipe, self.classes = processor, recipe, list(classes)
        self.with_answers, self.texts, self.look = with_answers, texts or {}, look
        self.arranging = Arranging(recipe, self.texts, self._length)
        # In shared memory: workers that outlive an epoch (dataloader_persistent_workers) keep their copy of the rest.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self.answers = Answers(processor)
        self.question = question_text(recipe.prompt, self.classes)
        self.as_video = recipe.frames.input == "video"
        if self.as_video and self.texts:
            raise UserError("enrich: texts go between pictures; set frames.input=images")
        clip_cost(processor, 2, 56, 56, as_video=self.as_video)  # raises where the processor has no place for it
        if not self.as_video and (self.texts or recipe.prompt.time_marks) and not keeps_order(processor):
            what = "enrich: texts between pictures" if self.texts else "prompt.time_marks"
            raise UserError(
                f"{what}: the chat template of {type(processor).__name__} puts all pictures before all texts; set "
                "frames.input=video, or leave the texts out and set prompt.time_marks=false"
            )

    @property
    def epoch(self) -> int:
        return int(self._epoch)

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch.fill_(epoch)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        clips, failed = [], {}
        for place, row in enumerate(rows):
            try:
                clips.append(self.look(dict(row), self.recipe.frames, (self.recipe.seed, self.epoch, row["id"])))
            except ClipError as error:
                if self.recipe.data.on_error != "quarantine":
                    raise
                clips.append(UNREAD)
                failed[place] = (error.kind, str(error))
        return {**self.tensors(rows, clips), **({"failed": failed} if failed else {})}

    def tensors(self, rows: Sequence[Mapping[str, Any]], clips: Sequence[Clip]) -> dict[str, torch.Tensor]:
        shown = [self.shown(row, clip) for row, clip in zip(rows, clips, strict=True)]
        prompts, clips = [self._prompt(*pair) for pair in shown], [clip for clip, _ in shown]
        numbered = {"rows_B": torch.tensor([row["row"] for row in rows])} if "row" in rows[0] else {}
        if not self.with_answers:
            return self._process(prompts, clips) | numbered
        answers = [self.answer(row) for row in rows]
        texts = [prompt + self.answers.text(answer) for prompt, answer in zip(prompts, answers, strict=True)]
        batch = self._process(texts, clips)
        batch["labels"] = self._supervised(batch["input_ids"], [self.answers.ids(answer) for answer in answers])
        batch["labels"][[clip is UNREAD for clip in clips]] = IGNORED
        return batch | numbered

    def prompt(self, row: Mapping[str, Any], clip: Clip) -> str:
        """The text up to where the model answers, through the processor's own template."""
        return self._prompt(*self.shown(row, clip))

    def answer(self, row: Mapping[str, Any]) -> str:
        if row.get("answer"):
            return row["answer"]
        if row.get("label") is None:
            raise UserError(f"row {row['id']}: has neither a label nor an answer, so there is nothing to learn")
        return self.classes[row["label"]]

    def shown(self, row: Mapping[str, Any], clip: Clip) -> tuple[Clip, GapTexts]:
        """The frames and the texts that stand in the prompt; a control may show others than were chosen."""
        return (clip, {}) if clip is UNREAD else self.arranging.shown(row["id"], clip)

    def storyboard(self, row: Mapping[str, Any], clip: Clip) -> list[str]:
        """The frames and texts of a prompt, a line each."""
        return storyboard(*self.shown(row, clip))

    def _prompt(self, clip: Clip, texts: GapTexts) -> str:
        marks = self.recipe.prompt.time_marks
        turn = user_turn(clip, self.question, as_video=self.as_video, time_marks=marks, gap_texts=texts)
        prompt = self.processor.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        return prompt + self.answers.opening

    def _length(self, clip: Clip, texts: GapTexts) -> int:
        """Tokens of a prompt."""
        return self._process([self._prompt(clip, texts)], [clip])["input_ids"].shape[1]

    def _process(self, texts: list[str], clips: Sequence[Clip]) -> dict[str, torch.Tensor]:
        pixels: dict[str, Any] = {}
        if self.as_video:
            for clip in clips:
                if not clip.timed and len(clip.times_s_T) > 1:
                    raise UserError(
                        "frames.input: pictures have no clock to make a video of; give the rows an fps, or set "
                        "frames.input=images"
                    )
            videos = [torch.from_numpy(clip.frames_THWC).permute(0, 3, 1, 2) for clip in clips]
            metadata = [clock(clip.times_s_T) for clip in clips]
            pixels = {"videos": videos, "video_metadata": metadata, "do_sample_frames": False}
        elif any(len(clip.frames_THWC) for clip in clips):
            pixels = {"images": [[torch.from_numpy(frame).permute(2, 0, 1) for frame in c.frames_THWC] for c in clips]}
        batch = self.processor(text=texts, padding=True, padding_side="left", return_tensors="pt", **pixels)
        return dict(batch)

    def _supervised(self, ids_BL: torch.Tensor, answers: list[list[int]]) -> torch.Tensor:
        longest = max(map(len, answers))
        answers_BA = torch.full((len(answers), longest), IGNORED)
        for b, ids in enumerate(answers):
            answers_BA[b, longest - len(ids) :] = torch.tensor(ids)
            # Truncated, padded on the right, or tokens melted over the border: never train on that.
            if ids_BL[b, -len(ids) :].tolist() != ids:
                raise UserError(
                    f"model.name: the tokens at the end of the prompt are not the answer's ({ids}); "
                    "was the row truncated by the processor's maximum length?"
                )
        return answers_BA
