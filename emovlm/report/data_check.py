"""The page of `emovlm data check`, from its data_check.json: one file that opens without a network."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.axes import Axes

from emovlm import run as runs
from emovlm.check import telling
from emovlm.report.drawing import FAINT, MUTED, SHADE, draw, margins
from emovlm.report.files import read_json

WIDTH_PX, HEIGHT_PX = 1080, 220


def write_page(folder: Path) -> Path:
    """Write data_check.html beside data_check.json; the same file gives the same bytes. Raises UserError."""
    found = read_json(folder / "data_check.json")
    loader = jinja2.PackageLoader("emovlm.report", ".")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    splits = [name for name in ("train", "validation", "test") if any(name in n for n in found["classes"].values())]
    html = environment.get_template("data_check.html.j2").render(
        found=found,
        opening=telling.opening(found),
        likeness=telling.likeness(found),
        verdict=telling.verdict(found),
        levels=telling.LEVELS,
        splits=splits,
        totals={split: sum(counts.get(split, 0) for counts in found["classes"].values()) for split in splits},
        durations=Markup(durations(found["histogram"])) if found["histogram"] else None,
    )
    page = folder / "data_check.html"
    runs.write_text(page, html)
    return page


def durations(histogram: Mapping[str, Any]) -> str:
    """Clips by seconds, as an SVG."""
    edges, counts = histogram["edges_s"], histogram["counts"]
    steps = (edges[1] - edges[0], edges[-1] - edges[-2])
    by_ratio = steps[1] > 2 * steps[0]

    def paint(axes: Axes) -> None:
        margins(axes, 46, 12, 10, 40)
        if by_ratio:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.bar(edges[:-1], counts, width=[b - a for a, b in itertools.pairwise(edges)], align="edge", color=SHADE)
        axes.set_xlabel("seconds")
        axes.yaxis.grid(visible=True, color=FAINT)
        axes.set_axisbelow(True)
        axes.tick_params(labelcolor=MUTED)

    label = f"Clips by seconds: {sum(counts)} clips from {edges[0]:g} to {edges[-1]:g} s."
    return draw(WIDTH_PX, HEIGHT_PX, paint, name="durations", label=label)
