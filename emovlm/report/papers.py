"""The main table for papers: Markdown, LaTeX (booktabs) and csv."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emovlm.report.numbers import bracket, number
from emovlm.report.records import METRICS, Study
from emovlm.report.stamps import seeds_stamp, stamps
from emovlm.report.tables import TITLES, Cell, Row, counts_line, rows, scored_on

# What LaTeX reads as a command; a "[" behind a line's end would be that line's spacing.
IN_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "[": "{[}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    **{one: f"\\{one}" for one in "&%$#_"},
}


@dataclass(frozen=True)
class Shown:
    """A score as text; nothing in `interval` where there is none."""

    value: str
    interval: str
    is_best: bool


def table(study: Study, form: str, key: str | None = None) -> str:
    """form: "md", "tex" or "csv". key: an evaluation, by default the first on the test split."""
    key = key or study.evaluation_keys()[0]
    listed = rows(study, key)
    return {"md": _markdown, "tex": _latex, "csv": _csv}[form](study, key, listed)


def note(study: Study, key: str, listed: Sequence[Row]) -> str:
    """What the table rests on; it stands below it."""
    lines = [f"{scored_on(study, key)}: {counts_line(study, key, listed)}"]
    if len(listed) > 1:
        lines.append("Bold: the best of each column, which is no test.")
    if len(listed) > 2:
        lines.append(
            f"The best of {len(listed)} picked afterwards needs a max-statistic over all differences (emovlm compare, "
            "or the page of emovlm report)."
        )
    return " ".join([*lines, seeds_stamp(study), *stamps(study, key)])


def _shown(listed: Sequence[Row], metric: str) -> list[Shown]:
    """Bold are all that show the best value, unless there is but one row, or nothing to tell them apart."""
    values = [number(row.cells[metric].value) for row in listed]
    best = max((value for value in values if value != "-"), default=None)
    bold = best is not None and len(set(values)) > 1
    cells = [row.cells[metric] for row in listed]
    return [
        Shown(value, bracket(cell, number), bold and value == best) for value, cell in zip(values, cells, strict=True)
    ]


def _lines(listed: Sequence[Row], escape: Callable[[str], str], write: Callable[[Shown], str]) -> list[list[str]]:
    """The texts of each row: its name with its marks, then a score a metric."""
    columns = [_shown(listed, metric) for metric in METRICS]
    names = [row.arm + (f" ({', '.join(row.marks)})" if row.marks else "") for row in listed]
    return [[escape(name), *map(write, scores)] for name, *scores in zip(names, *columns, strict=True)]


def _markdown(study: Study, key: str, listed: Sequence[Row]) -> str:
    def write(one: Shown) -> str:
        value = f"**{one.value}**" if one.is_best else one.value
        return f"{value} {one.interval}".rstrip()

    head = [_word(study), *TITLES.values()]
    lines = [head, ["---", *["---:"] * len(METRICS)], *_lines(listed, escape_markdown, write)]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{body}\n\n{escape_markdown(note(study, key, listed))}\n"


def _latex(study: Study, key: str, listed: Sequence[Row]) -> str:
    def write(one: Shown) -> str:
        value = rf"\textbf{{{one.value}}}" if one.is_best else one.value
        return value + (rf" {{\scriptsize {one.interval}}}" if one.interval else "")

    head = [_word(study), *TITLES.values()]
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\begin{{tabular}}{{l{'r' * len(METRICS)}}}",
            r"\toprule",
            rf"{' & '.join(head)} \\",
            r"\midrule",
            *(rf"{' & '.join(line)} \\" for line in _lines(listed, _escape_latex, write)),
            r"\bottomrule",
            r"\end{tabular}",
            "",
            r"\smallskip",
            rf"\begin{{minipage}}{{\linewidth}}\footnotesize {_escape_latex(note(study, key, listed))}\end{{minipage}}",
            r"\end{table}",
            "",
        ]
    )


def _csv(study: Study, key: str, listed: Sequence[Row]) -> str:
    """Whole numbers and no bold: for programs."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    parts = ("value", "low", "high")
    scores = [f"{metric}{'' if part == 'value' else f'_{part}'}" for metric in METRICS for part in parts]
    lines.writerow(["arm", "marks", "evaluation", "seeds", *scores, "unreadable", "resampled"])
    for row in listed:
        values = [_whole(row.cells[metric], part) for metric in METRICS for part in parts]
        lines.writerow([row.arm, " ".join(row.marks), key, row.num_seeds, *values, row.unreadable, row.resampled])
    return written.getvalue()


def _whole(cell: Cell, part: str) -> str:
    value = getattr(cell, part)
    return "" if value != value else f"{value:.6f}"


def _word(study: Study) -> str:
    return "Arm" if study.kind == "study" else "Run"


def _escape_latex(text: str) -> str:
    return "".join(IN_LATEX.get(one, one) for one in " ".join(text.split()))


def escape_markdown(text: str) -> str:
    return re.sub(r"[\\`*_|<>\[\]]", r"\\\g<0>", " ".join(text.split()))
