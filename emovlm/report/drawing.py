"""From a matplotlib figure to inline SVG, and one look (colour, marker) per arm for the whole page.

A figure is drawn at the size it has on the page: one unit is one CSS pixel. Text stays text in the page's own font, and
what is not an arm's colour follows the page from light to dark.
"""

import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from emovlm.report.records import Study
from emovlm.report.tables import ordered_arms

INK, MUTED, FAINT, BAND, TAIL_INK = "#1f2328", "#667079", "#dfe3e6", "#f6f1e4", "#8a6d1d"
PAPER, SOFT, PALE, SHADE = "#ffffff", "#f6f7f8", "#c6ccd1", "#1d4f80"
# The colours above are those of a light page; in the SVG each is a variable of the style sheet.
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    FAINT: "--faint",
    BAND: "--band",
    TAIL_INK: "--tail",
    PAPER: "--paper",
    SOFT: "--soft",
    PALE: "--pale",
    SHADE: "--shade",
}
TEXT_PX = 12.0
ZERO_SHOT_COLOUR = "#8b949e"
# Okabe and Ito's palette for colour-blind readers, without its yellow (too light for thin lines on white).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
# matplotlib's name -> outline in a box of 12 x 12. A marker tells arms apart where colour does not: in print, or where
# there are more arms than colours.
MARKERS = {
    "o": "M6 1a5 5 0 1 0 .01 0z",
    "s": "M1.5 1.5h9v9h-9z",
    "D": "M6 .4 11.6 6 6 11.6 .4 6z",
    "^": "M6 1 11.6 10.8H.4z",
    "v": "M6 11 .4 1.2h11.2z",
    "p": "M6 .6 11.4 4.6 9.4 11H2.6L.6 4.6z",
    "h": "M6 .2 11 3.1v5.8L6 11.8 1 8.9V3.1z",
}


@dataclass(frozen=True)
class Look:
    """`marker`: matplotlib's name. `outline`: the same shape as an SVG path in a box of 12 x 12."""

    colour: str
    marker: str
    outline: str


def looks(study: Study) -> dict[str, Look]:
    """Arm name -> look, the same in every figure of the page."""
    found, place = {}, 0
    for arm in ordered_arms(study):
        if arm.zero_shot and not study.single and not found:
            found[arm.name] = Look(ZERO_SHOT_COLOUR, "o", MARKERS["o"])
        else:
            # The step through the markers is 1 more a turn of the colours, so that no pair returns early.
            marker = "sD^vph"[(place + place // len(COLOURS)) % 6]
            found[arm.name] = Look(COLOURS[place % len(COLOURS)], marker, MARKERS[marker])
            place += 1
    return found


def draw(width_px: float, height_px: float, paint: Callable[[Axes], None], *, name: str, label: str) -> str:
    """One pair of axes, painted by `paint`, as an SVG element.

    `name` makes the ids inside unique on the page; `label` is what a screen reader says. The same input gives the
    same bytes. The axes fill the figure minus the margins which `paint` sets with `margins`.
    """
    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": TEXT_PX,
        "text.color": INK,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": MUTED,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "axes.linewidth": 1.0,
        "text.parse_math": False,  # a class may be called "$x$"
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(width_px / 72, height_px / 72))
        canvas = FigureCanvasSVG(figure)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
        axes.tick_params(length=0, pad=6)
        paint(axes)
        buffer = io.StringIO()
        canvas.print_svg(buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(buffer.getvalue(), width_px, height_px, name, label)


def margins(axes: Axes, left_px: float, top_px: float, right_px: float, bottom_px: float) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None, "these axes are in a figure"
    width_px, height_px = (float(side) * 72 for side in figure.get_size_inches())
    axes.set_position(
        (
            left_px / width_px,
            bottom_px / height_px,
            (width_px - left_px - right_px) / width_px,
            (height_px - top_px - bottom_px) / height_px,
        )
    )


def text_width_px(texts: Iterable[str], size_px: float = TEXT_PX) -> float:
    """About the width of the longest text. The reader's font is unknown, so this is on the wide side."""
    return max((len(text) for text in texts), default=0) * size_px * 0.56


def fitted(texts: Sequence[str], room_px: float, size_px: float = TEXT_PX) -> list[str]:
    """The texts, each cut to about `room_px` (the full ones are in the figure's label and in the tables)."""
    most = max(4, int(room_px / (size_px * 0.52)))
    return [text if len(text) <= most else text[: most - 3].rstrip() + "..." for text in texts]


def _inline(svg: str, width_px: float, height_px: float, name: str, label: str) -> str:
    body = svg[svg.index("<svg") :]
    body = body[body.index(">") + 1 :].strip()
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.S)
    # Many figures share one page, and an id must be there once: a clip path which resolves into a hidden figure hides
    # what it should clip.
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", body)
    # The page's font, not matplotlib's.
    body = re.sub(r" font-family: [^;\"]*;?", "", body)
    body = re.sub(r"font: ((?:[a-z0-9]+ )*)([\d.]+)px [^;\"]*", _font, body)
    body = re.sub(r'style="[^"]*"', _themed, body)
    body = re.sub(r"\n\s*", "\n", body)
    return (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width_px:g} {height_px:g}" '
        f'style="max-width:{width_px:g}px">\n{body}'
    )


def _themed(match: re.Match[str]) -> str:
    def variable(colour: re.Match[str]) -> str:
        return f"var({VARIABLES[colour[0]]})" if colour[0] in VARIABLES else colour[0]

    return re.sub(r"#[0-9a-f]{6}\b", variable, match[0])


def _font(match: re.Match[str]) -> str:
    weight = "; font-weight: 600" if "bold" in match[1] or "600" in match[1] else ""
    return f"font-size: {match[2]}px{weight}"
