"""Kinds of score on numbers worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovlm import UserError
from emovlm.scoring.kinds import KINDS, LOG_PROBABILITIES, class_scores, pool_synonyms

END = 9
# "a", "a b" and "c": at the root 1 and 3 go on; behind 1 the end or 2.
NAMES = [[1, END], [1, 2, END], [3, END]]
# p(1) = .2, p(3) = .1; behind 1: p(end) = .5, p(2) = .1, behind 1 2: p(end) = .4; behind 3: p(end) = .9.
LOGP = np.log([[[0.2, 0.5, 1], [0.2, 0.1, 0.4], [0.1, 0.9, 1]]])


def test_sum_is_the_probability_of_the_whole_name():
    np.testing.assert_allclose(np.exp(class_scores(LOGP, NAMES)), [[0.1, 0.008, 0.09]])


def test_mean_is_over_the_tokens_of_each_name():
    expected = [[np.log(0.1) / 2, np.log(0.008) / 3, np.log(0.09) / 2]]
    np.testing.assert_allclose(class_scores(LOGP, NAMES, "mean"), expected)


def test_trie_shares_out_each_branch():
    # Root: 2/3 to token 1, 1/3 to token 3. Behind 1: 5/6 to the end, 1/6 to token 2. No other branch.
    found = np.exp(class_scores(LOGP, NAMES, "trie"))
    np.testing.assert_allclose(found, [[2 / 3 * 5 / 6, 2 / 3 * 1 / 6, 1 / 3]])


def test_mean_is_no_log_probability():
    assert set(KINDS) - LOG_PROBABILITIES == {"mean"}
    # Ten tokens of probability 1/2 against one of 1/2: as likely as each other by mean, and their sum is above 1.
    assert np.exp(class_scores(np.log([[[0.9, 0.9], [0.8, 0.8]]]), [[1, END], [2, END]], "mean")).sum() > 1


def test_trie_refuses_names_that_end_within_another():
    with pytest.raises(AssertionError, match="end-of-turn"):
        class_scores(LOGP, [[1], [1, 2, END], [3, END]], "trie")


def test_unknown_kind_is_refused():
    with pytest.raises(UserError, match=r"evaluate.score: 'max' is unknown; allowed: sum, trie, mean"):
        class_scores(LOGP, NAMES, "max")


names_of_any_shape = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=4).map(tuple), min_size=1, max_size=8, unique=True
)


@given(names_of_any_shape, st.integers(0, 1000))
def test_trie_sums_to_one_over_any_names_whatever_their_order(spelled, seed):
    names = [[*name, END] for name in spelled]
    random = np.random.default_rng(seed)
    table = {}  # the same token behind the same beginning has the same probability
    logp_NCA = np.zeros((2, len(names), max(map(len, names))))
    for c, ids in enumerate(names):
        for a in range(len(ids)):
            logp_NCA[:, c, a] = table.setdefault(tuple(ids[: a + 1]), np.log(random.uniform(0.01, 0.2, 2)))
    scores = class_scores(logp_NCA, names, "trie")
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1)
    np.testing.assert_allclose(class_scores(logp_NCA[:, ::-1], names[::-1], "trie"), scores[:, ::-1])


def test_synonyms_are_pooled_as_the_mean_probability():
    scores = np.log([[0.1, 0.3, 0.05, 0.2]])
    # Class 0 has names 0 and 2, class 1 names 1 and 3.
    np.testing.assert_allclose(np.exp(pool_synonyms(scores, [0, 1, 0, 1])), [[0.075, 0.25]])


def test_a_class_gains_nothing_by_more_names():
    scores = np.log([[0.1, 0.1, 0.1, 0.1]])
    np.testing.assert_allclose(np.exp(pool_synonyms(scores, [0, 0, 0, 1])), [[0.1, 0.1]])
    np.testing.assert_allclose(pool_synonyms(scores[:, :2], [0, 1]), scores[:, :2])
