"""One self-contained page for a study or run folder. It makes no request: styles, figures and frames are inside."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from emovlm import UserError
from emovlm.report import classes, clips, collapse, curves, figures, look, prose, seeing
from emovlm.report.calibration import calibrated
from emovlm.report.contrast import contrast
from emovlm.report.differences import against_control
from emovlm.report.drawing import looks
from emovlm.report.files import write_whole
from emovlm.report.folders import load
from emovlm.report.numbers import bracket, chance, mean, number, signed
from emovlm.report.records import METRICS, Study
from emovlm.report.sampling import sampled, sampled_arms
from emovlm.report.stamps import seeds_stamp, stamps, video_stamp
from emovlm.report.tables import (
    TITLES,
    Row,
    counts_line,
    folds_line,
    interval_words,
    marks,
    ordered_arms,
    rows,
    scored_on,
)

WIDE_PX, NARROW_PX, HALF_PX = 1080, 350, 520


def write_page(folder: Path, *, key: str | None = None, read: clips.Read | None = None) -> Path:
    """Write `report.html` into a study or run folder and return its path. Further arguments: those of `write`."""
    return write(load(folder), Path(folder) / "report.html", key=key, read=read)


def write(study: Study, page: Path, *, key: str | None = None, read: clips.Read | None = None) -> Path:
    """Write the page of a study. The same folders give the same bytes.

    `key`: the evaluation to show, such as "test-likelihood"; by default the first that all runs have, test before
    others. `read` decodes the frames of the clip strips: emovlm.frames.decode.read by default.
    Errors: UserError which names the missing or broken file.
    """
    if read is None:
        from emovlm.frames.decode import read  # opens video files: not needed by the tables

        assert read is not None
    environment = _environment()
    script = environment.get_template("sort.js.j2").render()
    html = environment.get_template("page.html.j2").render(
        **_context(study, _chosen_key(study, key), read), script=Markup(script), policy=_policy(script)
    )
    write_whole(page, html)
    return page


def _policy(script: str) -> str:
    """What a browser is allowed: no request to anywhere, and this one script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _chosen_key(study: Study, key: str | None) -> str:
    keys = study.evaluation_keys()
    if key is not None and key not in keys:
        raise UserError(f"{study.folder}: no evaluation '{key}' in every run; there is {', '.join(keys)}")
    return key or keys[0]


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("emovlm.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        number=number, signed=signed, chance=chance, bracket=bracket, percent=lambda share: f"{100 * share:.1f}"
    )
    environment.globals.update(number=number, signed=signed)
    return environment


def _context(study: Study, key: str, read: clips.Read) -> dict[str, Any]:
    evaluation = study.arms[0].runs[0].evaluations[key]
    order = evaluation.head_to_tail
    names = [evaluation.classes[c] for c in order]
    listed, strips = rows(study, key), clips.strips(study, key, read)
    several = [words for words, num in (("seeds", study.num_seeds), ("folds", study.num_folds)) if num > 1]
    return {
        "study": study,
        "key": key,
        "other_keys": [other for other in study.evaluation_keys() if other != key],
        "title": prose.title(study),
        "scored_on": scored_on(study, key),
        "several_runs": " and ".join(several),
        "lede": prose.lede(study, key),
        "in_short": prose.in_short(study, key),
        "arm_word": "Arm" if study.kind == "study" else "Run",
        "overrides_word": "other than the control" if study.given else "overrides",
        "seeds_stamp": seeds_stamp(study),
        "warnings": stamps(study, key),
        "looks": looks(study),
        "evaluation": evaluation,
        "order": order,
        "names": names,
        **_scores(study, key, listed),
        **_evidence(study, key, order),
        **_seeing(study, key, listed),
        "drawn_figures": _drawn_figures(study, names),
        "sampled": [sampled(arm, names) for arm in sampled_arms(study)],
        "confusions": [
            (arm.name, marks(arm), Markup(figures.confusion(study, key, arm, place)))
            for place, arm in enumerate(ordered_arms(study))
        ],
        "curves": _curves(study),
        "strips": strips,
        "has_texts": any(one.texts for strip in strips for clip in strip.clips for one in clip.answers),
        "costs": prose.costs(study),
        "commands": [*prose.commands(study), prose.remake(study)],
        "environment": prose.environment(study),
        "protocol": prose.protocol(study, key),
        "recipe_text": _recipe_text(study),
        "definitions": prose.DEFINITIONS,
    }


def _scores(study: Study, key: str, listed: list[Row]) -> dict[str, Any]:
    """For scores.html.j2."""
    named = contrast(study, key)
    tables = [classes.class_table(study.arm(row.arm), row, key) for row in listed]
    return {
        "metrics": METRICS,
        "titles": TITLES,
        "rows": listed,
        "counts": counts_line(study, key, listed),
        "folds_line": folds_line(study, key),
        "interval_words": interval_words(listed),
        "has_intervals": any(cell.low == cell.low for row in listed for cell in row.cells.values()),
        "contrast": named,
        "differences": against_control(study, key),
        "contrast_words": prose.contrast_words(named, study) if named else None,
        "recall_figure": _both(
            lambda width_px, wide: figures.recall_by_arm(study, key, listed, width_px, upright=wide)
        ),
        "further": classes.further(study, listed, key),
        "group_rule": classes.group_rule(study, key),
        "class_tables": [table for table in tables if table],
        "class_columns": classes.COLUMNS,
    }


