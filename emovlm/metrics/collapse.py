"""Does a model answer with a few head classes only? From count tables and histograms. Pure: arrays in, arrays out.

C: classes. P = C + 1: predicted class, and a last column for unreadable answers, see recognition.py.
A histogram_C is how often each class was predicted (`recognition.predicted_C`) or is true (`support_C`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import entr, rel_entr
from scipy.stats import permutation_test, rankdata

from emovlm.metrics.recognition import predicted_C, row_normalised, support_C


class Swallowed(NamedTuple):
    """`share` of the rows of class `tail` were predicted as class `head`, which takes the most; None: no head does."""

    tail: int
    head: int | None
    share: float


class Correlation(NamedTuple):
    """Spearman's rho over `num_classes` classes; nan where it is not defined."""

    rho: float
    p: float
    num_classes: int


class Alarms(NamedTuple):
    """stopped: classes that were predicted before and are not now; entropy_fell: the evenness fell below the bound."""

    stopped: list[int]
    entropy_fell: bool


def entropy(histogram_C: Any) -> float:
    """Entropy of a histogram in nats, in [0, log C]: 0 where only one class occurs; nan without an entry."""
    return float(entr(_shares_C(histogram_C)).sum())


def evenness(histogram_C: Any) -> float:
    """Entropy relative to log C, in [0, 1]: 1 where all classes occur equally often. Pielou 1966."""
    if len(histogram_C) < 2:
        return float("nan")  # a single class is neither even nor uneven
    return entropy(histogram_C) / float(np.log(len(histogram_C)))


def kl_to_truth(counts_CP: np.ndarray) -> float:
    """KL(predicted || true) over the classes that have rows, in nats, at least 0: 0 where both histograms agree.

    Answers that are unreadable or name a class without rows are not in it: one of the latter would make it infinite.
    nan where no answer is left.
    """
    present_C = support_C(counts_CP) > 0
    predicted = _shares_C(predicted_C(counts_CP)[present_C])
    return float(rel_entr(predicted, _shares_C(support_C(counts_CP)[present_C])).sum())


def never_predicted(counts_CP: np.ndarray) -> list[int]:
    """Classes that have rows and were not predicted once."""
    return np.flatnonzero((support_C(counts_CP) > 0) & (predicted_C(counts_CP) == 0)).tolist()


def swallowed(counts_CP: np.ndarray, is_tail_C: np.ndarray) -> list[Swallowed]:
    """For each tail class that has rows, the class outside the tail it is most often taken for; ties by class order."""
    is_tail_C = np.asarray(is_tail_C, dtype=bool)
    shares_CP = row_normalised(counts_CP)
    heads = np.flatnonzero(~is_tail_C)
    found = []
    for tail in np.flatnonzero(is_tail_C & (support_C(counts_CP) > 0)):
        shares = shares_CP[tail, heads]
        head = int(heads[shares.argmax()]) if shares.any() else None
        found.append(Swallowed(int(tail), head, float(shares.max(initial=0.0))))
    return found


def rank_correlation(recall_C: np.ndarray, other_C: np.ndarray, seed: int = 0) -> Correlation:
    """Spearman's rho of recall with what a class has, such as its training share or how common its name is in text.

    With 7 classes it proves little (|rho| must reach .79 for p < .05, and classes differ in more than this one thing):
    say n and p beside it. p is two-sided, over all orders of the classes up to 8, over 10,000 drawn ones above:
    scipy's own approximation would give 0 for a perfect order of three classes, where it is 1/3.
    Classes without a recall (nan) are left out. nan below three classes, or where either side is constant.
    """
    recall_C, other_C = np.asarray(recall_C, dtype=np.float64), np.asarray(other_C, dtype=np.float64)
    defined_C = ~np.isnan(recall_C)
    first, second = rankdata(recall_C[defined_C]), rankdata(other_C[defined_C])
    num = len(first)
    if num < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return Correlation(np.nan, np.nan, num)
    num_orders = 40_320 if num <= 8 else 10_000  # 8!
    tested = permutation_test(
        (first - first.mean(),),
        lambda order, axis: (order * (second - second.mean())).sum(axis=axis),
        permutation_type="pairings",
        n_resamples=num_orders,
        vectorized=True,
        rng=seed,
    )
    rho = np.corrcoef(first, second)[0, 1]  # of ranks: Spearman's
    return Correlation(float(rho), float(tested.pvalue), num)


def word_frequency(names: Sequence[str], language: str = "en") -> np.ndarray:
    """zipf_C: how common each class name is in text, as log10 of its occurrences in a billion words; 0: not known.

    From the word lists of `wordfreq`. Of a name of several words it is wordfreq's estimate for the phrase,
    1 / (1/f_1 + 1/f_2 + ..): below its rarest word, and too high, as few words that often occur do so side by side.
    """
    from wordfreq import zipf_frequency  # 0.5 s, and nobody else needs it

    return np.array([zipf_frequency(name.replace("_", " "), language) for name in names])


def frequent_and_rare(words_of: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """{"frequent" | "rare": {class: word}}: of the words of each class the most and the least common in text.

    A correlation over a handful of classes proves little; the same clips scored by the one and by the other word show
    what frequency does to a class. A class of one word goes by it in both.
    """
    zipf_of = {name: word_frequency(words) for name, words in words_of.items()}
    return {
        kind: {name: words[int(pick(zipf_of[name]))] for name, words in words_of.items()}
        for kind, pick in (("frequent", np.argmax), ("rare", np.argmin))
    }


def alarms(before_C: Any, now_C: Any, entropy_bound: float) -> Alarms:
    """What went wrong between two successive predicted histograms of the same rows.

    entropy_bound: of the evenness (entropy / log C, in [0, 1]); raised when it is crossed, not each time it is below.
    """
    before_C, now_C = np.asarray(before_C), np.asarray(now_C)
    assert before_C.shape == now_C.shape, "histograms over the same classes"
    stopped = np.flatnonzero((before_C > 0) & (now_C == 0)).tolist()
    return Alarms(stopped, bool(evenness(before_C) >= entropy_bound > evenness(now_C)))


def _shares_C(histogram_C: Any) -> np.ndarray:
    histogram_C = np.asarray(histogram_C, dtype=np.float64)
    assert (histogram_C >= 0).all(), "a histogram counts"
    total = histogram_C.sum()
    return histogram_C / total if total else np.full(len(histogram_C), np.nan)
