"""Which rows go where: splits and folds that share no unit, and the thinning of a split. Pure.

Every order is a hash of (seed, name), never of a row's place: the same clips in another order, or in a longer table,
are treated alike, on any machine and any version of numpy.

C: classes. N: rows. U: units (subjects, say). S: splits or folds. K: classes as columns, then the total.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np


def split_by_unit(
    labels: Sequence[Hashable], units: Sequence[str], shares: Mapping[str, float], *, seed: int = 0
) -> list[str]:
    """The split of each row, so that no unit is in two and every class is shared out as nearly as the units allow.

    shares: split name -> share of the rows, summing to 1; a split of share 0 gets none, and `train` must have one.
    Units are dealt largest first, in seeded order among equals, each to the split that it brings closest (chi-square
    over the classes and the total) to its due. Greedy: units of one row each are dealt within one row of exact.
    Every class (None is none) has a row in `train`: the only unit that is left for it goes there.
    """
    assert math.isclose(sum(shares.values()), 1, abs_tol=1e-9), "shares sum to 1"
    names = [name for name, share in shares.items() if share > 0]
    learnt_SS = np.array([[name == "train" for name in names]] * len(names))
    dealt = _deal(labels, units, [shares[name] for name in names], learnt_SS, seed)
    return [names[s] for s in dealt]


def fold_by_unit(labels: Sequence[Hashable], units: Sequence[str], num_folds: int, *, seed: int = 0) -> list[int]:
    """The fold of each row, from 1: dealt as `split_by_unit` does, in equal shares; no fold is empty.

    The rows outside a fold are what is learnt where it is the test. Units that share a class are not all put into one
    fold, as far as that can be seen when the last of them is dealt: else nothing of the class would be learnt there.
    """
    assert 2 <= num_folds <= len(set(units)), "a unit a fold"
    learnt_SS = ~np.eye(num_folds, dtype=bool)
    return [s + 1 for s in _deal(labels, units, [1 / num_folds] * num_folds, learnt_SS, seed)]


def _deal(
    labels: Sequence[Hashable], units: Sequence[str], shares_S: Sequence[float], learnt_SS: np.ndarray, seed: int
) -> list[int]:
    """The split of each row. learnt_SS[s]: the splits whose rows are learnt for the sake of split s."""
    assert len(labels) == len(units), "one unit a row"
    if not labels:
        return []
    classes = {label: c for c, label in enumerate(sorted(set(labels), key=str))}
    unit_names = sorted(set(units), key=lambda unit: seeded_rank(seed, unit))
    place = {unit: u for u, unit in enumerate(unit_names)}
    units_N, classes_N = [place[unit] for unit in units], [classes[label] for label in labels]
    counts_UK = np.zeros((len(unit_names), len(classes) + 1))
    np.add.at(counts_UK, (units_N, classes_N), 1)
    counts_UK[:, -1] = counts_UK.sum(axis=1)
    must_learn_K = np.array([label is not None for label in classes] + [True])
    due_SK = np.array(shares_S)[:, None] * counts_UK.sum(axis=0)
    have_SK, left_K = np.zeros_like(due_SK), counts_UK.sum(axis=0)
    split_of: dict[str, int] = {}
    for u in np.argsort(-counts_UK[:, -1], kind="stable"):
        added_K = counts_UK[u]
        left_K = left_K - added_K
        change_S = (added_K * (added_K + 2 * (have_SK - due_SK)) / due_SK).sum(axis=1)
        last_K = (added_K > 0) & (left_K == 0) & must_learn_K
        if last_K.any():
            learnt_SK = learnt_SS @ have_SK + np.diag(learnt_SS)[:, None] * added_K
            lost_S = ((learnt_SK == 0) & last_K).sum(axis=1)
            change_S = np.where(lost_S == lost_S.min(), change_S, np.inf)
        best = int(np.argmin(np.round(change_S, 9)))  # rounded: an equal change must not be decided by the last bit
        have_SK[best] += added_K
        split_of[unit_names[u]] = best
    return [split_of[unit] for unit in units]


def long_tail_profile(available: Sequence[int], ratio: float) -> list[int]:
    """Clips to keep of each class, head first: n_c = n_max * ratio^(-c/(C-1)), rounded half up.

    n_max is the largest whole number for which every class has enough. A class may come out with 0 (too small for the
    ratio): the caller refuses that. Exponential profile as in Cao et al. 2019 (LDAM, arXiv 1906.07413), section 4.1.
    """
    assert ratio >= 1, "ratio is head over tail"
    falls = [1.0] if len(available) == 1 else [ratio ** (-c / (len(available) - 1)) for c in range(len(available))]
    for n_max in range(available[0], -1, -1):
        wanted = [math.floor(n_max * fall + 0.5 + 1e-9) for fall in falls]
        if all(want <= have for want, have in zip(wanted, available, strict=True)):
            return wanted
    raise AssertionError("n_max = 0 always fits")


def thin(labels: Sequence[str | None], ids: Sequence[str], wanted: Mapping[str, int], *, seed: int = 0) -> list[int]:
    """Rows to keep, ascending: `wanted[label]` of each class. Rows of a class that `wanted` does not name all stay.

    Nested: with one seed, whoever is kept at a smaller number is kept at every larger one, so that two ratios differ
    by clips taken away and by nothing else.
    """
    ranked: dict[str | None, list[tuple[bytes, int]]] = {label: [] for label in wanted}
    kept = []
    for row, (label, name) in enumerate(zip(labels, ids, strict=True)):
        if label in ranked:
            ranked[label].append((seeded_rank(seed, name), row))
        else:
            kept.append(row)
    for label, number in wanted.items():
        assert number <= len(ranked[label]), "the profile asks for what there is"
        kept.extend(row for _, row in sorted(ranked[label])[:number])
    return sorted(kept)


def seeded_rank(seed: int, name: str) -> bytes:
    """A sort key that shuffles names by the seed."""
    return hashlib.blake2b(f"{seed}\0{name}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def ids_hash(ids: Iterable[str]) -> str:
    """Which rows were scored, whatever their order: 16 hex digits."""
    return hashlib.sha256(json.dumps(sorted(ids)).encode()).hexdigest()[:16]
