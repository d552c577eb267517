"""H.264 in and out of memory, the same bytes on every run. Legend: T frames, H W picture, C red green blue."""

from __future__ import annotations

import io

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

CRF = 29


def encode(frames_THWC: np.ndarray, fps: int) -> bytes:
    """An MP4 file with one H.264 stream (yuv420p) of the uint8 frames.

    One thread and cpu-independent decisions, no date and no encoder's name: nothing but the pictures decides the bytes
    (for one version of libx264). The filter drops x264's own description of itself, 700 bytes in every file.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = frames_THWC.shape[2], frames_THWC.shape[1], "yuv420p"
        stream.options = {
            "crf": str(CRF),
            "preset": "slow",
            "threads": "1",
            "x264-params": "cpu-independent=1",
            "flags": "+bitexact",
        }
        no_description = BitStreamFilterContext("filter_units=remove_types=6", stream)
        for frame_HWC in frames_THWC:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")):
                container.mux(no_description.filter(packet))
        for packet in stream.encode():
            container.mux(no_description.filter(packet))
        container.mux(no_description.filter(None))
    return file.getvalue()


def decode(data: bytes | str) -> np.ndarray:
    """All frames of a file (its bytes or its path) as frames_THWC uint8, red green blue."""
    with av.open(io.BytesIO(data) if isinstance(data, bytes) else data, "r") as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
