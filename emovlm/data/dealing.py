"""Rows get their split from `data.splits` of the recipe: seeded and by unit, so that no unit (a subject) is in two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emovlm import UserError
from emovlm.data import folds
from emovlm.data.schema import PLACE

if TYPE_CHECKING:
    from emovlm.recipe import Splits

Rows = list[dict[str, Any]]


def deal(rows: Rows, splits: Splits) -> None:
    """Give every row its `split`; shipped ones stay, but for `validation_from_train`. Raises UserError."""
    shipped = next((row for row in rows if "split" in row), None)
    if shipped is not None:
        _check_shipped(rows, shipped, splits)
        if splits.validation_from_train:
            _share_out(
                [row for row in rows if row.get("split") == "train"], _carved(splits.validation_from_train), splits
            )
    elif splits.validation_from_train:
        raise UserError(
            f"data.splits.validation_from_train: {splits.validation_from_train:g} of the shipped training rows, but "
            "these rows ship no split; use data.splits.validation"
        )
    elif splits.folds is not None:
        _deal_folds(rows, splits)
    else:
        if splits.validation + splits.test >= 1:
            raise UserError(
                f"data.splits: validation {splits.validation} and test {splits.test} leave nothing to train on"
            )
        shares = {"train": 1 - splits.validation - splits.test, "validation": splits.validation, "test": splits.test}
        _share_out(rows, shares, splits)


def class_notes(by_split: Mapping[str, Sequence[Mapping[str, Any]]], classes: Sequence[str]) -> list[str]:
    """A line for each split that lacks classes which another has, to stand below a table of classes.

    A class held by too few units stays in training; in a fold whose test split holds all of a class, none is learnt.
    """
    found = {split: {row.get("label") for row in rows} for split, rows in by_split.items()}
    notes = []
    for split, present in found.items():
        elsewhere = {
            name: [other for other in found if name in found[other]] for name in classes if name not in present
        }
        lacking = [f"{name} (only in {' and '.join(others)})" for name, others in elsewhere.items() if others]
        if lacking:
            notes.append(f"no clip in {split}: {', '.join(lacking)}")
    return notes


def _check_shipped(rows: Rows, shipped: Mapping[str, Any], splits: Splits) -> None:
    if splits.folds is not None:
        raise UserError(
            f"data.splits.folds: {splits.folds}, but the rows ship their splits ({shipped[PLACE]}: "
            f"'{shipped['split']}'); leave folds out, or remove the splits from the rows"
        )
    found = {row.get("split") for row in rows}
    if splits.validation_from_train and ("validation" in found or "train" not in found):
        why = "ship a validation split" if "validation" in found else "ship no train split"
        raise UserError(
            f"data.splits.validation_from_train: {splits.validation_from_train:g}, but the rows {why}; set it to 0"
        )


def _deal_folds(rows: Rows, splits: Splits) -> None:
    """Fold number `fold` is the test; validation is carved from the others."""
    units = _units(rows, splits.unit)
    names = sorted(set(units))
    number = len(names) if splits.folds == "each" else int(splits.folds or 0)
    assert splits.fold is not None, "the recipe gives both or neither"
    if number > len(names) or len(names) < 2:
        raise UserError(
            f"data.splits.folds: {splits.folds} for {len(names)} {splits.unit}s; a fold needs a {splits.unit} of its "
            f"own, and two folds are the least"
        )
    if splits.fold > number:
        raise UserError(f"data.splits.fold: {splits.fold} of {number} folds; must be from 1 to {number}")
    if splits.folds == "each":
        fold_of = {unit: fold for fold, unit in enumerate(names, start=1)}
        fold_of_rows = [fold_of[unit] for unit in units]
    else:
        fold_of_rows = folds.fold_by_unit([row.get("label") for row in rows], units, number, seed=splits.seed)
    for row, fold in zip(rows, fold_of_rows, strict=True):
        row["split"] = "test" if fold == splits.fold else "train"
    _share_out([row for row in rows if row["split"] == "train"], _carved(splits.validation), splits)


def _carved(share: float) -> dict[str, float]:
    return {"train": 1 - share, "validation": share}


def _share_out(rows: Rows, shares: Mapping[str, float], splits: Splits) -> None:
    units = _units(rows, splits.unit)
    labels = [row.get("label") for row in rows]
    dealt = folds.split_by_unit(labels, units, shares, seed=splits.seed)
    for name, share in shares.items():
        if share > 0 and name not in dealt:
            raise _empty_split(name, share, labels, units, splits)
    for row, name in zip(rows, dealt, strict=True):
        row["split"] = name


def _empty_split(name: str, share: float, labels: list[str | None], units: list[str], splits: Splits) -> UserError:
    holders: dict[str, set[str]] = {}
    for label, unit in zip(labels, units, strict=True):
        if label is not None:
            holders.setdefault(label, set()).add(unit)
    alone = len(set().union(*(held for held in holders.values() if len(held) == 1)))
    stay = f", {alone} of which hold all of a class and stay in training" if alone else ""
    key = f"{name}_from_train" if splits.validation_from_train else name
    return UserError(
        f"data.splits.{key}: {share:g} of {len(units)} rows is less than one {splits.unit} "
        f"({len(set(units))} of them{stay}); raise the share or set it to 0"
    )


def _units(rows: Rows, unit: str) -> list[str]:
    for row in rows:
        if not row.get(unit):
            have = sum(1 for other in rows if other.get(unit))
            raise UserError(
                f"{row[PLACE]}: no {unit}, and data.splits.unit keeps each {unit} in one split "
                f"({have} of {len(rows)} rows have it); add it, or set data.splits.unit: id if rows are independent"
            )
    return [str(row[unit]) for row in rows]
