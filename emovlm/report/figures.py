"""The figures of the page, each as an inline SVG string.

Classes stand from head to tail (most to fewest training clips) in every figure. C: classes in that order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator, MultipleLocator

from emovlm.report.contrast import recall_intervals
from emovlm.report.drawing import BAND, FAINT, INK, MUTED, Look, draw, fitted, looks, margins, text_width_px
from emovlm.report.records import Arm, Evaluation, Score, Study
from emovlm.report.tables import head_to_tail, ordered_arms

SHADES = LinearSegmentedColormap.from_list("shades", ["#f4f6f8", "#c9d9ea", "#6d9ac4", "#1d4f80", "#0c2c4d"])
TAIL_INK = "#8a6d1d"
LABEL_PX = 88  # room for a class name
PANEL_PX = 338  # three panels a row on a wide page, one on a phone


def recall_by_arm(study: Study, key: str, width_px: int, *, upright: bool) -> str:
    """Recall of each class by arm, with intervals.

    `upright`: classes side by side, for a wide page; else one below the other, for a phone.
    """
    evaluation = study.arms[0].runs[0].evaluations[key]
    order = head_to_tail(evaluation)
    arms, styles = ordered_arms(study), looks(study)
    scores = {arm.name: _recall(arm, key) for arm in arms}
    step = min(0.15, 0.72 / len(arms))
    row_px = max(44, 13 * len(arms) + 14)

    def paint(axes: Axes) -> None:
        _class_bands(axes, evaluation, order, upright)
        for place, arm in enumerate(arms):
            offset = (place - (len(arms) - 1) / 2) * step
            for at, c in enumerate(order):
                score = scores[arm.name][c]
                if score is not None:
                    _whisker(axes, at + offset, score, styles[arm.name], upright)
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
        f"{arm.name}: " + ", ".join(_spoken(evaluation.classes[c], scores[arm.name][c]) for c in order) + "."
        for arm in arms
    )
    return draw(width_px, height_px, paint, name=name, label=label)


def confusion(study: Study, key: str, arm: Arm, place: int) -> str:
    """The confusion matrix of an arm, counts summed over its seeds, shaded by share of the true class."""
    evaluation = arm.runs[0].evaluations[key]
    order = head_to_tail(evaluation)
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
        axes.pcolormesh(shares_CA, cmap=SHADES, vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
        axes.set(ylim=(len(order), 0), xlim=(0, len(columns)))
        axes.set_yticks(np.arange(len(order)) + 0.5, shown[: len(order)], fontsize=11)
        axes.set_xticks(
            np.arange(len(columns)) + 0.5, shown, fontsize=11, rotation=45, ha="right", rotation_mode="anchor"
        )
        for (row, column), count in np.ndenumerate(counts_CA):
            if count:
                ink = "white" if shares_CA[row, column] > 0.45 else INK
                size = min(11.0, cell_px * 0.36)
                axes.text(column + 0.5, row + 0.5, str(count), ha="center", va="center", fontsize=size, color=ink)

    height_px = cell_px * len(order) + label_px * 0.8 + 10
    spoken = "; ".join(f"{evaluation.classes[c]} {counts_CA[row].tolist()}" for row, c in enumerate(order))
    label = f"Confusion matrix of {arm.name}. Columns: {', '.join(columns)}. Rows (true class): {spoken}."
    return draw(PANEL_PX, height_px, paint, name=f"confusion-{place}", label=label)


def drawn(study: Study, arm: Arm, place: int, names: Sequence[str], width_px: int) -> str:
    """Share of each class of `names`: what there was, was asked for, was drawn (over all seeds of the arm)."""
    ledgers = [run.ledger for run in arm.runs if run.ledger is not None]
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
        axes.bar(at - 0.2, available_C, 0.36, color="#c6ccd1", linewidth=0)
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


def loss_curves(study: Study, width_px: int, name: str) -> str | None:
    """Training loss by optimiser step: raw values faint (one seed only), a running mean above them."""
    styles = looks(study)
    lines = [(arm, series) for arm in ordered_arms(study) for run in arm.runs if (series := _series(run.log, "loss"))]
    if not lines:
        return None
    one_seed = all(len(arm.runs) == 1 for arm in study.arms)
    smooth = [running_mean(values) for _, (_, values) in lines]

    def paint(axes: Axes) -> None:
        _curve_frame(axes, "optimiser step")
        for (arm, (steps, values)), smoothed in zip(lines, smooth, strict=True):
            colour = styles[arm.name].colour
            if one_seed:
                axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.3)
            axes.plot(steps, smoothed, color=colour, linewidth=2.0, alpha=1.0 if one_seed else 0.7)
        # The first steps of a run are far above the rest; without this cut they flatten all that matters.
        axes.set_ylim(0, float(np.percentile(np.concatenate([v for _, (_, v) in lines]), 98)) * 1.1)

    ends = "; ".join(f"{arm.name} ends at {one[-1]:.3f}" for (arm, _), one in zip(lines, smooth, strict=True))
    return draw(width_px, 270, paint, name=name, label=f"Training loss by optimiser step. {ends}.")


def validation_curves(study: Study, width_px: int, name: str) -> str | None:
    """UAR on the validation split by optimiser step, where the runs logged it."""
    styles = looks(study)
    arms = ordered_arms(study)
    lines = [(arm, series) for arm in arms for run in arm.runs if (series := _series(run.log, "validation_uar"))]
    if not lines:
        return None

    def paint(axes: Axes) -> None:
        _curve_frame(axes, "optimiser step")
        for arm, (steps, values) in lines:
            look = styles[arm.name]
            axes.plot(steps, values, color=look.colour, linewidth=2, marker=look.marker, markersize=6)
        every = np.concatenate([values for _, (_, values) in lines])
        low, high = float(every.min()), float(every.max())
        pad = max(0.02, (high - low) * 0.12)
        axes.set_ylim(max(0.0, low - pad), min(1.02, high + pad))

    ends = "; ".join(f"{arm.name} ends at {values[-1]:.3f}" for arm, (_, values) in lines)
    return draw(width_px, 270, paint, name=name, label=f"Validation UAR by optimiser step. {ends}.")


def running_mean(values_T: np.ndarray) -> np.ndarray:
    """Centred mean over about a tenth of the run; the window is cut at both ends, so nothing is made up there."""
    half = max(1, len(values_T) // 20)
    return np.array([values_T[max(0, t - half) : t + half + 1].mean() for t in range(len(values_T))])


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
    span, across = (score.low, score.high), (at, at)
    axes.plot(*((across, span) if upright else (span, across)), color=look.colour, linewidth=2, alpha=0.45)
    point = (at, score.value) if upright else (score.value, at)
    # clip_on False: a recall of 0 or 1 keeps its whole marker.
    style = {
        "color": look.colour,
        "marker": look.marker,
        "markersize": 8.5 if look.marker in "^v" else 7.0,
        "clip_on": False,
    }
    axes.plot([point[0]], [point[1]], markeredgecolor="white", markeredgewidth=0.8, zorder=4, **style)


def _recall(arm: Arm, key: str) -> list[Score | None]:
    if len(arm.runs) == 1:
        return list(arm.runs[0].evaluations[key].recall_C)
    return recall_intervals(arm, key)


def _spoken(name: str, score: Score | None) -> str:
    return f"{name} no clips" if score is None else f"{name} {score.value:.3f}"


def _shares(counts: Sequence[Sequence[float]], order: Sequence[int]) -> np.ndarray:
    total_C = np.sum(np.array(counts, dtype=float), axis=0)[list(order)]
    return total_C / max(total_C.sum(), 1e-12)


def _largest_share(study: Study) -> float:
    ledgers = [run.ledger for arm in study.arms for run in arm.runs if run.ledger is not None]
    fields = [values for one in ledgers for values in (one.available_C, one.drawn_C, one.asked_C)]
    return max(max(values) / max(sum(values), 1e-12) for values in fields)


def _percent_ticks(top: float) -> MultipleLocator:
    return MultipleLocator(next(step for step in (0.02, 0.05, 0.1, 0.2, 0.25) if top / step <= 5.5 or step == 0.25))


def _series(log: Sequence[Mapping[str, Any]], field: str) -> tuple[np.ndarray, np.ndarray] | None:
    points = [(line["step"], line[field]) for line in log if line.get(field) is not None]
    return (np.array([p[0] for p in points]), np.array([p[1] for p in points], dtype=float)) if points else None


def _curve_frame(axes: Axes, x_label: str) -> None:
    margins(axes, 38, 10, 10, 40)
    axes.set_xlabel(x_label, labelpad=8)
    axes.yaxis.grid(color=FAINT, linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_axisbelow(True)
