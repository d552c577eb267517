"""Run a notebook from the root of the checkout and write its outputs into it:

python tools/notebook.py recipes/demo/tour.ipynb
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, but for progress and warnings. Raises nbclient's CellExecutionError."""
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(ROOT)}}, record_timing=False).execute()
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_noise(output)]
    # It names the machine's Python.
    book.metadata["language_info"] = {"name": "python"}
    return book


def _is_noise(output: nbformat.NotebookNode) -> bool:
    return output.get("name") == "stderr" or "[WARNING]" in output.get("text", "")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        nbformat.write(executed(Path(name)), name)
