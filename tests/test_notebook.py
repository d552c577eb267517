"""The notebook of the demo runs as it is, and shows what it shows: the outputs in it are those of a run."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOUR = ROOT / "recipes" / "demo" / "tour.ipynb"


def test_the_committed_notebook_has_been_run():
    nbformat = pytest.importorskip("nbformat")
    book = nbformat.read(TOUR, as_version=4)
    nbformat.validate(book)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "from top to bottom, once"
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert "/tmp/" not in TOUR.read_text(encoding="utf-8"), "no path of somebody's machine"


@pytest.mark.slow
def test_it_runs_and_what_needs_no_model_is_what_it_shows():
    pytest.importorskip("nbclient")
    from tools.notebook import executed

    found, shown = executed(TOUR), pytest.importorskip("nbformat").read(TOUR, as_version=4)
    compared = 0
    for now, before in zip(found.cells, shown.cells, strict=True):
        if "train_run" in now.source:
            break
        if now.cell_type == "code":
            assert plain(now) == plain(before), now.source
            compared += bool(plain(now))
    assert compared > 5
    answer = plain(found.cells[-2])[0]
    assert answer.startswith("('surprise'")


def plain(cell):
    return [output.get("text") or output["data"]["text/plain"] for output in cell.outputs]
