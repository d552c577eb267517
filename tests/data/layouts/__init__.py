"""Official layouts of known data sets, with tiny clips: `<source>.py` has what emovlm/data/sources/<source>.py reads.

A layout module has
    write(root) -> the arguments of the `data:` section besides `source`, such as {"root": str(root), "fold": 1};
    COUNTS      split -> class -> rows, as these arguments give them; split "all" for a set that emovlm deals out;
                the class None stands for rows without a label;
    FOLDS       for a set that ships folds: their number; every row is in the test split of exactly one of them.
"""

from __future__ import annotations

import functools
import importlib
import io
from pathlib import Path
from types import ModuleType

import av
import numpy as np
from PIL import Image

HERE = Path(__file__).parent


def names() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")


def clip(path: Path) -> Path:
    """A video of five frames, in the container of its suffix (mp4, avi, flv, mkv, mov)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_video(path.suffix[1:]))
    return path


def picture(path: Path) -> Path:
    """A still picture (jpg, png, bmp)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_picture(path.suffix[1:].lower()))
    return path


def text(path: Path, *lines: str, end: str = "\n", encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode(encoding))
    return path


def _frame(shade: int) -> np.ndarray:
    """A grey ramp: not one colour, so that nothing takes the clip for an empty one."""
    return np.full((64, 64, 3), shade, np.uint8) + np.arange(64, dtype=np.uint8)[:, None, None]


@functools.cache
def _video(container: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska" if container == "mkv" else container) as output:
        stream = output.add_stream("flv1" if container == "flv" else "mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for index in range(5):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(_frame(30 * index), format="rgb24")))
        output.mux(stream.encode())
    return file.getvalue()


@functools.cache
def _picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(_frame(90)).save(file, format={"jpg": "jpeg"}.get(kind, kind))
    return file.getvalue()
