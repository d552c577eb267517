"""A timeline as a picture: the probability of each class over the time of the video, and the answers below."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure

from emovlm.predict.clips import Answer
from emovlm.predict.timeline import middles_s, segments

# Okabe and Ito's palette for colour-blind readers; where there are more classes the kind of line tells them apart.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#000000")
LINES = ("-", "--", ":", "-.")


def draw(answers: Sequence[Answer], title: str) -> str:
    """SVG text. The same answers give the same bytes."""
    classes, middle_s_N = list(answers[0].probabilities), middles_s(answers)
    looks = {
        name: {"color": COLOURS[c % len(COLOURS)], "linestyle": LINES[c // len(COLOURS) % len(LINES)]}
        for c, name in enumerate(classes)
    }
    with rc_context({"svg.hashsalt": "timeline", "svg.fonttype": "none", "text.parse_math": False}):
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[8, 1])
        for name, look in looks.items():
            shares = [one.probabilities[name] for one in answers]
            upper.plot(middle_s_N, shares, marker="." if len(answers) < 100 else "", label=name, **look)
        upper.set(ylim=(-0.02, 1.02), ylabel="probability", title=title)
        upper.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        for one in segments(answers):
            look = looks[one.answer]
            lower.barh(0, one.end_s - one.start_s, left=one.start_s, color=look["color"], edgecolor="white")
        lower.set(xlabel="seconds (curves: the middle of each window)", ylabel="answer", yticks=[])
        lower.set_xlim(answers[0].start_s or 0.0, answers[-1].end_s)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
