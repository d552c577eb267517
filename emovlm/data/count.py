"""The rows of each class in each split, beside what the authors of the set published.

A source's module may have PUBLISHED: split -> class -> rows; a set that ships no split has its totals under "all", and
the class None stands for rows without a label. Where the numbers depend on an argument of the source, PUBLISHED_BY
names it and PUBLISHED has one such table for each of its values.
"""

from __future__ import annotations

import importlib
import inspect
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from rich.table import Table

from emovlm import lookup
from emovlm.data import tables
from emovlm.data.schema import SPLITS

if TYPE_CHECKING:
    from emovlm.recipe import Data

Counts = Mapping[str, Mapping[str | None, int]]
NO_LABEL = "(no label)"


@dataclass(frozen=True)
class Count:
    """found: split -> class -> rows, and the rows without a label; published: likewise, empty where nothing is.

    missing: files that rows name and that are not there; such rows are counted.
    """

    title: str
    classes: list[str]
    found: dict[str, Counter[str | None]]
    published: Counts
    missing: int = 0

    def of(self, split: str, name: str | None) -> int:
        """The rows that are compared with those published of a split."""
        if split == "all":
            return sum(part[name] for part in self.found.values())
        # Carved out of the training rows: the set ships none.
        parts = [split, "validation"] if split == "train" and "validation" not in self.published else [split]
        return sum(self.found[part][name] for part in parts if part in self.found)

    def differences(self) -> list[str]:
        """`train: happy 1955 for 1956`, for every class that has another number of rows than published."""
        found = []
        for split, published in self.published.items():
            odd = [name for name in {**dict.fromkeys(self.classes), **published} if self._off(split, name)]
            if odd:
                shown = (f"{name or NO_LABEL} {self.of(split, name)} for {published.get(name, 0)}" for name in odd)
                found.append(f"{split}: {', '.join(shown)}")
        return found

    def _off(self, split: str, name: str | None) -> int:
        published = self.published[split]
        # Most tables say nothing about rows without a label.
        return self.of(split, name) - published.get(name, 0) if name or None in published else 0

    def table(self) -> Table:
        """One line a class; behind a number that differs from the published one, by how much."""
        shown = Table(title=self.title, title_justify="left")
        splits = [split for split in self.found if split not in self.published]
        headers = {"all": "all splits", "train": "train + validation" if "validation" in splits else "train"}
        for column in ("class", *splits):
            shown.add_column(column, justify="left" if column == "class" else "right")
        for split in self.published:
            shown.add_column(headers.get(split, split), justify="right")
            shown.add_column("published", justify="right")
        for name in self.classes:
            shown.add_row(name, *self._cells(splits, [name]))
        shown.add_section()
        shown.add_row("all classes", *self._cells(splits, list(self.classes)))
        if any(part.get(None) for part in [*self.found.values(), *self.published.values()]):
            shown.add_row(NO_LABEL, *self._cells(splits, [None]))
        return shown

    def _cells(self, splits: list[str], names: Sequence[str | None]) -> list[str]:
        """A line over some classes."""
        cells = [str(sum(self.found[split][name] for name in names)) for split in splits]
        for split, published in self.published.items():
            number, off = (sum(of(split, name) for name in names) for of in (self.of, self._off))
            known = [published[name] for name in names if name in published]
            cells += [f"{number} ({off:+})" if off else str(number), str(sum(known)) if known else ""]
        return cells


def count(data: Data) -> list[Count]:
    """The set as it ships and is dealt out, uncut; of a set that ships folds every fold. Raises UserError."""
    # Beside a map the recipe's classes are those of another set.
    classes = data.classes if data.map is None else None
    data = data.model_copy(update={"imbalance": None, "test_subset": None, "map": None, "classes": classes})
    load = lookup.resolve(lookup.SOURCE, data.source)
    module = importlib.import_module(load.__module__)
    key = getattr(module, "PUBLISHED_BY", None)
    if key is None:
        return [_counted(data, data.source, getattr(module, "PUBLISHED", {}))]
    value = data.args.get(key, inspect.signature(load).parameters[key].default)
    values = list(module.PUBLISHED) if key == "fold" else [value]
    return [
        _counted(data.model_copy(update={key: one}), f"{data.source}, {key} {one}", _of(module, one)) for one in values
    ]


def verdict(counts: list[Count]) -> str:
    """One line: that all numbers are those published, or where they are not; and how many files are missing."""
    missing = max(one.missing for one in counts)
    told = f"; {missing} files are missing (emovlm data check names them)" if missing else ""
    if not any(one.published for one in counts):
        return "nothing is published about this source in emovlm, so there is nothing to compare with" + told
    differing = [f"{one.title}: {'; '.join(one.differences())}" for one in counts if one.differences()]
    if differing:
        return f"DIFFERS from what is published: {'; '.join(differing)}{told}"
    return "every number is the published one" + told


def _of(module: ModuleType, value: object) -> Counts:
    return module.PUBLISHED.get(value, {})


def _counted(data: Data, title: str, published: Counts) -> Count:
    everything = tables.gather(data)
    found = {split: Counter[str | None]() for split in SPLITS}
    for row in everything.rows:
        found[row["split"]][row.get("label")] += 1
    there = {split: part for split, part in found.items() if part}
    return Count(title, everything.classes, there, published, len(everything.missing))
