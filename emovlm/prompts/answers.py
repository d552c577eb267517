"""An answer as tokens: its text and exactly one end-of-turn, as the model's own chat template writes them."""

from __future__ import annotations

from typing import Any

from emovlm import UserError

PROBE = "emovlmprobe"


class Answers:
    """Turns answers into token ids for one processor, in the context in which the model will meet them."""

    def __init__(self, processor: Any):
        self.tokenizer = processor.tokenizer
        question = [{"role": "user", "content": [{"type": "text", "text": "?"}]}]
        self.head = processor.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
        reply = {"role": "assistant", "content": [{"type": "text", "text": PROBE}]}
        whole = processor.apply_chat_template([*question, reply], tokenize=False)
        if PROBE not in whole:
            raise UserError("model.name: the chat template drops the assistant's turn, so no answer can be learnt")
        before, _, after = whole.rpartition(PROBE)
        # Templates without an end mark after the answer (older LLaVA) end with the tokenizer's own.
        self.end = after.strip() or self.tokenizer.eos_token
        # What a turn with an answer has before it, and a prompt has not: a blank (SmolVLM), which goes with the first
        # word, or the end of an empty thought (Qwen3.5), which goes with the prompt.
        lead = before[len(self.head) :] if before.startswith(self.head) else ""
        self.opening = lead.rstrip(" ")
        self.blank = lead[len(self.opening) :]
        self.head += self.opening
        self.head_ids = self._ids(self.head)
        self.end_ids = self._ids(self.head + PROBE + self.end)[len(self._ids(self.head + PROBE)) :]
        if not self.end_ids:
            raise UserError(f"model.name: the end-of-turn {self.end!r} of the chat template is not a token of its own")

    def text(self, answer: str) -> str:
        """What follows the prompt."""
        return self.blank + answer + self.end

    def ids(self, answer: str) -> list[int]:
        """Token ids of the answer and its end-of-turn. UserError for an empty answer or one that holds an end."""
        answer_ids = self._ids(self.head + self.text(answer))
        if answer_ids[: len(self.head_ids)] != self.head_ids or not answer.strip():
            raise UserError(f"the answer {answer!r} is empty, or its tokens melt into those of the prompt")
        answer_ids = answer_ids[len(self.head_ids) :]
        ends = sum(
            answer_ids[k : k + len(self.end_ids)] == self.end_ids
            for k in range(len(answer_ids) - len(self.end_ids) + 1)
        )
        if ends != 1 or answer_ids[-len(self.end_ids) :] != self.end_ids or len(answer_ids) == len(self.end_ids):
            raise UserError(f"the answer {answer!r} must hold text and exactly one end-of-turn ({self.end!r})")
        return answer_ids

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]