def _evidence(study: Study, key: str, order: list[int]) -> dict[str, Any]:
    """For evidence.html.j2."""
    arms, styles = ordered_arms(study), looks(study)
    entries = [run.evaluations[key] for arm in study.arms for run in arm.runs]
    calibrations = [one for arm in arms if (one := calibrated(arm, key))]
    looked = [one for arm in arms if (one := look.looked(arm, key))]
    names = [entries[0].classes[c] for c in order]
    return {
        "answers": _answers_table(study, key),
        "collapsed": [one for arm in arms if (one := collapse.collapsed(arm, key))],
        "evenness_of_truth": number(mean(one.collapse.evenness_of_truth for one in entries if one.collapse)),
        "against": list(collapse.AGAINST.values()),
        "worded": [one for arm in arms if (one := collapse.worded(arm, key))],
        "words_note": collapse.words_note(entries[0]),
        "correlation_note": collapse.correlation_note(entries[0].num_classes_present),
        "looked": looked,
        "looked_lines": [(one.arm, one.cells) for one in looked],
        "war_lines": [(one.arm, one.war) for one in looked],
        "look_note": look.look_note(),
        "video_stamp": video_stamp(study, key),
        "flipped": look.flipped(study, key),
        "written": look.written(study, key),
        "calibrated": calibrations,
        "calibrated_lines": [(one.arm, one.cells) for one in calibrations],
        "has_temperature": any(one.calibration and one.calibration.temperature for one in entries),
        "classwise_lines": [
            (one.arm, [(name, one.classwise_C[c], ()) for name, c in zip(names, order, strict=True)])
            for one in calibrations
        ],
        "reliability_figures": [
            (one.arm, Markup(figures.reliability(one, styles[one.arm].colour, place, figures.PANEL_PX)))
            for place, one in enumerate(calibrations)
        ],
    }


def _seeing(study: Study, key: str, listed: list[Row]) -> dict[str, Any]:
    """For seeing.html.j2."""
    wide, narrow = (
        seeing.against(study, key, listed, px, f"against-{kind}")
        for px, kind in ((HALF_PX, "wide"), (NARROW_PX, "narrow"))
    )
    return {
        "looked_at": seeing.looked_at(study, key),
        "against_figures": [
            (heading, Markup(f'<div class="wide">{left}</div><div class="narrow">{right}</div>'))
            for (heading, left), (_, right) in zip(wide, narrow, strict=True)
        ],
    }


def _both(make: Callable[[int, bool], str | None]) -> Markup | None:
    """A figure drawn twice, of which the page shows the one that fits its width."""
    wide, narrow = make(WIDE_PX, True), make(NARROW_PX, False)
    if wide is None or narrow is None:
        return None
    return Markup(f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>')


def _curves(study: Study) -> list[tuple[str, Markup]]:
    found = []
    for title, make in (
        ("Training loss", curves.loss_curves),
        ("UAR on the validation split", curves.validation_curves),
    ):
        stem = make.__name__.replace("_", "-")
        wide, narrow = make(study, HALF_PX, f"{stem}-wide"), make(study, NARROW_PX, f"{stem}-narrow")
        if wide and narrow:
            both = f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
            found.append((title, Markup(both)))
    return found


def _drawn_figures(study: Study, names: list[str]) -> list[tuple[str, Markup]]:
    # Four stand in one row; any other number in rows of three.
    width_px = 246 if len(sampled_arms(study)) == 4 else figures.PANEL_PX
    return [
        (arm.name, Markup(figures.drawn(study, arm, place, names, width_px)))
        for place, arm in enumerate(sampled_arms(study))
    ]


def _answers_table(study: Study, key: str) -> dict[str, Any]:
    """How often each arm answered each class, and what it could not read: sums over seeds as a mean a seed."""
    evaluation = study.arms[0].runs[0].evaluations[key]
    order = evaluation.head_to_tail
    lines = []
    for arm in ordered_arms(study):
        entries = [run.evaluations[key] for run in arm.runs]
        counts = [sum(one.predicted_C[c] for one in entries) / len(entries) for c in order]
        lines.append((arm.name, counts, sum(one.unreadable for one in entries) / len(entries)))
    support = [evaluation.support_C[c] for c in order]
    return {
        "support": support,
        "lines": lines,
        "most": max([*support, *(n for _, counts, _ in lines for n in counts), 1]),
    }


def _recipe_text(study: Study) -> str:
    """The resolved recipe of the control, else of the first trained arm, else of the first."""
    trained = [arm for arm in study.arms if not arm.zero_shot]
    chosen = next((arm for arm in study.arms if arm.control), (trained or list(study.arms))[0])
    return chosen.runs[0].recipe_text
