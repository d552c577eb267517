"""What a set is like: classes by split, lengths, sizes, and how much of the picture the face takes."""

from __future__ import annotations

import importlib
import inspect
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm import lookup
from emovlm.check.findings import Checked, Finding
from emovlm.data.count import Count
from emovlm.data.folds import seeded_rank
from emovlm.frames import boxes, cache, faces
from emovlm.frames.cache import Part

if TYPE_CHECKING:
    from emovlm.recipe import Data

Row = Mapping[str, Any]
FACES_IN = 100
FACE_PIXELS = 320 * 320
MOST_SIZES = 5
BINS = 30


def counted(data: Data, rows: Sequence[Row], classes: list[str]) -> Count:
    """The rows of each class and split, beside the published totals where the source's module has them.

    Under `data.map` the classes are another set's, so that there is nothing to compare with.
    """
    load = lookup.resolve(lookup.SOURCE, data.source)
    module = importlib.import_module(load.__module__)
    published = getattr(module, "PUBLISHED", {}) if data.map is None else {}
    key = getattr(module, "PUBLISHED_BY", None)
    if key is not None and published:
        published = published.get(data.args.get(key, inspect.signature(load).parameters[key].default), {})
    found: dict[str, Counter[str | None]] = {}
    for row in rows:
        found.setdefault(row["split"], Counter())[row.get("label")] += 1
    return Count(data.source, classes, found, published)


def differences(count: Count) -> Finding:
    remedy = "take the official lists, or find out which rows are missing"
    return Finding(
        "published", "wrong", "splits whose class counts are not the published ones", remedy, count.differences()
    )


def shape(clips: Sequence[Checked]) -> dict[str, Any]:
    """Spread and histogram of the seconds and frames, the commonest sizes, how many are stills."""
    seconds = [record["seconds"] for _, record in clips if record["seconds"] is not None]
    sizes = Counter(f"{record['width_px']} x {record['height_px']}" for _, record in clips)
    return {
        "stills": sum(record["still"] for _, record in clips),
        "frames": spread([record["frames"] for _, record in clips]),
        "seconds": spread(seconds),
        "histogram": histogram(seconds),
        "sizes": dict(sizes.most_common(MOST_SIZES)),
        "other_sizes": max(0, len(sizes) - MOST_SIZES),
    }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    low, high = (values[0], values[0]) if len(values) < 2 else quantiles(values, n=20, method="inclusive")[::18]
    found = {"least": min(values), "low": low, "median": median(values), "high": high, "most": max(values)}
    return {name: round(float(value), 4) for name, value in found.items()}


def histogram(seconds: Sequence[float]) -> dict[str, list[float]] | None:
    """Edges and counts; in steps of equal ratio where the longest is far longer than the shortest."""
    if not seconds:
        return None
    low, high = min(seconds), max(seconds)
    wide = low > 0 and high > 10 * low
    edges = np.geomspace(low, high, BINS + 1) if wide else np.linspace(0, high or 1, BINS + 1)
    counts, _ = np.histogram(np.clip(seconds, edges[0], edges[-1]), edges)
    return {"edges_s": [round(float(edge), 4) for edge in edges], "counts": counts.tolist()}


def face_share(clips: Sequence[Checked]) -> dict[str, Any] | None:
    """In the middle of clips of a seeded sample: how many show a face, and its part of the picture's height.

    None where MediaPipe is not installed. A face crop has a part near 1; results in this field differ by it.
    """
    if not faces.installed() or not clips:
        return None
    chosen = sorted(clips, key=lambda one: seeded_rank(0, one[0]["id"]))[:FACES_IN]
    heights = []
    for row, _ in chosen:
        part = Part(list(row["media"]), row.get("start_s"), row.get("end_s"), fps=row.get("fps"))
        clip = cache.read(None, part, _middle, max_pixels=FACE_PIXELS)
        found = faces.reader().read_all(clip.frames_THWC)[0]
        if found:
            largest = max((face.box for face in found), key=boxes.area)
            heights.append(largest[3] - largest[1])
    return {"looked_at": len(chosen), "of": len(clips), "with_a_face": len(heights), "height": spread(heights)}


def _middle(times_s_T: np.ndarray, _span_s: tuple[float, float]) -> np.ndarray:
    return np.array([len(times_s_T) // 2])
