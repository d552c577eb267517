"""Any OpenAI-compatible endpoint, such as a vLLM server on this machine: several requests at once, with retries.

What such a server runs cannot be looked into, so texts are kept under the model's name alone: name another model
(`vllm serve --served-model-name`) where other weights are served.
"""

from __future__ import annotations

import base64
import io
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from emovlm import UserError
from emovlm.enrich.asking import content_of, question_of
from emovlm.enrich.strip import Failure, Strip

TOKENS_PER_WORD, MOST_TOKENS = 5, 256
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
# The address, the key or the model is wrong: no request will be answered.
HOPELESS = (401, 403, 404, 405)
BUSY = (408, 409, 425, 429)


def load(
    *,
    stage: str,
    max_words: int | None,
    model: str = "",
    base_url: str = "http://127.0.0.1:8000/v1",
    question: str | None = None,
    concurrent: int = 16,
    requests_per_s: float = 0.0,
    retries: int = 5,
    timeout_s: float = 120.0,
) -> Endpoint:
    """model: the name by which the endpoint knows it, by default `model.name`. question: as for vlm.

    concurrent: requests at once. requests_per_s: at most so many are begun (0: no limit). retries: after so many a
    request has failed. The key, where one is needed, comes from the environment: OPENAI_API_KEY.
    """
    assert model, "stages.py fills in the model to be trained"
    if concurrent < 1 or retries < 0 or timeout_s <= 0 or requests_per_s < 0:
        raise UserError("enrich.concurrent must be at least 1, retries and requests_per_s 0 or more, timeout_s above 0")
    tokens = min(MOST_TOKENS, TOKENS_PER_WORD * max_words) if max_words else MOST_TOKENS
    identity = {"model": model, "question": question_of(stage, question, max_words), "max_tokens": tokens}
    return Endpoint(identity, base_url.rstrip("/"), concurrent, requests_per_s, retries, timeout_s)


@dataclass(frozen=True)
class _Again:
    """Worth another try, after `wait_s` if the server asked for it. nobody_there: there was no server at all."""

    fault: str
    wait_s: float = 0.0
    nobody_there: bool = False


class Endpoint:
    version = 1

    def __init__(
        self,
        identity: dict[str, Any],
        base_url: str,
        concurrent: int,
        requests_per_s: float,
        retries: int,
        timeout_s: float,
    ):
        self.identity, self.at_once = identity, concurrent
        self.url, self.retries, self.timeout_s = f"{base_url}/chat/completions", retries, timeout_s
        self._gap_s = 1 / requests_per_s if requests_per_s else 0.0
        self._next_s, self._pace = 0.0, threading.Lock()

    def describe(self, strips: Sequence[Strip]) -> list[str | Failure]:
        with ThreadPoolExecutor(self.at_once) as pool:
            return list(pool.map(self._ask, strips))

    def _ask(self, strip: Strip) -> str | Failure:
        content = [_item(item) for item in content_of(strip, self.identity["question"])]
        body = {
            "model": self.identity["model"],
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self.identity["max_tokens"],
            "temperature": 0,
        }
        data = json.dumps(body).encode()
        for attempt in range(self.retries + 1):
            self._wait_for_a_turn()
            found = self._try(data)
            if not isinstance(found, _Again):
                return found
            if attempt < self.retries:
                time.sleep(min(LONGEST_WAIT_S, max(found.wait_s, FIRST_WAIT_S * 2**attempt)))
        if found.nobody_there:
            raise UserError(f"enrich.base_url: {self.url} cannot be reached ({found.fault}); is the server up?")
        return Failure(f"{found.fault} ({self.retries + 1} times)")

    def _try(self, data: bytes) -> str | Failure | _Again:
        try:
            return self._send(data)
        except urllib.error.HTTPError as error:
            fault = f"{error.code} {error.reason}: {_told(error)}"
            if error.code in HOPELESS:
                raise UserError(f"enrich.base_url: {self.url}: {fault}") from None
            if error.code < 500 and error.code not in BUSY:
                return Failure(fault)
            wait = error.headers.get("Retry-After") or ""
            return _Again(fault, wait_s=float(wait) if wait.isdigit() else 0.0)
        except OSError as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                return _Again(f"no answer within {self.timeout_s:g} s")
            return _Again(str(reason), nobody_there=True)

    def _send(self, data: bytes) -> str:
        headers = {"Content-Type": "application/json"}
        if os.environ.get("OPENAI_API_KEY"):
            headers["Authorization"] = f"Bearer {os.environ['OPENAI_API_KEY']}"
        request = urllib.request.Request(self.url, data, headers)
        with urllib.request.urlopen(request, timeout=self.timeout_s) as response:
            reply = json.load(response)
        return reply["choices"][0]["message"]["content"] or ""

    def _wait_for_a_turn(self) -> None:
        with self._pace:
            now_s = time.monotonic()
            turn_s = max(now_s, self._next_s)
            self._next_s = turn_s + self._gap_s
        time.sleep(turn_s - now_s)


def _told(error: urllib.error.HTTPError) -> str:
    """The first words of what the server said."""
    return " ".join(error.read(2000).decode(errors="replace").split())[:200]


def _item(item: str | np.ndarray) -> dict[str, Any]:
    if isinstance(item, str):
        return {"type": "text", "text": item}
    file = io.BytesIO()
    Image.fromarray(item).save(file, "PNG")
    packed = base64.b64encode(file.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{packed}"}}
