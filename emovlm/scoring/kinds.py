"""What the log-probabilities of a name's tokens add up to: one score a class. Pure, and without torch.

N clips, C classes, A tokens of the longest name (0 behind a shorter one), S names where a class has several. In nats.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from emovlm import UserError

KINDS = ("sum", "trie", "mean")
LOG_PROBABILITIES = {"sum", "trie"}
"""The kinds whose scores a prior can be taken off, whose synonyms can be pooled and which can be calibrated."""


def class_scores(logp_NCA: np.ndarray, names: Sequence[Sequence[int]], kind: str = "sum") -> np.ndarray:
    """scores_NC of `likelihood.token_scores`, float64. names: the token ids of each class, with the end-of-turn.

    sum: the log-likelihood of the whole name; exp of it sums to at most 1 over the classes.
    trie: at each branch of the trie of the names the probability is shared out among the tokens that go on with some
        name: exactly the distribution of constrained decoding, so exp of it sums to 1.
    mean: the sum over the number of tokens. Longer names are not penalised, and it is no log-probability.
    """
    logp_NCA = np.asarray(logp_NCA, dtype=np.float64)
    if kind == "sum":
        return logp_NCA.sum(axis=2)
    if kind == "mean":
        return logp_NCA.sum(axis=2) / np.array([len(ids) for ids in names])
    if kind == "trie":
        return (logp_NCA - _branches(logp_NCA, names)).sum(axis=2)
    raise UserError(f"evaluate.score: '{kind}' is unknown; allowed: {', '.join(KINDS)}")


def pool_synonyms(scores_NS: np.ndarray, class_of_S: Sequence[int]) -> np.ndarray:
    """scores_NC of classes that go by several names: logsumexp over the names of a class, less the log of their number.

    The log of the mean probability of a name, in other words: a class does not gain by having more names. scores_NS:
    log-probabilities (`LOG_PROBABILITIES`). class_of_S: the class of each name; every class from 0 on has one.
    """
    scores_NS, owner_S = np.asarray(scores_NS, dtype=np.float64), np.asarray(class_of_S)
    counts_C = np.bincount(owner_S)
    assert counts_C.all(), "a class without a name"
    columns = [logsumexp(scores_NS[:, owner_S == c], axis=1) for c in range(len(counts_C))]
    return np.stack(columns, axis=1) - np.log(counts_C)


def _branches(logp_NCA: np.ndarray, names: Sequence[Sequence[int]]) -> np.ndarray:
    """branch_NCA: before each token of a name, the log of what all tokens that go on with some name have together."""
    spelled = [tuple(ids) for ids in names]
    ways = {ids[:a] for ids in spelled for a in range(1, len(ids))}
    assert len(set(spelled)) == len(spelled), "two names are spelled alike"
    assert not ways & set(spelled), "a name goes on where another ends; give both their end-of-turn"
    branch_NCA = np.zeros_like(logp_NCA)
    for a in range(logp_NCA.shape[2]):
        groups: dict[tuple[int, ...], dict[int, list[int]]] = {}
        for c, ids in enumerate(spelled):
            if a < len(ids):
                groups.setdefault(ids[:a], {}).setdefault(ids[a], []).append(c)
        for continued in groups.values():
            # Names that go on with the same token have the same log-probability for it: one of them stands for all.
            first_K = [sharing[0] for sharing in continued.values()]
            together_N = logsumexp(logp_NCA[:, first_K, a], axis=1)
            for sharing in continued.values():
                branch_NCA[:, sharing, a] = together_N[:, None]
    return branch_NCA
