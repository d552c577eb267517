"""An OpenAI-compatible endpoint on loopback: what is sent, how much at once, and what each kind of fault leads to."""

import base64
import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from emovlm import UserError
from emovlm.enrich.describers import openai
from emovlm.enrich.strip import Failure, Strip


class Server:
    """Answers by `answer(body, count)`: a text, or (status, text, headers). Knows how many requests it had at once."""

    def __init__(self):
        self.bodies, self.headers, self.begun_s = [], [], []
        self.at_once = self.most_at_once = 0
        self.answer = lambda body, count: "lips part"
        lock = threading.Lock()
        outer = self

        class Replies(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.begun_s.append(time.monotonic())
                    outer.at_once += 1
                    outer.most_at_once = max(outer.most_at_once, outer.at_once)
                    outer.bodies.append(body)
                    outer.headers.append(dict(self.headers))
                    count = len(outer.bodies)
                found = outer.answer(body, count)
                with lock:
                    outer.at_once -= 1
                status, text, more = found if isinstance(found, tuple) else (200, reply(found), {})
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Replies)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def reply(text):
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]})


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(openai, "FIRST_WAIT_S", 0.01)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    found = Server()
    yield found
    found.server.shutdown()
    found.server.server_close()


def strip(value=10, count=2, notes=()):
    frames_THWC = np.full((count, 8, 8, 3), value, np.uint8)
    frames_THWC[0, 0, 0] = (255, 0, 7)
    return Strip(frames_THWC, np.arange(count) / 4, True, None, None, frames_THWC[:1], notes)


def endpoint(server, **args):
    given = {"stage": "gap", "max_words": 12, "model": "captioner", "base_url": server.url} | args
    return openai.load(**given)


def test_frames_times_and_question_are_sent_as_they_are(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert endpoint(server).describe([strip(notes=((0.1, "brows rise"),))]) == ["lips part"]
    (body,) = server.bodies
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("captioner", 0, 60)
    content = body["messages"][0]["content"]
    kinds = [item.get("text", item["type"]) for item in content]
    assert kinds[:5] == ["0.00 s: ", "image_url", "Then: brows rise\n", "0.25 s: ", "image_url"]
    assert "at most 12 words" in kinds[5]
    png = base64.b64decode(content[1]["image_url"]["url"].partition("base64,")[2])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), strip().frames_THWC[0])
    assert server.headers[0]["Authorization"] == "Bearer secret"


def test_requests_go_out_together_and_answers_keep_their_order(server):
    def answer(body, count):
        time.sleep(0.15)
        packed = body["messages"][0]["content"][-2]["image_url"]["url"].partition("base64,")[2]
        return f"value {np.asarray(Image.open(io.BytesIO(base64.b64decode(packed))))[-1, -1, 0]}"

    server.answer = answer
    start_s = time.monotonic()
    found = endpoint(server, concurrent=4).describe([strip(value) for value in range(12)])
    assert found == [f"value {value}" for value in range(12)]
    assert server.most_at_once == 4
    assert time.monotonic() - start_s < 12 * 0.15


def test_a_rate_limit_is_kept(server):
    endpoint(server, requests_per_s=20).describe([strip() for _ in range(5)])
    assert server.begun_s[-1] - server.begun_s[0] >= 4 / 20 - 0.02


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server, status):
    server.answer = lambda body, count: "lips part" if count > 2 else (status, "wait", {})
    assert endpoint(server).describe([strip()]) == ["lips part"]
    assert len(server.bodies) == 3


def test_the_wait_that_a_server_asks_for_is_kept(server):
    server.answer = lambda body, count: "lips part" if count > 1 else (429, "wait", {"Retry-After": "1"})
    assert endpoint(server).describe([strip()]) == ["lips part"]
    assert server.begun_s[1] - server.begun_s[0] >= 1


def test_a_request_that_fails_is_that_clips_failure(server):
    server.answer = lambda body, count: (400, "picture too small", {})
    assert endpoint(server).describe([strip()]) == [Failure("400 Bad Request: picture too small")]
    assert len(server.bodies) == 1, "a bad request is not sent again"
    server.answer = lambda body, count: (500, "out of memory", {})
    (found,) = endpoint(server, retries=2).describe([strip()])
    assert found == Failure("500 Internal Server Error: out of memory (3 times)")
    assert len(server.bodies) == 4


def test_a_slow_answer_is_a_failure(server):
    server.answer = lambda body, count: time.sleep(1) or "late"
    (found,) = endpoint(server, timeout_s=0.1, retries=1).describe([strip()])
    assert found == Failure("no answer within 0.1 s (2 times)")


def test_an_empty_answer_is_passed_on_as_such(server):
    server.answer = lambda body, count: None
    assert endpoint(server).describe([strip()]) == [""]


@pytest.mark.parametrize("status", [401, 404])
def test_what_would_fail_for_every_clip_stops(server, status):
    server.answer = lambda body, count: (status, "no such model", {})
    with pytest.raises(UserError, match=rf"enrich\.base_url: {server.url}.*{status}.*no such model"):
        endpoint(server).describe([strip()])


def test_no_server_stops_after_its_retries(server):
    server.server.shutdown()
    server.server.server_close()
    with pytest.raises(UserError, match=r"cannot be reached .*refused.*is the server up\?"):
        endpoint(server, retries=1).describe([strip()])


def test_the_identity_holds_what_could_change_a_text(server):
    plain = endpoint(server).identity
    assert endpoint(server, concurrent=2, retries=1, requests_per_s=3, timeout_s=9).identity == plain
    assert endpoint(server, base_url="http://127.0.0.1:9/v1").identity == plain
    for change in ({"model": "other"}, {"question": "What is seen?"}, {"max_words": 3}, {"stage": "frame"}):
        assert endpoint(server, **change).identity != plain
    with pytest.raises(UserError, match="concurrent"):
        endpoint(server, concurrent=0)
