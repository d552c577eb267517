"""`emovlm frames report`: what a recipe's policy looks at in a split and what it can miss: tables, JSON and a figure.

Nothing is decoded unless the policy or the crop has to look: the times are those of the packets.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emovlm import UserError
from emovlm import run as runs
from emovlm.frames import counts, coverage, look, policy
from emovlm.frames.clip import ClipError
from emovlm.frames.coverage import Looked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.table import Table

    from emovlm.recipe import Frames, Recipe

# Video input of the Qwen and GLM families makes one step in time of two frames.
MERGED_IN_VIDEO = 2
MOST_DRAWN = 40
INK, VISIBLE, HIT, MISSED = "#1f2328", "#dfe3e6", "#009e73", "#d55e00"


def frames_report(recipe: Recipe, split: str | None, out: Path | None) -> tuple[dict[str, Any], list[Table]]:
    """(summary, tables) of a split (by default the one that is scored); into `out` go coverage.json and coverage.svg.

    The summary is coverage.summary with `unreadable`: {id: why}. A random policy shows its first epoch in the training
    split, and the middles elsewhere, as in training and scoring. Raises UserError.
    """
    from emovlm.data.tables import load_rows

    split = split or recipe.evaluate.split
    by_split, _ = load_rows(recipe.data)
    if split not in by_split:
        raise UserError(f"--split: no rows in '{split}'; there are {', '.join(by_split)}")
    looked, unreadable = survey(by_split[split], recipe.frames, recipe.seed if split == "train" else None)
    if not looked:
        raise UserError(f"none of {len(unreadable)} clips can be read; the first: {next(iter(unreadable.values()))}")
    found = coverage.summary(looked, merged=MERGED_IN_VIDEO if recipe.frames.input == "video" else 1)
    found |= {"split": split, "frames": recipe.frames.model_dump(mode="json"), "unreadable": unreadable}
    if out is not None:
        runs.write_json(out / "coverage.json", found)
        if found["clips_with_a_clock"]:
            draw(looked, out / "coverage.svg")
    return found, tables(found)


def survey(rows: Sequence[dict[str, Any]], frames: Frames, seed: int | None) -> tuple[list[Looked], dict[str, str]]:
    """(what would be looked at, {id: why} of the clips that cannot be read). seed: None where models are scored."""
    from tqdm import tqdm

    looked, unreadable = [], {}
    for row in tqdm(rows, desc="clips", disable=None, leave=False):
        try:
            seen = look.glance(row, frames, None if seed is None else (seed, 0, row["id"]))
        except ClipError as error:
            unreadable[row["id"]] = str(error)
            continue
        one = Looked(
            id=row["id"],
            times_s_T=seen.times_s_T[seen.indices_T],
            span_s=seen.span_s,
            num_visible=len(seen.times_s_T),
            timed=seen.timed,
            capped=_capped(frames, seen.span_s[1] - seen.span_s[0]),
            no_face=seen.whole if frames.crop == "face" else None,
            event=coverage.event_of(row),
            apex_s=row.get("apex_s"),
        )
        looked.append(one)
    return looked, unreadable


def _capped(frames: Frames, seconds: float) -> bool | None:
    """Whether the policy's cap takes frames of this clip away; only `fps` has one."""
    if frames.pick != "fps":
        return None
    known = {name: parameter.default for name, parameter in inspect.signature(policy.fps).parameters.items()}
    args = known | frames.args
    return counts.at_rate(seconds, args["rate"], args["min"], args["max"])[1]


