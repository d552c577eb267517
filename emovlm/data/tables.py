"""From a source's rows to checked splits, as plain dicts: milliseconds, where a `datasets.Dataset` costs seconds."""

from __future__ import annotations

import gc
import importlib
import inspect
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emovlm import UserError, lookup
from emovlm.data import folds, labels, leftout, mediafiles, quarantine, schema
from emovlm.data.dealing import Rows, deal
from emovlm.data.schema import PLACE, SPLITS
from emovlm.data.synonyms import rows_in_classes

if TYPE_CHECKING:
    from emovlm.recipe import Data, Imbalance, Subset


# Characters of an error.
MOST_TOLD = 600
_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")


@dataclass(frozen=True)
class Everything:
    """All rows with their split and PLACE, before anything is cut or refused. missing: path -> its error."""

    rows: Rows
    classes: list[str]
    missing: mediafiles.Missing


def load_rows(data: Data) -> tuple[quarantine.Splits, list[str]]:
    """(rows by split, class order). Labels are names here. Raises UserError for whatever is wrong with the rows.

    `data.classes`: the order, and the only labels allowed; without it the source module's `CLASSES`, or the labels by
    alphabet. `data.splits` is used where no row says its split; `data.imbalance` cuts the training split and
    `data.test_subset` the test split; what `data.quarantine` names is left out of what these chose.
    """
    with uncollected(), _told_briefly():
        return _load_rows(data)


def _load_rows(data: Data) -> tuple[quarantine.Splits, list[str]]:
    found = gather(data)
    rows, order = found.rows, found.classes
    _check_splits(rows, data.splits.unit)
    by_split: dict[str, Rows] = {name: [] for name in SPLITS}
    for row in rows:
        by_split[row["split"]].append(row)
    by_split = {name: part for name, part in by_split.items() if part}
    if data.imbalance is not None:
        by_split["train"] = _cut(by_split.get("train", []), order, data.imbalance)
    if data.test_subset is not None:
        by_split["test"] = _balanced(by_split.get("test", []), order, data.test_subset)
    kept = quarantine.apply(by_split, quarantine.read(data.quarantine, (row["id"] for row in rows)))
    if found.missing:
        _check_there(kept, found.missing)
    for row in (row for part in kept.values() for row in part):
        del row[PLACE], row["split"]
    return kept, order


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cycles: it walks all rows again whenever they have grown by a quarter, for nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _told_briefly() -> Iterator[None]:
    """A cell may hold line breaks or thousands of characters; an error is one line that can be read."""
    try:
        yield
    except UserError as error:
        told = " ".join(_BREAKS.split(str(error)))
        raise UserError(told if len(told) <= MOST_TOLD else f"{told[: MOST_TOLD - 150]} ... {told[-140:]}") from None


@_told_briefly()
def gather(data: Data) -> Everything:
    """What there is, for `emovlm data check`. Raises UserError for whatever makes the rows no rows."""
    with mediafiles.collecting() as missing:
        found, default_classes = _call_source(data.source, data.args)
        rows = _checked_rows(found, data.source)
    given = data.classes if data.classes is not None and data.map is None else default_classes
    order = labels.check_classes(given) if given is not None else _order_of(rows, data.source, data.map)
    _check_labels(rows, order)
    if data.map is not None:
        total = len(rows)
        rows, others, left = rows_in_classes(rows, order, data.map, data.classes)
        leftout.tell(data.source, total, left)
        order = labels.check_classes(data.classes if data.classes is not None else others)
        _check_labels(rows, order)
    deal(rows, data.splits)
    for row in rows:
        if "split" not in row:
            raise UserError(f"{row[PLACE]}: no split, while other rows have one; give every row a split, or none")
    return Everything(rows, order, missing)


def _check_there(by_split: Mapping[str, Rows], missing: mediafiles.Missing) -> None:
    for row in (row for part in by_split.values() for row in part):
        for path in row["media"]:
            if path in missing:
                raise missing[path]


def _call_source(source: str, args: Mapping[str, Any]) -> tuple[Iterable[Mapping[str, Any]], list[str] | None]:
    load = lookup.resolve(lookup.SOURCE, source)
    try:
        inspect.signature(load).bind(**args)
    except TypeError as error:
        allowed = ", ".join(inspect.signature(load).parameters) or "none"
        raise UserError(f"data: {source}: {error}; arguments of this source: {allowed}") from None
    module = importlib.import_module(load.__module__)
    return load(**args), getattr(module, "CLASSES", None)


