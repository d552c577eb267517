"""The cache gives what decoding gives, recognises what is damaged, and stays within its room."""

import multiprocessing
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from emovlm.frames import cache as caches
from emovlm.frames import decode, look, policy
from emovlm.frames.cache import Cache, Part

from .made_up_videos import grey, indices_of, write_video


@pytest.fixture
def clip(tmp_path):
    path = write_video(tmp_path / "clip.mp4", [grey(index) for index in range(20)], options={"crf": "5"})
    return str(path)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", 1e9)


@pytest.fixture
def no_decoding(monkeypatch):
    def stop(*_args, **_view):
        raise AssertionError("decoded")

    return lambda: monkeypatch.setattr(caches.decode, "read", stop)


def settings(folder, pick="uniform", **args):
    return SimpleNamespace(
        pick=pick, args=args, max_pixels=2000, crop="none", crop_margin=0.0, cache=folder, cache_gb=1.0
    )


def same(one, other):
    assert np.array_equal(one.frames_THWC, other.frames_THWC)
    assert one.frames_THWC.dtype == other.frames_THWC.dtype
    assert np.array_equal(one.times_s_T, other.times_s_T)
    assert (one.timed, one.num_visible, one.crop) == (other.timed, other.num_visible, other.crop)
    return True


ROW = {"id": "1", "apex_s": 0.4, "onset_s": 0.2, "box": [0.25, 0.25, 0.75, 0.75]}


@pytest.mark.parametrize(
    ("pick", "args"),
    [
        ("uniform", {"keep": 4}),
        ("uniform", {"keep": 99}),
        ("fps", {"rate": 5.0}),
        ("segment_random", {"keep": 4}),
        ("keyframes", {"keep": 3}),
        ("apex", {}),
        ("dense_window", {"keep": 3}),
        ("apex_estimate", {"keep": 2}),
    ],
)
@pytest.mark.parametrize("more", [{}, {"start_s": 0.15, "end_s": 0.85}])
@pytest.mark.parametrize("part", ["none", "box"])
def test_cold_and_warm_give_what_decoding_gives(clip, tmp_path, no_decoding, pick, args, more, part):
    row, key = ROW | {"media": [clip]} | more, (0, 0, "1")
    asked = settings(tmp_path / "cache", pick, **args)
    asked.crop, asked.crop_margin = part, 0.1
    plain = SimpleNamespace(**{**vars(asked), "cache": None})
    expected = look.look(row, plain, key)
    assert same(look.look(row, asked, key), expected)
    no_decoding()
    assert same(look.look(row, asked, key), expected)


def test_a_warm_random_policy_draws_anew_without_decoding(clip, tmp_path, no_decoding):
    row = ROW | {"media": [clip]}
    plain, asked = settings(None, "segment_random", keep=4), settings(tmp_path / "cache", "segment_random", keep=4)
    expected = [look.look(row, plain, (0, epoch, "1")) for epoch in range(5)]
    assert len({tuple(indices_of(one.frames_THWC)) for one in expected}) > 1
    look.look(row, asked, (0, 0, "1"))
    no_decoding()
    for epoch in range(5):
        assert same(look.look(row, asked, (0, epoch, "1")), expected[epoch])


def test_a_scored_random_policy_keeps_its_frames_alone(clip, tmp_path):
    row, asked = ROW | {"media": [clip]}, settings(tmp_path / "cache", "segment_random", keep=4)
    assert indices_of(look.look(row, asked, None).frames_THWC) == [2, 7, 12, 17]
    assert max(path.stat().st_size for path in (tmp_path / "cache").rglob("*.emovlm-frames")) < 5 * 6000


def test_a_long_clip_is_not_kept_whole(clip, tmp_path, monkeypatch, cache):
    monkeypatch.setattr(caches, "MOST_DENSE_BYTES", 19 * 3 * 2000)

    def read(choose, **more):
        return caches.read(cache, Part([clip]), choose, max_pixels=2000, every=True, **more)

    assert indices_of(read(lambda t, s: np.array([3, 5])).frames_THWC) == [3, 5]
    assert indices_of(read(lambda t, s: np.array([4, 6])).frames_THWC) == [4, 6]
    assert [path.stat().st_size < 2000 for path in cache.folder.rglob("*.emovlm-frames")] == [True]  # the times


def test_pictures_are_kept_too(tmp_path, cache, no_decoding):
    from PIL import Image

    paths = []
    for level in (10, 200):
        paths.append(str(tmp_path / f"{level}.png"))
        Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(paths[-1])

    def read(fps=None):
        return caches.read(cache, Part(paths, fps=fps), lambda t, s: np.arange(len(t)), max_pixels=10**6)

    cold, timed = read(), read(fps=200)
    assert not cold.timed
    assert (timed.timed, timed.times_s_T.tolist()) == (True, [0.0, 0.005])
    no_decoding()
    assert same(read(), cold)
    assert same(read(fps=200), timed)


def keys(cache):
    return {path.name for path in cache.folder.rglob("*.emovlm-frames")}


