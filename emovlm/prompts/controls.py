"""Controls of enrichment: each public function is an arm of a study, named in `enrich.control`. Pure.

`(given) -> arrangement`: which frames stand in the prompt and which texts between them. A gain of the texts counts only
against these: more words, more tokens, another clip's words and the frames themselves could all have brought it.
"""

from __future__ import annotations

from dataclasses import replace

from emovlm.prompts.arrangement import WHOLE, Arrangement, Given

# These say nothing about the clip, so that they need no texts; the others of `LOOK_BETWEEN` look at more frames.
WITHOUT_TEXTS = frozenset({"keyframes_only", "repeated_frames", "dense"})
LOOK_BETWEEN = frozenset({"repeated_frames", "dense", "dense_equal_tokens"})
# Unrelated to faces, feelings and time, so that no part of it can help.
_UNRELATED = """the quarry road runs past two brick kilns and a long wooden barn with a slate roof beside the canal
where gravel is loaded on flat boats near the old pump house under tall poplars and a rusted iron bridge carries the
narrow railway over the lock toward the paper mill whose chimney stands between stacked timber and a row of sheds with
copper gutters and tiled floors behind the market hall of the lower town"""


def texts_of_another_clip(given: Given) -> Arrangement:
    """Texts of the same kind about another clip, gap by gap; where that has fewer, its texts come again."""
    others = replace(given, texts=given.others)
    gaps = others.gaps()
    texts = {gap: given.others[gaps[k % len(gaps)]] for k, gap in enumerate(given.gaps())} if gaps else {}
    if WHOLE in given.texts and WHOLE in given.others:
        texts[WHOLE] = given.others[WHOLE]
    return Arrangement(given.own_K, texts)


def shuffled_order(given: Given) -> Arrangement:
    """The clip's own texts in another order; one about the whole clip would tell the order and is left out."""
    texts, rng = given.in_order(), given.rng()
    shuffled = texts
    while shuffled == texts and len(set(texts)) > 1:
        shuffled = [texts[place] for place in rng.permutation(len(texts))]
    return Arrangement(given.own_K, given.dealt(shuffled))


def reversed(given: Given) -> Arrangement:
    """The clip's own texts from the last to the first, without one about the whole clip."""
    return Arrangement(given.own_K, given.dealt(given.in_order()[::-1]))


def static(given: Given) -> Arrangement:
    """The middle text of the clip in every place: something that was seen, but nothing of how it went."""
    texts = given.in_order()
    return Arrangement(given.own_K, given.dealt([texts[len(texts) // 2]] * len(texts) if texts else []))


def texts_of_keyframes(given: Given) -> Arrangement:
    """More words and no new information: the describer was shown the nearest chosen frames in place of the others."""
    return Arrangement(given.own_K, given.texts)


def irrelevant(given: Given) -> Arrangement:
    """Unrelated text with as many words in every place."""
    words, rng = _UNRELATED.split(), given.rng()

    def unrelated(text: str) -> str:
        start, count = int(rng.integers(len(words))), len(text.split())
        return " ".join(words[(start + place) % len(words)] for place in range(count))

    return Arrangement(given.own_K, {gap: [unrelated(text) for text in texts] for gap, texts in given.texts.items()})


def texts_only(given: Given) -> Arrangement:
    """No frame at all."""
    return Arrangement((), given.texts)


def keyframes_only(given: Given) -> Arrangement:
    """No text at all."""
    return Arrangement(given.own_K, {})


def repeated_frames(given: Given) -> Arrangement:
    """As many frames as `dense`, each in-between one replaced by the chosen one nearest to it: tokens without news."""
    nearest = [min(given.own_K, key=lambda own: (abs(own - place), own)) for place in given.all_N()]
    return Arrangement(tuple(nearest), {})


def dense(given: Given) -> Arrangement:
    """The in-between frames as pixels."""
    return Arrangement(tuple(given.all_N()), {})


def dense_equal_tokens(given: Given) -> Arrangement:
    """As many in-between frames as pixels as the texts would pay for, spread evenly over all of them."""
    skipped = sorted(set(given.all_N()) - set(given.own_K))
    count = min(len(skipped), given.text_tokens // max(given.frame_tokens, 1))
    extra = {skipped[(2 * place + 1) * len(skipped) // (2 * count)] for place in range(count)}
    return Arrangement(tuple(sorted({*given.own_K, *extra})), {})


def true_units(given: Given) -> Arrangement:
    """The annotated action units in place of what a describer saw: what a perfect one could bring."""
    return Arrangement(given.own_K, given.texts)
