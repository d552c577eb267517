"""What each arm looked at, what that cost, and whether it was right where a frame met the event. A: arms."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from emovlm.report.drawing import FAINT, draw, looks, margins
from emovlm.report.numbers import Line, Textual, bracket, mean, number
from emovlm.report.records import Arm, Evaluation, Right, Score, Study
from emovlm.report.tables import Cell, Row, ordered_arms

COSTS = {"frames": "frames", "visual_tokens": "visual tokens", "tokens": "tokens of the prompt"}
EVENTS = {"hit": "right, event hit", "missed": "right, event missed", "no_event": "right, no event"}
COVERAGE = "events hit by a frame"


def looked_at(study: Study, key: str) -> list[Line]:
    """A line an arm: what it was shown, what texts cost, and how often it was right by what the frames met.

    Empty where the files know neither.
    """
    found = []
    for arm in ordered_arms(study):
        entries = _entries(arm, key)
        cells: list[Textual] = []
        if all(one.cost for one in entries):
            cells += [
                (title, f"{mean(one.cost[name] for one in entries if one.cost):.0f}", ())
                for name, title in COSTS.items()
            ]
        texts = [one.enrich for one in entries if one.enrich]
        seconds = f"{mean(one['seconds'] for one in texts):.0f} s" if texts else "-"
        told = (f"{mean(one['frames'] for one in texts) / entries[0].num_clips:.0f} frames told",) if texts else ()
        cells += [("making the texts", seconds, told)] if _any(study, key, "enrich") else []
        if _any(study, key, "events"):
            cells += [(title, *_right(entries, name)) for name, title in EVENTS.items()]
        found.append((arm.name, cells))
    return found if any(cells for _, cells in found) else []


def against(study: Study, key: str, rows: Sequence[Row], width_px: int, name: str) -> list[tuple[str, str]]:
    """(heading, SVG): macro-F1 of the arms against what they looked at, for each quantity in which they differ."""
    if study.single:
        return []
    arms = {arm.name: _entries(arm, key) for arm in ordered_arms(study)}
    kinds = {COVERAGE: _coverage, "frames of a clip": _cost("frames"), COSTS["visual_tokens"]: _cost("visual_tokens")}
    if _any(study, key, "enrich"):  # else they go with the visual ones
        kinds[COSTS["tokens"]] = _cost("tokens")
    figures = []
    for number_of, (title, of) in enumerate(kinds.items()):
        x_A = {arm: mean(of(one) for one in entries) for arm, entries in arms.items()}
        if not np.isnan(list(x_A.values())).any() and np.ptp(list(x_A.values())) > 0:
            cells = {row.arm: row.cells["macro_f1"] for row in rows}
            figures.append((f"Macro-F1 against {title}", _scatter(study, x_A, cells, width_px, f"{name}-{number_of}")))
    return figures


def _scatter(study: Study, x_A: dict[str, float], cells: dict[str, Cell], width_px: int, name: str) -> str:
    styles = looks(study)

    def paint(axes: Axes) -> None:
        margins(axes, 38, 14, 10, 26)
        for arm, x in x_A.items():
            cell, look = cells[arm], styles[arm]
            if not np.isnan(cell.low):
                axes.plot([x, x], [cell.low, cell.high], color=look.colour, linewidth=2, alpha=0.55)
            axes.plot([x], [cell.value], color=look.colour, marker=look.marker, markersize=8, clip_on=False)
        axes.set_xlim(0, max(x_A.values()) * 1.04)
        axes.set_ylim(0, 1)
        axes.yaxis.grid(color=FAINT, linewidth=1)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.set_axisbelow(True)

    spoken = "; ".join(f"{arm} {x:.2f}, {cells[arm].value:.3f}" for arm, x in x_A.items())
    return draw(width_px, 260, paint, name=name, label=f"Macro-F1 of each arm. {spoken}.")


def _right(entries: Sequence[Evaluation], name: str) -> tuple[str, tuple[str, ...]]:
    """Mean over seeds; the interval of one seed only, since clips are the same in all."""
    found: list[Right] = [one.events[name] for one in entries if one.events and one.events[name].num_clips]
    if not found:
        return "-", ()
    shown = (f"{found[0].num_clips} clips",)
    first = found[0]
    if len(found) == 1 and first.low is not None and first.high is not None:
        shown = (bracket(Score(0, first.low, first.high), number), *shown)
    return number(mean(one.value for one in found)), shown


def _coverage(one: Evaluation) -> float | None:
    if not one.events:
        return None
    hit, missed = one.events["hit"].num_clips, one.events["missed"].num_clips
    return hit / (hit + missed) if hit + missed else None


def _cost(kind: str) -> Callable[[Evaluation], float | None]:
    return lambda one: one.cost[kind] if one.cost else None


def _entries(arm: Arm, key: str) -> list[Evaluation]:
    return [run.evaluations[key] for run in arm.runs]


def _any(study: Study, key: str, name: str) -> bool:
    return any(getattr(one, name) for arm in study.arms for one in _entries(arm, key))