def _checked_rows(found: Iterable[Mapping[str, Any]], source: str) -> Rows:
    rows: Rows = []
    places: dict[str, str] = {}
    for number, row in enumerate(found, start=1):
        place = row.get(PLACE) or f"{source}, row {number}"
        checked = schema.check_row(row, place)
        if "label" in checked:
            checked["label"] = labels.class_name(checked["label"], place)
        first = places.setdefault(checked["id"], place)
        if first != place or len(places) != number:
            raise UserError(f"{place}: id '{checked['id']}' was given before, at {first}; ids name one row each")
        checked[PLACE] = place
        rows.append(checked)
    if not rows:
        raise UserError(f"data.source: {source} gave no row")
    return rows


def _order_of(rows: Rows, source: str, table: Mapping[str, str | None] | None) -> list[str]:
    for row in rows:
        if "soft_label" in row and not isinstance(row["soft_label"], Mapping):
            if table is not None:
                # data.classes would name the classes that are mapped to: these are the keys.
                return labels.check_classes(table)
            raise UserError(f"{row[PLACE]}: a soft_label as a list needs data.classes, which says its order")
    named = {row["label"] for row in rows if "label" in row}
    return labels.class_order(named.union(*(row.get("soft_label", ()) for row in rows)), f"data.source: {source}")


def _check_labels(rows: Rows, classes: list[str]) -> None:
    known = frozenset(classes)
    for row in rows:
        if "label" in row and row["label"] not in known:
            raise labels.unknown_label(row["label"], classes, row[PLACE])
        if "soft_label" in row:
            shares = row["soft_label"] = schema.check_soft_label(row["soft_label"], classes, row[PLACE])
            # Of several equal largest shares none is the label.
            if "label" not in row and shares.count(max(shares)) == 1:
                row["label"] = classes[shares.index(max(shares))]


def _check_splits(rows: Rows, unit: str) -> None:
    """No subject (nor unit that the recipe names) is in two splits."""
    columns = ["subject", *([unit] if unit not in ("subject", "id") else [])]
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        for column in columns:
            if column not in row:
                continue
            first = seen.setdefault((column, str(row[column])), row)
            if first["split"] != row["split"]:
                raise UserError(
                    f"{row[PLACE]}: {column} '{row[column]}' is in {row['split']} and in {first['split']} "
                    f"({first[PLACE]}); a model would be tested on whom it has seen: keep each in one split"
                )


def _cut(rows: Rows, classes: list[str], imbalance: Imbalance) -> Rows:
    """The training rows thinned to the exponential profile; unlabelled rows stay."""
    counts = Counter(row["label"] for row in rows if "label" in row)
    if len(classes) < 2:
        raise UserError("data.imbalance: needs at least two classes")
    if imbalance.order == "size":
        order = sorted(classes, key=lambda name: -counts[name])
    else:
        order = [str(name) for name in imbalance.order]
        if sorted(order) != sorted(classes):
            raise UserError(
                f"data.imbalance.order: {', '.join(order)}; must name each class once: {', '.join(classes)}"
            )
    for name in order:
        if not counts[name]:
            raise UserError(f"data.imbalance: class '{name}' has no training clip; leave it out of data.classes")
    wanted = dict(zip(order, folds.long_tail_profile([counts[name] for name in order], imbalance.ratio), strict=True))
    for name, number in wanted.items():
        if number < 1:
            raise UserError(
                f"data.imbalance.ratio: {imbalance.ratio:g} leaves no clip of '{name}' (the head keeps "
                f"{wanted[order[0]]}); there are enough clips for a ratio up to about {2 * wanted[order[0]]}"
            )
    kept = folds.thin([row.get("label") for row in rows], [row["id"] for row in rows], wanted, seed=imbalance.seed)
    return [rows[index] for index in kept]


def _balanced(rows: Rows, classes: list[str], subset: Subset) -> Rows:
    """The same number of labelled rows of every class, the first ones by a hash of (seed, id), in the order of rows."""
    labelled = [row for row in rows if "label" in row]
    counts = Counter(row["label"] for row in labelled)
    few = [f"{name} {counts[name]}" for name in classes if counts[name] < subset.per_class]
    if few:
        most = min(counts[name] for name in classes)
        remedy = f"give at most {most}" if most else "leave the subset out, or a class without rows out of data.classes"
        raise UserError(
            f"data.test_subset.per_class: {subset.per_class}, but the test split has fewer clips of some classes "
            f"({', '.join(few)}); {remedy}"
        )
    wanted = dict.fromkeys(classes, subset.per_class)
    kept = folds.thin([row["label"] for row in labelled], [row["id"] for row in labelled], wanted, seed=subset.seed)
    return [labelled[index] for index in kept]
