"""A promise about every optimiser step, kept by the order of the stream: so many classes, so many tail samples.

L draws in S steps of G samples each; C classes.
"""

from __future__ import annotations

import heapq

import numpy as np

from emovlm import UserError


def keep_promise(
    classes_L: np.ndarray,
    step: int,
    tail_C: np.ndarray,
    min_classes: int,
    min_tail: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Reorder the class ids so that each run of `step` holds at least min_classes classes and min_tail tail samples.

    The mix does not change, only the order. Raises UserError with the numbers where the mix cannot keep the promise.
    """
    num_steps = len(classes_L) // step
    draws_C = np.bincount(classes_L, minlength=len(tail_C))
    _check(draws_C, num_steps, step, tail_C, min_classes, min_tail)
    # A class with fewer draws than steps goes to as many different steps; dealt round, the steps fill evenly. The tail
    # is dealt first, so that its samples are spread evenly too.
    by_rarity = [*np.flatnonzero(tail_C), *np.flatnonzero(~tail_C)]
    once = np.repeat(by_rarity, np.minimum(draws_C, num_steps)[by_rarity])
    steps = rng.permutation(num_steps)
    held: list[list[int]] = [[] for _ in range(num_steps)]
    for turn, c in enumerate(once):
        held[steps[turn % num_steps]].append(int(c))
    _deal_tail(held, draws_C, num_steps, step, tail_C)
    rest = _rest(classes_L, held, draws_C)
    for samples in held:
        missing = step - len(samples)
        samples += rest[:missing].tolist()
        rest = rest[missing:]
    ordered = np.concatenate([rng.permutation(samples) for samples in held]).astype(np.int64)
    _verify(ordered.reshape(num_steps, step), tail_C, min_classes, min_tail)
    return ordered


def _deal_tail(held: list[list[int]], draws_C: np.ndarray, num_steps: int, step: int, tail_C: np.ndarray) -> None:
    """The further tail samples, each to the step with the fewest so far that has room."""
    poorest = [(sum(bool(tail_C[c]) for c in held[s]), s) for s in range(num_steps) if len(held[s]) < step]
    heapq.heapify(poorest)
    for c in np.flatnonzero(tail_C):
        for _ in range(max(int(draws_C[c]) - num_steps, 0)):
            num_tail, s = poorest[0]
            held[s].append(int(c))
            if len(held[s]) < step:
                heapq.heapreplace(poorest, (num_tail + 1, s))
            else:
                heapq.heappop(poorest)


def _rest(classes_L: np.ndarray, held: list[list[int]], draws_C: np.ndarray) -> np.ndarray:
    """What is not dealt yet, in the order of the stream."""
    dealt_C = np.bincount(np.concatenate([np.array(samples, np.int64) for samples in held]), minlength=len(draws_C))
    within_L = np.empty(len(classes_L), np.int64)
    order = np.argsort(classes_L, kind="stable")
    within_L[order] = np.arange(len(classes_L)) - np.repeat(np.cumsum(draws_C) - draws_C, draws_C)
    return classes_L[within_L >= dealt_C[classes_L]]


def _check(draws_C: np.ndarray, num_steps: int, step: int, tail_C: np.ndarray, min_classes: int, min_tail: int) -> None:
    possible = int(np.minimum(draws_C, num_steps).sum()) // num_steps
    if min_classes > possible or min_classes > step:
        raise UserError(
            f"sampler.min_classes_per_step: {min_classes}: {num_steps} steps of {step} samples can hold at most "
            f"{min(possible, step)} classes each; lower it, or rebalance more"
        )
    num_tail = int(draws_C[tail_C].sum())
    if min_tail * num_steps > num_tail or min_tail > step:
        raise UserError(
            f"sampler.min_tail_per_step: {min_tail}: {num_tail} tail draws in {num_steps} steps of {step} allow at "
            f"most {min(num_tail // num_steps, step)} a step; lower it, or rebalance more"
        )


def _verify(classes_SG: np.ndarray, tail_C: np.ndarray, min_classes: int, min_tail: int) -> None:
    """Both promises at once can collide where steps are small; then say so rather than break one."""
    fewest_classes = min(len(np.unique(samples)) for samples in classes_SG)
    fewest_tail = int(tail_C[classes_SG].sum(axis=1).min())
    if fewest_classes < min_classes or fewest_tail < min_tail:
        raise UserError(
            f"sampler: min_classes_per_step {min_classes} and min_tail_per_step {min_tail} cannot both be kept in "
            f"steps of {classes_SG.shape[1]} (reached: {fewest_classes} and {fewest_tail}); lower one"
        )
