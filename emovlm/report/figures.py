"""The figures of the page, each as an inline SVG string.

Classes stand from head to tail (most to fewest training clips) in every figure. C: classes in that order.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MultipleLocator

from emovlm.report.calibration import Calibrated
from emovlm.report.drawing import (
    BAND,
    FAINT,
    INK,
    MUTED,
    PALE,
    PAPER,
    SHADE,
    SOFT,
    TAIL_INK,
    Look,
    draw,
    fitted,
    looks,
    margins,
    text_width_px,
)
from emovlm.report.records import Arm, Evaluation, Score, Study
from emovlm.report.tables import Row

LABEL_PX = 88  # room for a class name
PANEL_PX = 338  # three panels a row on a wide page, one on a phone


def recall_by_arm(study: Study, key: str, rows: Sequence[Row], width_px: int, *, upright: bool) -> str:
    """Recall of each class by arm (the rows of the main table), with intervals.

    `upright`: classes side by side, for a wide page; else one below the other, for a phone.
    """
    evaluation = study.arms[0].runs[0].evaluations[key]
    order = evaluation.head_to_tail
    styles = looks(study)
    step = min(0.15, 0.72 / len(rows))
    row_px = max(44, 13 * len(rows) + 14)

    def paint(axes: Axes) -> None:
        _class_bands(axes, evaluation, order, upright)
        for place, row in enumerate(rows):
            offset = (place - (len(rows) - 1) / 2) * step
            for at, c in enumerate(order):
                score = row.recall_C[c]
                if score is not None:
                    _whisker(axes, at + offset, score, styles[row.arm], upright)
        if upright:
            margins(axes, 38, 18, 6, 50)
            axes.set(xlim=(-0.5, len(order) - 0.5), ylim=(-0.03, 1.04), yticks=[0, 0.25, 0.5, 0.75, 1])
        else:
            margins(axes, LABEL_PX + 12, 6, 12, 30)
            axes.set(ylim=(len(order) - 0.5, -0.5), xlim=(-0.03, 1.04), xticks=[0, 0.25, 0.5, 0.75, 1])
        values = axes.yaxis if upright else axes.xaxis
        values.set_ticklabels(["0", ".25", ".5", ".75", "1"])
        values.grid(color=FAINT, linewidth=1)
        axes.set_axisbelow(True)

    height_px = 380 if upright else row_px * len(order) + 36
    name = f"recall-{'wide' if upright else 'narrow'}"
    label = "Recall of each class by arm. " + " ".join(
        f"{row.arm}: " + ", ".join(_spoken(evaluation.classes[c], row.recall_C[c]) for c in order) + "." for row in rows
    )
    return draw(width_px, height_px, paint, name=name, label=label)


def confusion(study: Study, key: str, arm: Arm, place: int) -> str:
    """The confusion matrix of an arm, counts summed over its seeds, shaded by share of the true class."""
    evaluation = arm.runs[0].evaluations[key]
    order = evaluation.head_to_tail
    counts_CA = np.sum([np.array(run.evaluations[key].confusion) for run in arm.runs], axis=0)[np.ix_(order, order)]
    totals = np.array(evaluation.support_C)[order] * len(arm.runs)
    columns = [evaluation.classes[c] for c in order]
    unreadable_C = totals - counts_CA.sum(1)
    if unreadable_C.any():
        counts_CA = np.column_stack([counts_CA, unreadable_C])
        columns.append("unreadable")
    shares_CA = counts_CA / np.maximum(totals, 1)[:, None]
    shown = fitted(columns, LABEL_PX, 11)
    label_px = text_width_px(shown, 11) + 12
    cell_px = (PANEL_PX - label_px - 2) / len(columns)

    def paint(axes: Axes) -> None:
        margins(axes, label_px, 2, 2, label_px * 0.8 + 6)
        axes.set(ylim=(len(order), 0), xlim=(0, len(columns)))
        axes.set_yticks(np.arange(len(order)) + 0.5, shown[: len(order)], fontsize=11)
        axes.set_xticks(
            np.arange(len(columns)) + 0.5, shown, fontsize=11, rotation=45, ha="right", rotation_mode="anchor"
        )
        for (row, column), count in np.ndenumerate(counts_CA):
            share = float(shares_CA[row, column])
            # One colour, more or less opaque: so it stands on dark paper as well.
            for colour, opacity in ((SOFT, 1.0), (SHADE, share**0.8)):
                cell = Rectangle((column + 0.02, row + 0.02), 0.96, 0.96, color=colour, alpha=opacity, linewidth=0)
                axes.add_patch(cell)
            if count:
                ink = PAPER if share > 0.6 else INK
                size = min(11.0, cell_px * 0.36)
                axes.text(column + 0.5, row + 0.5, str(count), ha="center", va="center", fontsize=size, color=ink)

    height_px = cell_px * len(order) + label_px * 0.8 + 10
    spoken = "; ".join(f"{evaluation.classes[c]} {counts_CA[row].tolist()}" for row, c in enumerate(order))
    label = f"Confusion matrix of {arm.name}. Columns: {', '.join(columns)}. Rows (true class): {spoken}."
    return draw(PANEL_PX, height_px, paint, name=f"confusion-{place}", label=label)


def drawn(study: Study, arm: Arm, place: int, names: Sequence[str], width_px: int) -> str:
    """Share of each class of `names`: what there was, was asked for, was drawn (over all runs of the arm)."""
    ledgers = [part.ledger for part in arm.parts if part.ledger is not None]
    order = [ledgers[0].classes.index(name) for name in names]
    available_C, asked_C = (
        _shares([getattr(one, field) for one in ledgers], order) for field in ("available_C", "asked_C")
    )
    drawn_C = _shares([one.drawn_C for one in ledgers], order)
    colour, shown = looks(study)[arm.name].colour, fitted(names, LABEL_PX, 11)
    top = _largest_share(study) * 1.08

    def paint(axes: Axes) -> None:
        margins(axes, 34, 6, 2, text_width_px(shown, 11) * 0.8 + 14)
        at = np.arange(len(order))
        axes.bar(at - 0.2, available_C, 0.36, color=PALE, linewidth=0)
        axes.bar(at + 0.2, drawn_C, 0.36, color=colour, linewidth=0)
        axes.hlines(asked_C, at - 0.02, at + 0.42, color=INK, linewidth=2)
        axes.set(xlim=(-0.6, len(order) - 0.4), ylim=(0, top))
        axes.set_xticks(at, shown, fontsize=11, rotation=45, ha="right", rotation_mode="anchor")
        axes.yaxis.set_major_locator(_percent_ticks(top))
        axes.yaxis.set_major_formatter(lambda share, _: f"{share * 100:.0f}%")
        axes.yaxis.grid(color=FAINT, linewidth=1)
        axes.set_axisbelow(True)

    triples = zip(names, available_C, asked_C, drawn_C, strict=True)
    spoken = "; ".join(f"{name} {a:.1%}, {b:.1%}, {c:.1%}" for name, a, b, c in triples)
    label = f"Sampling of {arm.name}: share of each class available, asked for and drawn. {spoken}."
    return draw(width_px, 230, paint, name=f"drawn-{place}", label=label)


def reliability(calibrated: Calibrated, colour: str, place: int, width_px: int) -> str:
    """How often the arm was right (bars) at each confidence; on the diagonal it knows what it knows.

    Below, how many answers each bin holds.
    """
    width, most = 1 / calibrated.num_bins, max(one.count for one in calibrated.bins)

    def paint(axes: Axes) -> None:
        margins(axes, 34, 8, 8, 62)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        for one in calibrated.bins:
            middle = (one.number + 0.5) * width
            axes.bar(middle, one.accuracy, 0.92 * width, color=colour, alpha=0.7, linewidth=0)
            axes.plot([one.confidence], [one.accuracy], "o", color=INK, markersize=3.5, clip_on=False)
            depth = -0.13 * one.count / most
            axes.bar(middle, depth, 0.92 * width, bottom=-0.15, color=PALE, linewidth=0, clip_on=False)
        axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[0, 0.25, 0.5, 0.75, 1])
        axes.set_yticklabels(["0", ".25", ".5", ".75", "1"])
        for share, words, align in ((0, "0", "left"), (0.5, "confidence", "center"), (1, "1", "right")):
            where = {"textcoords": "offset points", "annotation_clip": False, "ha": align, "va": "center"}
            axes.annotate(words, (share, 0), (0, -14), color=MUTED, fontsize=11, **where)
        axes.yaxis.grid(color=FAINT, linewidth=1)
        axes.set_axisbelow(True)

    spoken = "; ".join(f"{one.confidence:.2f}, {one.accuracy:.2f}, {one.count}" for one in calibrated.bins)
    label = f"Reliability of {calibrated.arm}. Confidence, share right and number of answers, bin by bin: {spoken}."
    return draw(width_px, 250, paint, name=f"reliability-{place}", label=label)


def _class_bands(axes: Axes, evaluation: Evaluation, order: Sequence[int], upright: bool) -> None:
    """Class names with their training counts; the tail classes on a tinted band."""
    band = axes.axvspan if upright else axes.axhspan
    room_px = 1030 / len(order) if upright else LABEL_PX
    shown = fitted(evaluation.classes, room_px, 12.5)
    for at, c in enumerate(order):
        is_tail = evaluation.classes[c] in evaluation.tail
        if is_tail:
            band(at - 0.5, at + 0.5, color=BAND, linewidth=0, zorder=0)
        count = f"{evaluation.train_counts_C[c]}"
        below = {"textcoords": "offset points", "annotation_clip": False}
        if upright:
            where = {"xycoords": ("data", "axes fraction"), "ha": "center", "va": "baseline"}
            axes.annotate(shown[c], (at, 0), (0, -20), fontsize=12.5, color=INK, **where, **below)
            axes.annotate(f"{count} clips", (at, 0), (0, -37), fontsize=11, color=MUTED, **where, **below)
        else:
            where = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "center"}
            axes.annotate(shown[c], (0, at), (-8, 7), fontsize=12.5, color=INK, **where, **below)
            words = f"{count} clips" + (", tail" if is_tail else "")
            axes.annotate(words, (0, at), (-8, -9), fontsize=11, color=TAIL_INK if is_tail else MUTED, **where, **below)
    num_tail = sum(name in evaluation.tail for name in evaluation.classes)
    if upright and num_tail:  # the tail is the right end, so one word is enough
        middle = len(order) - (num_tail + 1) / 2
        where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "annotation_clip": False}
        axes.annotate("tail", (middle, 1), (0, 5), fontsize=11, color=TAIL_INK, ha="center", **where)
    axes.set(**({"xticks": []} if upright else {"yticks": []}))


def _whisker(axes: Axes, at: float, score: Score, look: Look, upright: bool) -> None:
    if not np.isnan(score.low):
        span, across = (score.low, score.high), (at, at)
        axes.plot(*((across, span) if upright else (span, across)), color=look.colour, linewidth=2, alpha=0.55)
    point = (at, score.value) if upright else (score.value, at)
    # clip_on False: a recall of 0 or 1 keeps its whole marker.
    style = {
        "color": look.colour,
        "marker": look.marker,
        "markersize": 8.5 if look.marker in "^v" else 7.0,
        "clip_on": False,
    }
    axes.plot([point[0]], [point[1]], markeredgecolor=PAPER, markeredgewidth=0.8, zorder=4, **style)


def _spoken(name: str, score: Score | None) -> str:
    return f"{name} no clips" if score is None else f"{name} {score.value:.3f}"


def _shares(counts: Sequence[Sequence[float]], order: Sequence[int]) -> np.ndarray:
    total_C = np.sum(np.array(counts, dtype=float), axis=0)[list(order)]
    return total_C / max(total_C.sum(), 1e-12)


def _largest_share(study: Study) -> float:
    ledgers = [part.ledger for arm in study.arms for part in arm.parts if part.ledger is not None]
    fields = [values for one in ledgers for values in (one.available_C, one.drawn_C, one.asked_C)]
    return max(max(values) / max(sum(values), 1e-12) for values in fields)


def _percent_ticks(top: float) -> MultipleLocator:
    return MultipleLocator(next(step for step in (0.02, 0.05, 0.1, 0.2, 0.25) if top / step <= 5.5 or step == 0.25))
