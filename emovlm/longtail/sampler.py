"""One index stream with the class mix that a strategy asks for, identical on every process.

Three lines put it into any trainer that takes a sampler:

    sampler = ClassSampler(labels_N, square_root, seed=0)
    sampler.set_epoch(epoch)
    indices = list(sampler)

The stream is a function of (arguments, epoch) alone. It keeps no state and never touches a global generator, so every
rank computes the same one (sharding is the launcher's work) and a resumed run goes on exactly where it was.

N rows, C classes, K chunks of an epoch, L draws of an epoch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np

from emovlm import UserError
from emovlm.longtail.steps import keep_promise

Strategy = Callable[[np.ndarray, float], np.ndarray]
# A mix that changes with progress changes at every step, up to this many times an epoch.
MAX_CHUNKS = 2048


class ClassSampler:
    """Sized iterable of row indices.

    labels_N: class index of every row, 0 to C - 1 (a row labelled -1 is never drawn). For soft labels see `soft_rows`.
    strategy: `(counts_C, progress) -> rates_C`, see strategies.py. counts_C: what it is told (default: rows a class).
    num_samples: length of an epoch; by default the strategy's own, sum n_c rate_c, rounded.
    step: samples of one optimiser step (the global batch). The length is rounded up to a multiple of it.
    num_epochs or num_steps: the whole training, over which progress runs from 0 to 1, step by step.
    draws: `exact` follows the proportions by largest remainder and carries what a class is owed into the next steps and
    epochs, so that the mix over time is exact to one sample (see `_draws`); `multinomial` draws classes independently.
    min_classes_per_step, min_tail_per_step: a promise about every step; tail_C says which classes are the tail.

    Within a class the rows come in shuffled cycles: the draw counts of two rows of a class never differ by more than
    one, across epochs as well. The draws of a class are spread evenly, with jitter.
    """

    def __init__(
        self,
        labels_N: Sequence[int] | np.ndarray,
        strategy: Strategy,
        *,
        num_classes: int | None = None,
        counts_C: np.ndarray | None = None,
        num_samples: int | None = None,
        step: int = 1,
        num_epochs: float = 1.0,
        num_steps: int | None = None,
        draws: Literal["exact", "multinomial"] = "exact",
        min_classes_per_step: int = 0,
        min_tail_per_step: int = 0,
        tail_C: np.ndarray | None = None,
        seed: int = 0,
    ):
        self.members = _members(np.asarray(labels_N, dtype=np.int64), num_classes)
        self.sizes_C = np.array([len(rows) for rows in self.members])
        if not self.sizes_C.sum():
            raise UserError("sampler: there is no labelled row to draw from")
        self.counts_C = self.sizes_C if counts_C is None else np.asarray(counts_C)
        self.strategy, self.draw_kind, self.step, self.seed, self.epoch = strategy, draws, step, seed, 0
        self.min_classes, self.min_tail = min_classes_per_step, min_tail_per_step
        self.tail_C = np.zeros(len(self.members), bool) if tail_C is None else np.asarray(tail_C)
        length = round(float(self._masses(0.0).sum())) if num_samples is None else num_samples
        if length < 1 or step < 1:
            raise UserError(f"sampler: {length} samples in steps of {step}: both must be at least 1")
        self.num_samples = -(-length // step) * step
        self.total = num_steps * step if num_steps else num_epochs * self.num_samples
        # (drawn before, still owed) at the start of each epoch: kept so that epoch 99 need not be replayed from 0.
        self._starts = [(np.zeros(len(self.members), np.int64), np.zeros(len(self.members)))]

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(self.stream(self.epoch).tolist())

    def stream(self, epoch: int) -> np.ndarray:
        """The indices of one epoch, in order: int64 array of length num_samples."""
        before_C, draws_KC = self.draws(epoch)
        rng = np.random.default_rng([self.seed, epoch])
        classes_L = np.concatenate([self._ordered(draws_C, rng) for draws_C in draws_KC])
        rows = [self._rows(c, int(before_C[c]), int(count)) for c, count in enumerate(draws_KC.sum(axis=0)) if count]
        stream_L = np.empty(len(classes_L), np.int64)
        stream_L[np.argsort(classes_L, kind="stable")] = np.concatenate(rows)
        return stream_L

    def first(self, num_samples: int) -> np.ndarray:
        """The first indices of the whole training, over as many epochs as that takes."""
        epochs = range(-(-num_samples // self.num_samples))
        return np.concatenate([self.stream(epoch) for epoch in epochs])[:num_samples]

    def proportions(self, epoch: int) -> np.ndarray:
        """Share of this epoch's draws that each class is asked to get: p_C, sums to 1."""
        return self._shares(epoch).mean(axis=0)

    def planned_mix(self, start: float = 0.0, end: float = 1.0) -> np.ndarray:
        """The class mix that is asked for from one share of the training to another, known before its first step: p_C,
        sums to 1."""
        from_sample, to_sample = start * self.total, end * self.total
        asked_C = np.zeros(len(self.members))
        for epoch in range(int(from_sample // self.num_samples), int(np.ceil(to_sample / self.num_samples))):
            shares_KC = self._shares(epoch)
            borders = epoch * self.num_samples + self._borders(len(shares_KC))
            asked_C += np.diff(np.clip(borders, from_sample, to_sample)) @ shares_KC
        return asked_C / asked_C.sum()

    def draws(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """(draws_C before this epoch, draws_KC in each of its chunks)."""
        while len(self._starts) <= epoch:
            before_C, draws_KC, owed_C = self._draws(len(self._starts) - 1)
            self._starts.append((before_C + draws_KC.sum(axis=0), owed_C))
        before_C, draws_KC, _ = self._draws(epoch)
        return before_C, draws_KC

    def _draws(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(draws_C before the epoch, draws_KC, what each class is owed after it).

        Nobody gets what it is not owed a part of, so no class is ever a whole draw ahead. None is a whole draw behind
        where each is owed at least one a chunk (an epoch; a step, if the mix changes). Rarer ones can be due together
        and have to wait: 1.2 draws behind in the worst mix that a search over 4 to 80 classes found.
        """
        before_C, owed_C = self._starts[epoch]
        shares_KC = self._shares(epoch)
        lengths_K = np.diff(self._borders(len(shares_KC)))
        if self.draw_kind == "multinomial":
            rng = np.random.default_rng([self.seed, epoch, 2])
            return before_C, rng.multinomial(lengths_K, shares_KC), owed_C
        draws_KC = np.empty(shares_KC.shape, np.int64)
        for k, (length, shares_C) in enumerate(zip(lengths_K, shares_KC, strict=True)):
            owed_C = owed_C + length * shares_C
            draws_KC[k] = largest_remainder(owed_C, int(length))
            owed_C = owed_C - draws_KC[k]
        return before_C, draws_KC, owed_C

    def _shares(self, epoch: int) -> np.ndarray:
        """p_KC: one row if the mix is the same all epoch long, else one a chunk."""
        chunks = min(self.num_samples // self.step, MAX_CHUNKS)
        starts_K = epoch * self.num_samples + self._borders(chunks)[:-1]
        masses_KC = np.array([self._masses(min(start / self.total, 1.0)) for start in starts_K])
        if (masses_KC == masses_KC[0]).all():
            masses_KC = masses_KC[:1]
        return masses_KC / masses_KC.sum(axis=1, keepdims=True)

    def _borders(self, chunks: int) -> np.ndarray:
        """Where the chunks of an epoch begin and end, in whole steps."""
        return np.arange(chunks + 1) * (self.num_samples // self.step) // chunks * self.step

    def _masses(self, progress: float) -> np.ndarray:
        return self.sizes_C * self.strategy(self.counts_C, progress)

    def _ordered(self, draws_C: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Class ids of a chunk in order: every class spread evenly over it, with jitter."""
        classes_L = np.repeat(np.arange(len(draws_C)), draws_C)
        within_L = np.arange(len(classes_L)) - np.repeat(np.cumsum(draws_C) - draws_C, draws_C)
        positions_L = (within_L + rng.random(len(classes_L))) / np.repeat(draws_C, draws_C)
        classes_L = classes_L[np.argsort(positions_L, kind="stable")]
        if not self.min_classes and not self.min_tail:
            return classes_L
        return keep_promise(classes_L, self.step, self.tail_C, self.min_classes, self.min_tail, rng)

    def _rows(self, c: int, start: int, count: int) -> np.ndarray:
        """Rows start .. start + count of the endless sequence of shuffled cycles of class c."""
        size = len(self.members[c])
        first, last = start // size, (start + count - 1) // size
        cycles = [self._cycle(c, number) for number in range(first, last + 1)]
        return np.concatenate(cycles)[start - first * size :][:count]

    def _cycle(self, c: int, number: int) -> np.ndarray:
        # The last row of a cycle must not open the next one. With two rows that leaves one order for ever.
        size = len(self.members[c])
        rows = self._shuffled(c, 0 if size == 2 else number)
        if size > 2 and number and rows[0] == self._shuffled(c, number - 1)[-1]:
            rows[[0, 1]] = rows[[1, 0]]
        return rows

    def _shuffled(self, c: int, number: int) -> np.ndarray:
        return np.random.default_rng([self.seed, c, number, 1]).permutation(self.members[c])


def soft_rows(soft_NC: np.ndarray, strategy: Strategy, *, min_mass: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """For rows with a distribution over classes: (labels_N, counts_C) to build a ClassSampler from.

    counts_C is the summed mass of each class. A row goes with the class of the largest rate among those that carry at
    least `min_mass` of it (or with its largest mass, where none does); a row without any mass is never drawn.
    """
    soft_NC = np.asarray(soft_NC, dtype=float)
    counts_C = soft_NC.sum(axis=0)
    # Over the whole training, for strategies that begin as natural sampling and rebalance later.
    rates_C = np.mean([strategy(counts_C, progress) for progress in np.linspace(0, 1, 11)], axis=0)
    carried_NC = np.where(soft_NC >= min_mass, rates_C + soft_NC * 1e-9, -1.0)
    labels_N = np.where((carried_NC >= 0).any(axis=1), carried_NC.argmax(axis=1), soft_NC.argmax(axis=1))
    return np.where(soft_NC.sum(axis=1) > 0, labels_N, -1), counts_C


def largest_remainder(wanted_C: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers that sum to `total`, none negative, each as near to `wanted_C` as that allows (Hamilton)."""
    whole_C = np.floor(np.maximum(wanted_C, 0) + 1e-9).astype(np.int64)
    gap = total - int(whole_C.sum())
    order = np.argsort(whole_C - wanted_C, kind="stable")
    if gap >= 0:
        whole_C[order[:gap]] += 1
    else:
        takers = [c for c in order[::-1] if whole_C[c] > 0][:-gap]
        whole_C[takers] -= 1
    assert whole_C.sum() == total, (wanted_C, total)
    return whole_C


def _members(labels_N: np.ndarray, num_classes: int | None) -> list[np.ndarray]:
    """Row indices of each class."""
    num_classes = int(labels_N.max(initial=-1)) + 1 if num_classes is None else num_classes
    order = np.argsort(labels_N, kind="stable")
    borders = np.searchsorted(labels_N[order], np.arange(num_classes + 1))
    return [order[start:end] for start, end in itertools.pairwise(borders)]
