"""What a recipe's training will draw, known without a model: a replay of the stream, as a table or as rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from emovlm import UserError
from emovlm import run as runs
from emovlm.data import tables
from emovlm.data.dealing import class_notes
from emovlm.data.leaks import leak_notes
from emovlm.longtail.ledger import Ledger
from emovlm.longtail.plan import Plan, plan
from emovlm.longtail.targets import class_indices, distributions

if TYPE_CHECKING:
    from emovlm.recipe import Recipe


@dataclass(frozen=True)
class Planned:
    """rows: the training split. ledger: the content that ledger.json will have when the training is done.

    notes: what is odd about the splits, a line each.
    """

    rows: list[dict[str, Any]]
    plan: Plan
    ledger: dict[str, Any]
    notes: list[str]


def planned(recipe: Recipe) -> Planned:
    """Raises UserError for whatever is wrong with the rows, or for a promise that the mix cannot keep."""
    with tables.uncollected():
        return _planned(recipe)


def _planned(recipe: Recipe) -> Planned:
    splits, classes = tables.load_rows(recipe.data)
    if "train" not in splits:
        raise UserError(f"data: there is no train split (found: {', '.join(splits)})")
    rows = splits["train"]
    index = {name: c for c, name in enumerate(classes)}
    labels = [index[row["label"]] if "label" in row else None for row in rows]
    soft_NC = distributions([row.get("soft_label") for row in rows], labels, len(classes))
    found = plan(recipe, class_indices(labels), classes, soft_NC)
    ledger = Ledger(classes, [row["id"] for row in rows], found)
    steps = ledger.add_planned()
    summary = ledger.summary(ledger.drawn_EN, strategy=recipe.sampler.strategy, num_steps=steps)
    return Planned(rows, found, summary, class_notes(splits, classes) + leak_notes(splits))


def sampling_table(found: Planned) -> Table:
    """One line a class: what there is, what is asked, what will be drawn, how often a clip comes, the loss's prior."""
    ledger, sampler = found.ledger, found.plan.sampler
    drawn = sum(ledger["drawn"])
    title = (
        f"{ledger['strategy']}: {drawn} draws in {ledger['num_steps']} steps of {ledger['global_batch']}, "
        f"{len(sampler)} an epoch"
    )
    caption = escape("\n".join(found.notes)) or None
    shown = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    columns = ("class", "clips", "share", "asked", "drawn", "share drawn", "distinct", "most of a clip", "epochs")
    for column in (*columns, "weight", "prior of the loss"):
        shown.add_column(column, justify="left" if column == "class" else "right")
    for c, name in enumerate(ledger["classes"]):
        shown.add_row(
            name,
            f"{found.plan.counts_C[c]:g}",
            f"{found.plan.counts_C[c] / found.plan.counts_C.sum():.4f}",
            f"{ledger['asked'][c]:.4f}",
            str(ledger["drawn"][c]),
            f"{ledger['drawn'][c] / drawn:.4f}",
            str(ledger["distinct_clips"][c]),
            str(ledger["most_draws_of_a_clip"][c]),
            f"{ledger['effective_epochs'][c]:.2f}",
            f"{ledger['class_weights'][c]:.3f}",
            f"{ledger['effective_prior'][c]:.4f}",
        )
    return shown


def export(found: Planned, path: Path) -> int:
    """Write the rows of the whole training as JSON lines that `data.source: jsonl` reads. -> lines written."""
    if path.exists():
        raise UserError(f"--export: {path}: exists; name another file or remove it")
    lines, classes = [], found.ledger["classes"]
    for row in drawn(found):
        if row.get("soft_label") is not None:
            row["soft_label"] = dict(zip(classes, row["soft_label"], strict=True))
        row["media"] = row["media"][0] if len(row["media"]) == 1 else row["media"]
        lines.append(row | {"split": "train"})
    runs.write_jsonl(path, lines)
    return len(lines)


def drawn(found: Planned) -> Iterator[dict[str, Any]]:
    """The rows of the whole training in the order in which they will be drawn, each with its optimiser `step`.

    A row drawn again has its id with `#2`, `#3`, ... (`#copy2` where ids have a # of their own): ids stay unique.
    """
    times, taken = [0] * len(found.rows), {row["id"] for row in found.rows}
    copies = "#" if not any("#" in name for name in taken) else "#copy"
    for draw, index in enumerate(found.plan.sampler.first(found.plan.num_steps * found.plan.sampler.step).tolist()):
        row = found.rows[index]
        times[index] += 1
        copy = f"{copies}{times[index]}" if times[index] > 1 else ""
        yield {**row, "id": row["id"] + copy, "step": draw // found.plan.sampler.step}