def tables(found: dict[str, Any]) -> list[Table]:
    """The summary as a table of facts and, where clips have a clock, one of probabilities."""
    from rich.table import Table

    facts = Table(title=f"what is looked at: {found['split']}, {found['clips']} clips", title_justify="left")
    facts.show_header = False
    for name, value in _lines(found):
        facts.add_row(name, value)
    if not found["clips_with_a_clock"]:
        return [facts]
    chances = Table(title="an event at any time is seen by at least", title_justify="left")
    chances.add_column("event of")
    for name in (coverage.ONE, coverage.TWO, coverage.WHOLE_PAIR, coverage.TWO_PAIRS):
        chances.add_column(name, justify="right")
    for seconds, shares in found["probability"].items():
        chances.add_row(f"{seconds} s", *(f"{share:.3f}" for share in shares.values()))
    return [facts, chances]


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """(what, value), nothing where there is nothing to say."""

    def spread(name: str) -> str:
        values = found[name]
        return f"{values['mean']:.2f} (median {values['median']:.4g}, {values['least']:.4g} to {values['most']:.4g})"

    lines = [("frames a clip", spread("frames_per_clip")), ("steps in time a clip", spread("steps_per_clip"))]
    if found["clips_with_a_clock"]:
        lines += [("seconds a clip", spread("seconds_per_clip")), ("frames a second", spread("frames_per_second"))]
    lines += [("clips of which every frame is given", f"{found['clips_given_whole']:.1%}")]
    if found["cap_bites"] is not None:
        lines += [("clips from which the cap takes frames", f"{found['cap_bites']:.1%}")]
    if found["clips_without_a_face"] is not None:
        lines += [("clips without a face (shown whole)", _some(found["clips_without_a_face"]))]
    if found["unreadable"]:
        lines += [("clips that cannot be read (left out here)", _some(list(found["unreadable"])))]
    events, apex = found["events"], found["apex"]
    if events is not None:
        kinds = ", ".join(f"{number} by {kind}" for kind, number in events["counted_by"].items())
        lines += [(f"annotated events ({kinds})", f"{events['clips']}, {events['seconds']['median']:.2f} s (median)")]
        lines += [("annotated events that a frame hits", f"{events['hit']:.1%}, two frames {events['hit_twice']:.1%}")]
        lines += [("... of events so long at any time", f"{events['hit_expected']:.1%}")]
    if apex is not None:
        error = apex["error_s"]
        told = f"{error['mean']:.3f} s (median {error['median']:.3f}, most {error['most']:.3f}), {apex['clips']} clips"
        lines += [("nearest frame to the annotated apex", told)]
    return lines


def _some(ids: list[str]) -> str:
    return f"{len(ids)}" + (f" ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})" if ids else "")


def draw(looked: Sequence[Looked], path: Path) -> None:
    """Clips on a time axis, chosen frames, events hit and missed: an SVG or PNG file, by its name.

    At most MOST_DRAWN clips, evenly from all that have a clock (and an event, where any has one).
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    timed = [clip for clip in looked if clip.timed]
    timed = [clip for clip in timed if clip.event is not None] or timed
    drawn = (
        [timed[len(timed) * place // MOST_DRAWN] for place in range(MOST_DRAWN)] if len(timed) > MOST_DRAWN else timed
    )
    # The same clips give the same bytes, and an id may hold a dollar sign.
    with rc_context({"svg.hashsalt": "coverage", "text.parse_math": False}):
        figure = Figure(figsize=(9, 1.3 + 0.2 * len(drawn)), layout="constrained")
        axes = figure.add_subplot()
        for place, clip in enumerate(drawn):
            _draw_clip(axes, place, clip)
        axes.set_yticks(range(len(drawn)), [clip.id[-24:] for clip in drawn], fontsize=7)
        axes.set_ylim(len(drawn) - 0.3, -0.7)
        axes.set_xlabel("seconds")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=0)
        axes.set_title(_caption(timed, len(drawn)), loc="left", fontsize=9)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_clip(axes: Axes, place: int, clip: Looked) -> None:
    axes.barh(place, clip.seconds, left=clip.span_s[0], height=0.5, color=VISIBLE)
    if clip.event is not None:
        hit = coverage.num_hits(clip.times_s_T, clip.event) > 0
        length_s = clip.event.end_s - clip.event.start_s
        style: dict[str, Any] = {"color": HIT} if hit else {"facecolor": "white", "edgecolor": MISSED, "hatch": "/////"}
        axes.barh(place, length_s, left=clip.event.start_s, height=0.5, **style)
    axes.plot(clip.times_s_T, [place] * len(clip.times_s_T), "|", color=INK, markersize=9, markeredgewidth=1.3)


def _caption(timed: Sequence[Looked], num_drawn: int) -> str:
    events = [(clip, clip.event) for clip in timed if clip.event is not None]
    shown = f"{num_drawn} of {len(timed)} clips; lines: chosen frames"
    if not events:
        return shown
    hit = sum(coverage.num_hits(clip.times_s_T, event) > 0 for clip, event in events)
    return f"{shown}; events: {hit} of {len(events)} hit (filled), the others missed (hatched)"
