"""A folder with every fault that `emovlm data check` names, each planted once, among clips that are fine."""

from __future__ import annotations

import csv
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from tests.frames.made_up_videos import write_sound, write_video

NUM_FRAMES = 10


def scene(seed: int) -> Image.Image:
    """Something with shapes, another one for every seed."""
    coarse = np.random.default_rng(seed).integers(40, 200, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC)


def film(picture: Image.Image, count: int = NUM_FRAMES) -> list[np.ndarray]:
    """The scene moving a little to the side."""
    wide = np.asarray(picture)
    return [np.roll(wide, step, axis=1) for step in range(count)]


def write(root: Path) -> Path:
    """The folder with its metadata.csv; every row and file is named after its fault."""
    root.mkdir()
    rows = [Row(root, f"fine{k}.mp4", film(scene(k)), split=["train", "test"][k % 2]) for k in range(6)]
    rows += broken(root) + odd(root) + copies(root)
    columns = ["file_names", "label", "subject", "split", "text", "num_frames", "apex_s"]
    with (root / "metadata.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row.values for row in rows)
    write_video(root / "without_row.mp4", film(scene(90)))
    return root


class Row:
    """values: of the table."""

    def __init__(self, root: Path, name: str, frames: list[np.ndarray] | None = None, **values):
        self.values = {"file_names": name, "label": "joy", "subject": name, "split": "train", **values}
        if frames is not None:
            write_video(root / name, frames)


def broken(root: Path) -> list[Row]:
    noise = [np.random.default_rng(k).integers(0, 255, (72, 96, 3), dtype=np.uint8) for k in range(20)]
    write_video(root / "truncated.mkv", noise)
    cut(root / "truncated.mkv", 0.6)
    write_video(root / "no_index.mp4", noise)
    cut(root / "no_index.mp4", 0.5)
    write_video(root / "damaged.jpg.mp4", noise, container_options={"movflags": "faststart"})
    spoil(root / "damaged.jpg.mp4")
    (root / "empty.mp4").touch()
    (root / "pointer.mp4").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    (root / "text.mp4").write_text("this is no clip at all\n" * 20)
    with av.open(str(root / "sound.mp4"), "w") as container:
        write_sound(container, container.add_stream("aac", rate=48000), 0.5)
    # An mp4 without a packet has no stream either.
    for name in ("no_frame.avi", "no_stream.mp4"):
        with av.open(str(root / name), "w") as container:
            stream = container.add_stream("mpeg4", rate=20)
            stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv420p"
            container.start_encoding()
    names = ["truncated.mkv", "no_index.mp4", "damaged.jpg.mp4", "empty.mp4", "pointer.mp4", "text.mp4", "sound.mp4"]
    return [Row(root, name) for name in [*names, "no_frame.avi", "no_stream.mp4", "missing.mp4"]]


def odd(root: Path) -> list[Row]:
    (root / "frames").mkdir()
    for number in (1, 2, 3, 5, 6):
        scene(20).save(root / "frames" / f"img_{number}.png")
    write_video(root / "uneven.mp4", film(scene(22)), pts=[0, 1, 2, 3, 9, 10, 11, 12, 13, 14])
    write_video(root / "hdr.mp4", film(scene(23)), options={"x264-params": "transfer=smpte2084"})
    write_video(root / "short.webm", film(scene(21), 20), codec="libvpx")
    spoil(root / "short.webm", 300)
    write_video(root / "long.mp4", film(scene(24), 60), time_base=Fraction(1, 1))
    return [
        Row(root, "frames"),
        Row(root, "uneven.mp4"),
        Row(root, "hdr.mp4"),
        Row(root, "short.webm"),
        Row(root, "long.mp4"),
        Row(root, "miscounted.mp4", film(scene(25)), num_frames="12"),
        Row(root, "counted.mp4", film(scene(26)), num_frames="10"),
        Row(root, "late.mp4", film(scene(27)), apex_s="3.5"),
        Row(root, "shared_subject_a.mp4", film(scene(28)), subject="twice"),
        Row(root, "shared_subject_b.mp4", film(scene(29)), subject="twice", split="test"),
        Row(root, "joy_in_name.mp4", film(scene(30))),
        Row(root, "told.mp4", film(scene(31)), text="Oh joy!"),
        Row(root, "lonely.mp4", film(scene(32)), label="rare"),
    ]


def copies(root: Path) -> list[Row]:
    rows = [Row(root, "original.mp4", film(scene(40)))]
    changed = {
        "mirrored": ImageOps.mirror,
        "brightened": lambda picture: ImageEnhance.Brightness(picture).enhance(1.25),
        "smaller": lambda picture: picture.resize((64, 48)),
    }
    for name, change in changed.items():
        frames = [np.asarray(change(Image.fromarray(frame))) for frame in film(scene(40))]
        rows.append(Row(root, f"{name}.mp4", frames, split="test"))
    for number, one, other in (
        (41, {"split": "train"}, {"split": "test"}),
        (42, {}, {}),
        (43, {}, {"label": "rare"}),
    ):
        name = {41: "exact", 42: "within", 43: "torn"}[number]
        rows.append(Row(root, f"{name}.mp4", film(scene(number)), **one))
        rows.append(Row(root, f"{name}_again.mp4", None, **other))
        shutil.copy(root / f"{name}.mp4", root / f"{name}_again.mp4")
    return rows


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def spoil(path: Path, length: int = 4000) -> None:
    """Zeros in the middle of the pictures."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + length] = bytes(length)
    path.write_bytes(content)