def test_what_makes_another_entry_and_what_does_not(clip, tmp_path, cache):
    def read(part=None, choose=lambda t, s: np.array([1, 2]), **more):
        before = keys(cache)
        caches.read(cache, part or Part([clip]), choose, **({"max_pixels": 2000} | more))
        return len(keys(cache) - before)

    assert read() == 2  # times and frames
    assert read() == 0
    assert read(choose=lambda t, s: np.array([1, 3])) == 1
    assert read(max_pixels=1500) == 1
    assert read(rough=True) == 1
    assert read(Part([clip], crop=(0.0, 0.0, 0.5, 0.5))) == 1
    assert read(Part([clip], end_s=0.5)) == 2
    moved = tmp_path / "moved.mp4"
    os.rename(clip, moved)
    assert read(Part([str(moved)])) == 0  # the path is not what it is
    state = moved.stat()
    os.utime(moved, ns=(state.st_atime_ns + 10**9, state.st_mtime_ns))
    assert read(Part([str(moved)])) == 0  # nor that it was read
    os.utime(moved, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert read(Part([str(moved)])) == 2  # written at another time
    content = bytearray(moved.read_bytes())
    content[-1] ^= 1
    moved.write_bytes(content)
    os.utime(moved, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert read(Part([str(moved)])) == 2  # other content, same size and time


def test_content_is_told_from_both_ends_and_the_size(tmp_path):
    path = tmp_path / "x"
    ends = caches.END_BYTES

    def content(data):
        path.write_bytes(data)
        os.utime(path, ns=(0, 10**18))
        return caches.content_of([str(path)])

    plain = content(bytes(3 * ends))
    assert content(b"\1" + bytes(3 * ends - 1)) != plain
    assert content(bytes(3 * ends - 1) + b"\1") != plain
    assert content(bytes(3 * ends + 1)) != plain
    assert content(bytes(3 * ends)) == plain
    # A file shorter than two ends is read whole.
    assert content(bytes(ends + 5) + b"\1" + bytes(3)) != content(bytes(ends + 9))
    assert caches.content_of([str(tmp_path / "nowhere")]) is None


def test_a_file_that_is_not_there_is_said_by_decoding(cache):
    with pytest.raises(decode.ClipError, match=r"nowhere\.mp4: no such file"):
        caches.read(cache, Part(["nowhere.mp4"]), lambda t, s: np.array([0]), max_pixels=100)


def test_a_broken_clip_leaves_nothing_behind(tmp_path, clip, cache):
    broken = tmp_path / "broken.mp4"
    content = Path(clip).read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    for _ in range(2):
        with pytest.raises(decode.ClipError):
            caches.read(cache, Part([str(broken)]), lambda t, s: np.array([0]), max_pixels=100)
    assert keys(cache) == set()


def damage_end(data):
    return data[:-7]


def damage_head(data):
    return b"\xff" * 8 + data[8:]


def damage_pixel(data):
    return data[:-100] + bytes([data[-100] ^ 1]) + data[-99:]


def nothing_left(data):
    return b""


@pytest.mark.parametrize("damage", [damage_end, damage_head, damage_pixel, nothing_left])
def test_a_damaged_entry_is_decoded_anew(clip, cache, damage):
    def read():
        return caches.read(cache, Part([clip]), lambda t, s: np.array([1, 19]), max_pixels=2000)

    cold = read()
    for path in cache.folder.rglob("*.emovlm-frames"):
        path.write_bytes(damage(path.read_bytes()))
    assert same(read(), cold)
    assert cache.get(next(iter(keys(cache))).removesuffix(".emovlm-frames")) is not None  # mended
    assert same(read(), cold)


def entry(cache, key, size=1000, used=None):
    cache.put(key, {"x": np.zeros(size, np.uint8)})
    if used is not None:
        os.utime(cache._path(key), (used, used))


def held(cache):
    return {key for key in ("aa", "bb", "cc", "dd", "ee") if cache._path(key).exists()}


def test_the_longest_unused_goes_first(tmp_path):
    # An entry of 1000 bytes takes 5000 with its checksums (4 bytes a row).
    cache = Cache(tmp_path, 16_500)
    for key, used in (("aa", 100), ("bb", 200), ("cc", 300)):
        entry(cache, key, used=used)
    assert held(cache) == {"aa", "bb", "cc"}
    assert cache.get("aa") is not None  # used now
    entry(cache, "dd")
    assert held(cache) == {"aa", "cc", "dd"}
    entry(cache, "ee")
    assert held(cache) == {"aa", "dd", "ee"}


def test_a_cache_that_may_only_be_read_is_read(tmp_path, monkeypatch):
    entry(Cache(tmp_path, 1e9), "aa")

    def forbidden(_path):
        raise PermissionError

    monkeypatch.setattr(caches.os, "utime", forbidden)
    assert Cache(tmp_path, 1e9).get("aa") is not None


def total(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_room_is_kept(tmp_path):
    cache = Cache(tmp_path, 100_000)
    for number in range(100):
        cache.put(f"{number:04}", {"x": np.full((2, 2000), number, np.uint8)})
        assert total(tmp_path) <= 100_000
    assert total(tmp_path) > 80_000
    assert cache.get("0099") is not None
    assert cache.get("0000") is None


def test_what_is_larger_than_the_room_is_not_kept(tmp_path):
    cache = Cache(tmp_path, 10_000)
    cache.put("aa", {"x": np.zeros((2, 6000), np.uint8)})
    assert total(tmp_path) == 0


def test_what_a_killed_process_left_goes(tmp_path):
    cache = Cache(tmp_path, 10_000)
    (tmp_path / "ab").mkdir()
    old, young = tmp_path / "ab" / "x.1.emovlm-frames-tmp", tmp_path / "ab" / "y.2.emovlm-frames-tmp"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (time.time() - 4000,) * 2)
    entry(cache, "ab")
    assert (old.exists(), young.exists()) == (False, True)


def test_what_is_not_its_own_is_left_alone(tmp_path):
    others = [tmp_path / "model" / "model.safetensors", tmp_path / "model" / "old.tmp", tmp_path / "notes.txt"]
    (tmp_path / "model").mkdir()
    for path in others:
        path.write_bytes(bytes(9000))
        os.utime(path, (100, 100))
    cache = Cache(tmp_path, 6000)
    for key in ("aa", "bb"):
        entry(cache, key)
    assert held(cache) == {"bb"}
    assert all(path.exists() for path in others)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(caches.UserError, match=r"frames\.cache: .* cannot be made"):
        Cache(tmp_path / "file" / "cache", 1e9)


def test_a_full_disk_costs_time_and_no_number(clip, cache, monkeypatch):
    def full(_arrays, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caches, "save_file", full)
    with pytest.warns(UserWarning, match="cannot be written"):
        found = caches.read(cache, Part([clip]), lambda t, s: np.array([1, 2]), max_pixels=2000)
    assert indices_of(found.frames_THWC) == [1, 2]
    assert total(cache.folder) == 0


def _read_all(folder, paths, seed, results):
    cache = Cache(folder, 300_000)  # less than all of it: they throw out what the others use
    rng, wrong = np.random.default_rng(seed), 0
    for _ in range(60):
        number = int(rng.integers(len(paths)))
        found = caches.read(cache, Part([paths[number]]), lambda t, s: policy.uniform(t, s, keep=4), max_pixels=3072)
        wrong += indices_of(found.frames_THWC) != [number + 1, number + 3, number + 5, number + 7]
    results.put(wrong)


def test_several_processes_share_a_folder(tmp_path):
    paths = []
    for number in range(12):
        levels = [grey(number + index) for index in range(8)]
        paths.append(str(write_video(tmp_path / f"{number}.mp4", levels, options={"crf": "5"})))
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=_read_all, args=(tmp_path / "cache", paths, seed, results)) for seed in range(4)]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=60) for _ in workers] == [0] * 4
    for worker in workers:
        worker.join()
    assert total(tmp_path / "cache") <= 300_000
    assert not list((tmp_path / "cache").rglob("*-tmp"))


