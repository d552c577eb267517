"""One index stream with the class mix that a strategy asks for, identical on every process.

Three lines put it into any trainer that takes a sampler:

    sampler = ClassSampler(labels_N, partial(tail_oversampling, floor=0.5), seed=0)
    sampler.set_epoch(epoch)
    indices = list(sampler)

The stream is a function of (arguments, epoch) alone. It keeps no state and never touches a global generator, so every
rank computes the same one (sharding is the launcher's work) and a resumed run goes on exactly where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from emovlm import UserError

Strategy = Callable[[np.ndarray, float], np.ndarray]


class ClassSampler:
    """Sized iterable of row indices.

    labels_N: class index of every row, 0 to C - 1 (a row labelled -1 is never drawn).
    strategy: `(counts_C, progress) -> rates_C`, see strategies.py.
    num_samples: length of an epoch; by default the strategy's own, sum n_c rate_c, rounded.
    multiple_of: the length is rounded up to a multiple of it (the global batch), so that no step is cut short.
    num_epochs: progress at epoch e is e / num_epochs.

    Draws per class and epoch follow the proportions by largest remainder, and what a class is still owed is carried
    into the next epoch. Within a class the rows come in shuffled cycles: the draw counts of two rows of a class never
    differ by more than one, across epochs as well. The draws of a class are spread evenly over the epoch, with jitter.
    """

    def __init__(
        self,
        labels_N: Sequence[int] | np.ndarray,
        strategy: Strategy,
        *,
        num_classes: int | None = None,
        num_samples: int | None = None,
        multiple_of: int = 1,
        num_epochs: int = 1,
        seed: int = 0,
    ):
        labels_N = np.asarray(labels_N, dtype=np.int64)
        num_classes = int(labels_N.max(initial=-1)) + 1 if num_classes is None else num_classes
        self.members: list[np.ndarray] = [np.flatnonzero(labels_N == c) for c in range(num_classes)]
        self.counts_C = np.array([len(rows) for rows in self.members])
        if not self.counts_C.sum():
            raise UserError("sampler: there is no labelled row to draw from")
        self.strategy, self.seed, self.num_epochs, self.epoch = strategy, seed, max(num_epochs, 1), 0
        natural_length = float((self.counts_C * self._rates(0)).sum())
        length = round(natural_length) if num_samples is None else num_samples
        if length < 1 or multiple_of < 1:
            raise UserError(f"sampler: {length} samples in multiples of {multiple_of}: both must be at least 1")
        self.num_samples = -(-length // multiple_of) * multiple_of

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(self.stream(self.epoch).tolist())

    def proportions(self, epoch: int) -> np.ndarray:
        """Share of the draws that each class is asked to get in this epoch: p_C, sums to 1."""
        masses_C = self.counts_C * self._rates(epoch)
        return masses_C / masses_C.sum()

    def stream(self, epoch: int) -> np.ndarray:
        """The indices of one epoch, in order: int64 array of length num_samples."""
        before_C, draws_C = self.draws(epoch)
        rng = np.random.default_rng([self.seed, epoch])
        rows, positions = [], []
        for c, count in enumerate(draws_C):
            if count:
                rows.append(self._members(c, int(before_C[c]), int(count)))
                positions.append((np.arange(count) + rng.random(count)) / count)
        return np.concatenate(rows)[np.argsort(np.concatenate(positions), kind="stable")]

    def draws(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws per class before this epoch, and in it. Recomputed from epoch 0, so that no state is needed."""
        before_C = np.zeros(len(self.members), dtype=np.int64)
        owed_C = np.zeros(len(self.members))
        for earlier in range(epoch + 1):
            owed_C = owed_C + self.num_samples * self.proportions(earlier)
            draws_C = largest_remainder(owed_C, self.num_samples)
            owed_C = owed_C - draws_C
            if earlier < epoch:
                before_C += draws_C
        return before_C, draws_C

    def _rates(self, epoch: int) -> np.ndarray:
        return self.strategy(self.counts_C, min(epoch / self.num_epochs, 1.0))

    def _members(self, c: int, start: int, count: int) -> np.ndarray:
        """Rows start .. start + count of the endless sequence of shuffled cycles of class c."""
        size = len(self.members[c])
        first, last = start // size, (start + count - 1) // size
        cycles = [self._cycle(c, number) for number in range(first, last + 1)]
        return np.concatenate(cycles)[start - first * size :][:count]

    def _cycle(self, c: int, number: int) -> np.ndarray:
        rows = self._shuffled(c, number)
        # The last row of a cycle must not open the next one. With two rows that leaves one order for ever.
        if len(rows) == 2:
            return self._shuffled(c, 0)
        if len(rows) > 2 and number and rows[0] == self._shuffled(c, number - 1)[-1]:
            rows[[0, 1]] = rows[[1, 0]]
        return rows

    def _shuffled(self, c: int, number: int) -> np.ndarray:
        return np.random.default_rng([self.seed, c, number, 1]).permutation(self.members[c])


def largest_remainder(wanted_C: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers that sum to `total`, none negative, each as near to `wanted_C` as that allows (Hamilton)."""
    whole_C = np.floor(np.maximum(wanted_C, 0) + 1e-9).astype(np.int64)
    gap = total - int(whole_C.sum())
    order = np.argsort(-(wanted_C - whole_C), kind="stable")
    if gap >= 0:
        whole_C[order[:gap]] += 1
    else:
        takers = [c for c in order[::-1] if whole_C[c] > 0][:-gap]
        whole_C[takers] -= 1
    assert whole_C.sum() == total, (wanted_C, total)
    return whole_C
