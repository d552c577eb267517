"""Records are whole or not there; a claim keeps others out until its process is gone, however it went."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np

from emovlm.enrich.cache import Store, digest, file_digests, frame_digests

HOLD = """
import sys, time
from emovlm.enrich.cache import Store
with Store().claim("abcdef") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def holder():
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "True\n"
    return process


def test_a_digest_knows_values_and_not_the_order_of_keys():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert len({digest(value) for value in ({"a": 1}, {"a": 2}, {"a": "1"}, {"a": [1]}, {"b": 1})}) == 5


def test_frames_by_pixels_and_shape():
    frames_THWC = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
    first, second = frame_digests(frames_THWC)
    assert first != second
    assert frame_digests(frames_THWC[::-1]) == [second, first]
    assert frame_digests(frames_THWC.reshape(2, 6, 4, 3))[0] != first, "the same bytes in another shape"
    frames_THWC[0, 0, 0, 0] += 1
    assert frame_digests(frames_THWC)[0] != first


def test_files_by_content_alone(tmp_path):
    path, copy = tmp_path / "a.bin", tmp_path / "b.bin"
    path.write_bytes(b"x" * 3_000_000)
    shutil.copy(path, copy)
    os.utime(copy, (1, 1))
    assert file_digests([str(path)]) == file_digests([str(copy)])
    with path.open("r+b") as file:
        file.seek(1_500_000)
        file.write(b"y")
    assert file_digests([str(path)]) != file_digests([str(copy)])


def test_a_record_comes_back_and_leaves_nothing_beside_it(tmp_path):
    store = Store(tmp_path)
    assert store.read("texts", "abcd") is None
    store.write("texts", "abcd", {"text": "é"})
    store.write("texts", "abcd", {"text": "ü"})
    assert store.read("texts", "abcd") == {"text": "ü"}
    assert [path.name for path in (tmp_path / "texts" / "ab").iterdir()] == ["cd.json"]
    store.remove("texts", "abcd")
    store.remove("texts", "abcd")
    assert store.read("texts", "abcd") is None


def test_a_claim_keeps_others_out_and_ends():
    process = holder()
    try:
        with Store().claim("abcdef") as mine:
            assert not mine
        with Store().claim("other1") as mine:
            assert mine
    finally:
        process.kill()
        process.wait()


def test_the_claim_of_a_killed_process_is_free_at_once():
    process = holder()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with Store().claim("abcdef") as mine:
        assert mine
        with Store().claim("abcdef") as again:
            assert not again
    with Store().claim("abcdef") as mine:
        assert mine


def test_waiting_for_a_claim_ends_when_its_process_does():
    process = holder()
    killer = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(0.5); os.kill({process.pid}, 9)"])
    start_s = time.monotonic()
    with Store().claim("abcdef", wait=True) as mine:
        assert mine
    assert time.monotonic() - start_s >= 0.3
    killer.wait()
    process.wait()
