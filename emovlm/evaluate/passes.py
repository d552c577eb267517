"""One pass over the rows of a split, on all processes: every view of every clip is put to the model once.

B rows of a batch.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from accelerate.utils import gather_object
from tqdm import tqdm

from emovlm import processes
from emovlm.enrich.run import look_for, texts_for
from emovlm.frames import altered
from emovlm.models.tokens import num_visual
from emovlm.prompts.arrangement import own_times_s
from emovlm.prompts.collator import Collator

if TYPE_CHECKING:
    import datasets

    from emovlm.frames.clip import Clip
    from emovlm.recipe import Recipe

AS_IS, BLANK, ORDER = "as_is", "blank", "order_"
ALTERED = (BLANK, "shuffled", "reversed", "single_frame", "other_clip")
# A scoring batch -> one answer a row, of plain Python values.
Ask = Callable[[dict[str, torch.Tensor]], list[Any]]


class Cost(NamedTuple):
    """Of a prompt: tokens that hold what the tower saw, and all of them."""

    visual_tokens: int
    tokens: int


@dataclass(frozen=True)
class View:
    """How a row is put to the model: in the prompt of `collator`, its clip through `alter(clip, index of the row)`.

    repeats: the same prompt on the same pixels comes again and again (a blank clip), and is asked once.
    """

    collator: Collator
    alter: Callable[[Clip, int], Clip] | None = None
    repeats: bool = False


def views(processor: Any, recipe: Recipe, rows: datasets.Dataset, classes: Sequence[str]) -> dict[str, View]:
    """What the recipe's `evaluate:` asks for; `as_is` first."""
    asked = recipe.evaluate
    texts, look = texts_for(recipe, rows), look_for(recipe)

    def collator(listed: Sequence[str]) -> Collator:
        return Collator(processor, recipe, listed, with_answers=False, texts=texts, look=look)

    labels = list(rows["label"])

    def other_clip(_clip: Clip, index: int) -> Clip:
        # Of another class where there is one: a clip of the same class may rightly be answered alike.
        ring = [(index + len(rows) // 2 + step) % len(rows) for step in range(len(rows))]
        other = next((place for place in ring if labels[place] != labels[index]), ring[0])
        return look(rows[other], recipe.frames, None)

    own = collator(classes)
    found = {AS_IS: View(own)}
    if asked.look or asked.prior == "blank":
        found[BLANK] = View(own, lambda clip, _: altered.blank(clip), repeats=True)
    if asked.look:
        found["shuffled"] = View(own, lambda clip, index: altered.shuffled(clip, rows[index]["id"]))
        found["reversed"] = View(own, lambda clip, _: altered.backwards(clip))
        found["single_frame"] = View(own, lambda clip, _: altered.frozen(clip))
        found["other_clip"] = View(own, other_clip)
    for number in range(1, asked.orders):
        listed = np.random.default_rng([recipe.seed, number]).permutation(np.array(classes)).tolist()
        found[f"{ORDER}{number}"] = View(collator(listed))
    return found


def ask_rows(
    rows: datasets.Dataset, recipe: Recipe, views: Mapping[str, View], ask: Ask, *, title: str
) -> list[dict[str, Any]]:
    """A dict a row, in the order of the rows and the same on every process.

    `times_s` of the chosen frames; what was shown (`crop`, `texts` by gap) and what it cost (`frames`, `visual_tokens`,
    `tokens` of the prompt); and the answer to each view. Each process asks for its share of the rows; then all are put
    in order.
    """
    state = processes.state()
    mine = list(range(state.process_index, len(rows), state.num_processes))
    size = recipe.evaluate.batch_size
    known: dict[tuple[str, bytes], Any] = {}
    found: list[tuple[int, dict[str, Any]]] = []
    longest = math.ceil(len(rows) / state.num_processes)
    for start in tqdm(range(0, longest, size), desc=title, disable=None, leave=False):
        # Of a model in shards every pass is everybody's: who has run out of rows asks along, and drops the answer.
        spare = start >= len(mine)
        indices = [0] if spare else mine[start : start + size]
        batch = [rows[index] for index in indices]
        # Without a key: what is scored is not random.
        clips = [views[AS_IS].collator.look(row, recipe.frames, None) for row in batch]
        answers = [_looked_at(views[AS_IS].collator, row, clip) for row, clip in zip(batch, clips, strict=True)]
        for name, view in views.items():
            shown = [view.alter(clip, i) if view.alter else clip for clip, i in zip(clips, indices, strict=True)]
            once = view.repeats and not processes.sharded()
            replies = _ask_once(view, batch, shown, ask, known) if once else _ask(view, batch, shown, ask)
            for answer, (cost, reply) in zip(answers, replies, strict=True):
                answer[name] = reply
                if name == AS_IS:
                    answer |= cost._asdict()
        found += [] if spare else zip(indices, answers, strict=True)
    if state.num_processes > 1:
        found = gather_object(found)
    found.sort(key=lambda pair: pair[0])
    assert [index for index, _ in found] == list(range(len(rows))), "a row was lost or doubled between the processes"
    return [answer for _, answer in found]


def _looked_at(collator: Collator, row: dict[str, Any], clip: Clip) -> dict[str, Any]:
    shown, texts = collator.shown(row, clip)
    found: dict[str, Any] = {"times_s": own_times_s(clip).tolist(), "frames": len(shown.times_s_T)}
    if clip.crop:
        found["crop"] = [round(corner, 4) for corner in clip.crop]
    if texts:
        found["texts"] = {str(gap): list(told) for gap, told in texts.items()}
    return found


def _ask(view: View, batch: Sequence[dict[str, Any]], clips: Sequence[Clip], ask: Ask) -> list[tuple[Cost, Any]]:
    device = processes.state().device
    tensors = view.collator.tensors(batch, clips)
    costs = [
        Cost(num_visual(view.collator.processor, ids_L), int(mask_L.sum()))
        for ids_L, mask_L in zip(tensors["input_ids"], tensors["attention_mask"], strict=True)
    ]
    with torch.no_grad():
        replies = ask({key: value.to(device) for key, value in tensors.items()})
    return list(zip(costs, replies, strict=True))


def _ask_once(
    view: View, batch: Sequence[dict[str, Any]], clips: Sequence[Clip], ask: Ask, known: dict[tuple[str, bytes], Any]
) -> list[tuple[Cost, Any]]:
    keys = [
        (view.collator.prompt(row, clip), hashlib.blake2b(clip.frames_THWC.tobytes()).digest() + _shape(clip))
        for row, clip in zip(batch, clips, strict=True)
    ]
    new = {key: b for b, key in enumerate(keys) if key not in known}
    if new:
        replies = _ask(view, [batch[b] for b in new.values()], [clips[b] for b in new.values()], ask)
        known.update(zip(new, replies, strict=True))
    return [known[key] for key in keys]


def _shape(clip: Clip) -> bytes:
    # The clock too: with video input the times are no part of the text.
    return repr((clip.frames_THWC.shape, clip.times_s_T.tolist())).encode()
