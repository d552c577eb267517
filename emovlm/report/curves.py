"""The learning curves of the page, each as an inline SVG string.

T: reports of a run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from emovlm.report.drawing import FAINT, draw, looks, margins
from emovlm.report.records import Study
from emovlm.report.tables import ordered_arms


def loss_curves(study: Study, width_px: int, name: str) -> str | None:
    """Training loss by optimiser step: raw values faint (one line an arm only), a running mean above them."""
    styles = looks(study)
    arms = ordered_arms(study)
    lines = [(arm, series) for arm in arms for part in arm.parts if (series := _series(part.log, "loss"))]
    if not lines:
        return None
    one_line = all(len(arm.parts) == 1 for arm in study.arms)
    smooth = [running_mean(values) for _, (_, values) in lines]

    def paint(axes: Axes) -> None:
        _curve_frame(axes, "optimiser step")
        for (arm, (steps, values)), smoothed in zip(lines, smooth, strict=True):
            colour = styles[arm.name].colour
            if one_line:
                axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.3)
            axes.plot(steps, smoothed, color=colour, linewidth=2.0, alpha=1.0 if one_line else 0.7)
        # The first steps of a run are far above the rest; without this cut they flatten all that matters.
        axes.set_ylim(0, float(np.percentile(np.concatenate([v for _, (_, v) in lines]), 98)) * 1.1)

    ends = "; ".join(f"{arm.name} ends at {one[-1]:.3f}" for (arm, _), one in zip(lines, smooth, strict=True))
    return draw(width_px, 270, paint, name=name, label=f"Training loss by optimiser step. {ends}.")


def validation_curves(study: Study, width_px: int, name: str) -> str | None:
    """UAR on the validation split by optimiser step, where the runs logged it."""
    styles = looks(study)
    arms = ordered_arms(study)
    lines = [(arm, series) for arm in arms for part in arm.parts if (series := _series(part.log, "validation_uar"))]
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


def _series(log: Sequence[Mapping[str, Any]], field: str) -> tuple[np.ndarray, np.ndarray] | None:
    points = [(line["step"], line[field]) for line in log if line.get(field) is not None]
    return (np.array([p[0] for p in points]), np.array([p[1] for p in points], dtype=float)) if points else None


def _curve_frame(axes: Axes, x_label: str) -> None:
    margins(axes, 38, 10, 10, 40)
    axes.set_xlabel(x_label, labelpad=8)
    axes.yaxis.grid(color=FAINT, linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_axisbelow(True)