def _write_for_ever(folder):
    cache = Cache(folder, 1e9)
    frames = np.random.default_rng(0).integers(0, 255, (8, 300, 300, 3), np.uint8)
    number = 0
    while True:
        cache.put(f"{number % 50:04}", {"frames_THWC": frames})
        number += 1


def test_readable_after_a_kill(tmp_path):
    for pause in (0.05, 0.11, 0.23):
        worker = multiprocessing.get_context("fork").Process(target=_write_for_ever, args=(tmp_path,))
        worker.start()
        time.sleep(0.2 + pause)
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
    cache = Cache(tmp_path, 1e9)
    found = [path.stem for path in tmp_path.rglob("*.emovlm-frames")]
    assert found
    assert all(cache.get(key) is not None for key in found)


def test_keys_hold_the_version(monkeypatch):
    before = caches.key_of("frames", 1)
    monkeypatch.setattr(caches, "VERSION", (2, *caches.VERSION[1:]))
    assert caches.key_of("frames", 1) != before


def test_whether_an_entry_is_there_is_asked_without_reading_it(tmp_path, monkeypatch):
    cache = Cache(tmp_path, 1e9)
    key = caches.key_of("x")
    assert not cache.holds(key)
    cache.put(key, {"a": np.zeros(3)})
    monkeypatch.setattr(Cache, "get", None)
    assert cache.holds(key)


def test_two_that_find_the_same_room_stay_within_it_together(tmp_path, monkeypatch):
    """One writes while the other does: each had found room for one more."""
    one, other = Cache(tmp_path, 100_000), Cache(tmp_path, 100_000)
    entry = {"a": np.zeros((1, 30_000), np.uint8)}
    for number in range(3):
        one.put(caches.key_of(number), entry)
    save, met = caches.save_file, []

    def while_the_other_writes(arrays, path):
        if not met:
            met.append(path)
            other.put(caches.key_of("other"), entry)
        save(arrays, path)

    monkeypatch.setattr(caches, "save_file", while_the_other_writes)
    one.put(caches.key_of("one"), entry)
    assert met
    assert 60_000 < total(tmp_path) <= 100_000
