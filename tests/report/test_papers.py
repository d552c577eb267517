"""The table for papers: parsed again, it says what report.json says, and nothing in a name breaks it."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emovlm.cli import app
from emovlm.report.folders import load
from emovlm.report.papers import table
from emovlm.report.records import METRICS

from . import folders_made_up as made_up

NASTY = r"a&b_50% $x$ #1 {c} ~^\|<i>*[d]"
# Any "&" that LaTeX reads as the end of a cell.
CELL_ENDS = re.compile(r"(?<!\\)&")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    arms = ("natural", "class_balanced")
    found = made_up.study(tmp_path_factory.mktemp("papers"), arms=arms, seeds=(0, 1), per_class=15)
    report = json.loads((found / "report.json").read_text())
    report["arms"][1]["name"] = report["contrast"][0] = NASTY
    (found / "report.json").write_text(json.dumps(report))
    return found


def body_of(latex: str) -> list[str]:
    """The lines of the tabular, without the rules."""
    inside = latex[latex.index(r"\toprule") : latex.index(r"\bottomrule")]
    return [line for line in inside.splitlines() if line not in (r"\toprule", r"\midrule")]


def test_csv_has_the_numbers_of_the_folder(folder: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(table(load(folder), "csv"))))
    assert [line["arm"] for line in lines] == ["zero_shot", "natural", NASTY]
    assert [line["marks"] for line in lines] == ["untrained", "control", ""]
    assert [line["seeds"] for line in lines] == ["1", "2", "2"]
    for arm, line in zip(("zero_shot", "natural", "class_balanced"), lines, strict=True):
        reports = [json.loads(path.read_text()) for path in sorted(folder.glob(f"{arm}/seed*/report.json"))]
        for metric in METRICS:
            seeds = [report["evaluations"]["test-likelihood"][metric]["value"] for report in reports]
            assert float(line[metric]) == pytest.approx(sum(seeds) / len(seeds), abs=1e-6)
            assert float(line[f"{metric}_low"]) <= float(line[metric]) <= float(line[f"{metric}_high"])
        assert "bootstrap over subjects" in line["resampled"]


def test_latex_is_whole_whatever_an_arm_is_called(folder: Path) -> None:
    latex = table(load(folder), "tex")
    lines = body_of(latex)
    assert len(lines) == 4
    assert {len(CELL_ENDS.findall(line)) for line in lines} == {len(METRICS)}
    assert all(line.endswith(r" \\") for line in lines)
    assert r"\begin{tabular}{lrrrr}" in latex
    assert r"a\&b\_50\% \$x\$ \#1 \{c\} \textasciitilde{}\textasciicircum{}\textbackslash{}\textbar{}" in lines[3]
    assert not lines[3].startswith("[")
    unescaped = re.sub(r"\\[{}\\]", "", latex)
    assert unescaped.count("{") == unescaped.count("}")
    under = latex[latex.index(r"\end{tabular}") :]
    assert r"Brackets: zero\_shot: 95 \% bootstrap over subjects, 1000 draws" in under
    assert "The best of 3 picked afterwards needs a max-statistic" in under


def test_markdown_has_as_many_cells_in_every_line(folder: Path) -> None:
    lines = table(load(folder), "md").split("\n\n")[0].splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(METRICS) + 2}
    assert len(lines) == 5


def test_bold_is_the_best_of_each_column_and_ties_share_it(folder: Path) -> None:
    listed = list(csv.DictReader(io.StringIO(table(load(folder), "csv"))))
    best = [max(f"{float(line[metric]):.3f}" for line in listed) for metric in METRICS]
    cells = [CELL_ENDS.split(line)[1:] for line in body_of(table(load(folder), "tex"))[1:]]
    for column, value in zip(zip(*cells, strict=True), best, strict=True):
        for cell in column:
            assert (r"\textbf" in cell) == (value in cell.split(r"{\scriptsize")[0])


def test_a_single_run_has_nothing_in_bold_and_no_best_of_many(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=15)
    assert "**" not in table(load(folder), "md")
    assert "max-statistic" not in table(load(folder), "md")
    assert "| Run |" in table(load(folder), "md")


def test_a_tail_without_clips_and_no_interval_leave_their_cells_empty(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=3)  # fewer than five subjects: no interval
    report = json.loads((folder / "report.json").read_text())
    report["evaluations"]["test-likelihood"]["tail_recall"] = None
    (folder / "report.json").write_text(json.dumps(report))
    (line,) = csv.DictReader(io.StringIO(table(load(folder), "csv")))
    assert (line["tail_recall"], line["uar_low"]) == ("", "")
    assert line["uar"]
    assert body_of(table(load(folder), "tex"))[1].endswith(r"& - \\")


def test_the_command_writes_to_the_terminal_or_a_file(folder: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["report", str(folder), "--format", "csv"])
    assert shown.stdout == table(load(folder), "csv")
    written = CliRunner().invoke(app, ["report", str(folder), "--format", "tex", "--out", str(tmp_path / "in/a.tex")])
    assert written.exit_code == 0, written.output
    assert (tmp_path / "in/a.tex").read_text() == table(load(folder), "tex")
    assert not list((tmp_path / "in").glob(".*"))
