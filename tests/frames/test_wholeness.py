"""Files that were cut off or damaged are named, with the time that was reached, and refused."""

import functools

import numpy as np
import pytest

from emovlm.frames import decode, wholeness
from emovlm.frames.policy import uniform

from .made_up_videos import corners, write_video


def every(times_s_T, span_s):
    return np.arange(len(times_s_T))


def read(path, choose=every, **asked):
    return decode.read([str(path)], choose, max_pixels=10**6, **asked)


def cut_file(path, share=0.6):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


NOISE = [np.random.default_rng(index).integers(0, 255, (48, 64, 3), dtype=np.uint8) for index in range(40)]


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "container_options"),
    [
        ("fast.mp4", "libx264", "yuv420p", {"movflags": "faststart"}),
        ("end_index.mp4", "libx264", "yuv420p", {}),
        ("a.mkv", "libx264", "yuv420p", {}),
        ("a.webm", "libvpx", "yuv420p", {}),
        ("a.avi", "mpeg4", "yuv420p", {}),
        ("a.ts", "libx264", "yuv420p", {}),
        ("a.gif", "gif", "rgb8", {}),
    ],
)
def test_a_truncated_file_is_named_and_refused(tmp_path, name, codec, pix_fmt, container_options):
    path = write_video(tmp_path / name, NOISE, codec=codec, pix_fmt=pix_fmt, container_options=container_options)
    assert read(path).num_visible == 40
    with pytest.raises(decode.ClipError) as caught:
        read(cut_file(path), functools.partial(uniform, keep=2))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    if name != "end_index.mp4":  # without its index, nothing of it can be decoded
        assert " s; replace the file or leave the row out" in message
        assert 0.3 < float(message.split(" after ")[1].split(" s;")[0]) < 1.9


def test_a_file_cut_between_two_frames_is_refused_by_its_index(tmp_path):
    import av

    path = write_video(tmp_path / "fast.mp4", NOISE, container_options={"movflags": "faststart"}, options={"bf": "0"})
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        end = packets[20].pos
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(decode.ClipError, match=r"cut off|damaged"):
        read(path)


def test_a_damaged_span_does_not_spoil_another(tmp_path):
    path = cut_file(write_video(tmp_path / "a.mkv", NOISE), 0.7)
    assert read(path, start_s=0.2, end_s=0.6).num_visible == 8
    with pytest.raises(decode.ClipError):
        read(path, start_s=0.2)


def test_a_jump_to_the_end_of_a_truncated_file_is_refused_too(tmp_path, monkeypatch):
    monkeypatch.setattr("emovlm.frames.video.JUMP_AFTER_S", 0.1)
    path = cut_file(write_video(tmp_path / "a.mkv", NOISE, options={"g": "5"}), 0.8)
    assert read(path, start_s=0.5, end_s=0.7).num_visible == 4
    with pytest.raises(decode.ClipError, match="is cut off"):
        read(path, start_s=0.5)


def test_no_descriptor_stays_open(tmp_path):
    import os

    path = write_video(tmp_path / "a.mp4", [corners()] * 3)
    broken = cut_file(write_video(tmp_path / "b.mkv", NOISE))
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        read(path)
        with pytest.raises(decode.ClipError):
            read(broken)
    assert len(os.listdir("/proc/self/fd") if before else []) == before


def test_a_pointer_of_git_lfs_is_named_for_what_it_is(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n")
    with pytest.raises(decode.ClipError, match=r"a Git LFS pointer.*run `git lfs pull`") as caught:
        read(path)
    assert caught.value.kind == "git_lfs"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_an_mp4_that_lost_its_index_is_cut_off(tmp_path, share):
    path = cut_file(write_video(tmp_path / "end_index.mp4", NOISE), share)
    with pytest.raises(decode.ClipError, match=r"is cut off \((\d+ bytes are missing|it has no index)\)") as caught:
        read(path)
    assert caught.value.kind == "truncated"


def test_a_file_that_is_no_mp4_is_not_called_cut_off(tmp_path):
    for number, content in enumerate((b"", b"\0\0\0", b"hello, I am a text" * 9, b"\0\0\0\x10ftyp" * 3)):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(content)
        assert (wholeness.cut_before_index(str(path)) is None) == (number < 3)
