"""What the cache of frames saves, and whether reading clips leaks: `python tools/bench_frames.py`.

Made-up H.264 clips, 640 x 360, 60 to 120 frames at 25 fps, are read in one process as a loader's worker reads them:
an epoch that decodes and fills the cache, then one that reads it. Bars: a tenth of the time; 200 MB of growth over
10,000 reads.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np

from emovlm.frames.look import look

POLICIES = {"uniform": {"keep": 8}, "segment_random": {"keep": 8}, "keyframes": {"keep": 8}}


def write_clip(path: Path, size: tuple[int, int], num_frames: int, seed: int) -> None:
    """Soft shapes that drift, with the noise of a sensor."""
    rng = np.random.default_rng(seed)
    width, height = size
    coarse = av.VideoFrame.from_ndarray(rng.integers(0, 255, (18, 32, 3), np.uint8), format="rgb24")
    picture = coarse.reformat(width=width * 2, height=height, interpolation="BICUBIC").to_ndarray().astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(num_frames):
            shift = round(width * (0.5 + 0.5 * np.sin(index / 20 + seed)) / 2)
            noisy = picture[:, shift : shift + width] + rng.normal(0, 3, (height, width, 1))
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(noisy.clip(0, 255).astype(np.uint8), format="rgb24"))
            )
        container.mux(stream.encode())


def settings(pick: str, cache: Path | None) -> SimpleNamespace:
    return SimpleNamespace(
        pick=pick, args=POLICIES[pick], max_pixels=100_352, cache=cache, cache_gb=20.0, crop="none", crop_margin=0.0
    )


def read_all(paths: list[Path], frames: SimpleNamespace, epoch: int) -> float:
    """Seconds."""
    start = time.perf_counter()
    for path in paths:
        look({"id": path.stem, "media": [str(path)]}, frames, (0, epoch, path.stem))  # type: ignore[arg-type]
    return time.perf_counter() - start


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def growth_mb(paths: list[Path], frames: SimpleNamespace, reads: int) -> tuple[float, float]:
    """(growth of the resident set after the first tenth of the reads, seconds a read)."""
    start, before = time.perf_counter(), 0.0
    for number in range(reads):
        if number == reads // 10:
            before = resident_mb()
        read_all(paths[number % len(paths) :][:1], frames, number)
    return resident_mb() - before, (time.perf_counter() - start) / reads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--reads", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = [folder / f"{number}.mp4" for number in range(asked.clips)]
        for number, path in enumerate(large):
            write_clip(path, (640, 360), 60 + 60 * number // asked.clips, number)
        sizes = [path.stat().st_size / 1e3 for path in large]
        print(f"{len(large)} clips, {np.mean(sizes):.0f} kB each")
        for pick in POLICIES:
            plain = read_all(large, settings(pick, None), 0)
            frames = settings(pick, folder / pick)
            cold, warm = read_all(large, frames, 0), read_all(large, frames, 1)
            kept = sum(path.stat().st_size for path in (folder / pick).rglob("*") if path.is_file()) / 1e6
            print(
                f"{pick:15} ms a clip: no cache {1e3 * plain / len(large):.1f}, cold {1e3 * cold / len(large):.1f}, "
                f"warm {1e3 * warm / len(large):.2f} (1/{cold / warm:.0f} of cold, 1/{plain / warm:.0f} of no cache), "
                f"{kept / len(large):.1f} MB a clip"
            )
        small = [folder / f"small{number}.mp4" for number in range(20)]
        for number, path in enumerate(small):
            write_clip(path, (160, 90), 40, number)
        for what, paths, frames in (
            ("decoded", small, settings("uniform", None)),
            ("decoded twice", small, settings("keyframes", None)),
            ("cached", large, settings("uniform", folder / "uniform")),
            ("cached whole", large, settings("segment_random", folder / "segment_random")),
        ):
            growth, seconds = growth_mb(paths, frames, asked.reads)
            print(f"{asked.reads} reads, {what}: resident set {growth:+.1f} MB, {1e3 * seconds:.1f} ms a read")


if __name__ == "__main__":
    main()
