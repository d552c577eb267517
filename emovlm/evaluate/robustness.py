"""What the answers hang on beside the clip: does the model look, does the order of the listed classes move it, does it
say when it writes what it scores highest?

N clips.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from emovlm.data.synonyms import class_synonyms
from emovlm.evaluate.predictions import Predictions
from emovlm.metrics import recognition
from emovlm.metrics.collapse import frequent_and_rare

# Below this loss of UAR on a clip that shows nothing, or another one, the model can be said to ignore the video.
LOOKS = 0.02


def summary(labelled: Predictions) -> dict[str, Any]:
    """The parts of an evaluation's entry in report.json that its rows can fill."""
    rows, found = labelled.rows, {}
    if rows[0].get("look"):
        found["look"] = _look(labelled)
    if rows[0].get("words"):
        found["words"] = _words(labelled)
    if rows[0].get("orders"):
        found["orders"] = _orders(labelled)
    if "cut_off" in rows[0]:
        # Cut off by the token limit is counted apart: it is mended by a higher limit, and says nothing of the model.
        found["cut_off"] = sum(row["cut_off"] for row in rows)
        reasons = (row["unread"].partition(":")[0] for row in rows if row["unread"])
        found["unread"] = dict(Counter(reasons).most_common())
    return found


def agreement(written: Predictions, scored: Predictions) -> dict[str, Any]:
    """How often the text says what the scores say, by clip. A gap is a problem of format, not of emotion."""
    by_id = dict(zip((row["id"] for row in scored.rows), scored.predicted_N(), strict=True))
    pairs = [(text, by_id[row["id"]]) for row, text in zip(written.rows, written.predicted_N(), strict=True)]
    readable = [(text, score) for text, score in pairs if text != recognition.UNREADABLE]
    same = sum(text == score for text, score in readable)
    return {
        "num_clips": len(pairs),
        "readable": len(readable),
        "share": same / len(pairs),
        "share_of_readable": same / len(readable) if readable else None,
    }


def _look(labelled: Predictions) -> dict[str, Any]:
    """The scores on altered clips, and the share of clips with the same answer as before."""
    index = {name: c for c, name in enumerate(labelled.classes)}
    targets_N, before_N = labelled.targets_N(), labelled.predicted_N()
    uar = recognition.uar(recognition.confusion(targets_N, before_N, len(index)))
    altered = {}
    for name in labelled.rows[0]["look"]:
        answers_N = np.array([index[row["look"][name]] for row in labelled.rows])
        counts_CP = recognition.confusion(targets_N, answers_N, len(index))
        altered[name] = {
            "war": float(recognition.war(counts_CP)),
            "uar": float(recognition.uar(counts_CP)),
            "uar_change": float(recognition.uar(counts_CP) - uar),
            "same_answer": float((answers_N == before_N).mean()),
        }
    ignores = all(altered[name]["uar_change"] > -LOOKS for name in ("blank", "other_clip"))
    return {"altered": altered, "ignores_video": ignores}


def _words(labelled: Predictions) -> dict[str, Any]:
    """UAR and recalls where each class goes by its most frequent, and where it goes by its rarest word."""
    words = frequent_and_rare(class_synonyms(labelled.classes))
    index = {name: c for c, name in enumerate(labelled.classes)}
    found = {}
    for kind in labelled.rows[0]["words"]:
        answers_N = np.array([index[row["words"][kind]] for row in labelled.rows])
        counts_CP = recognition.confusion(labelled.targets_N(), answers_N, len(index))
        recalls = [float(recall) if np.isfinite(recall) else None for recall in recognition.recall_C(counts_CP)]
        found[kind] = {"words": words[kind], "uar": float(recognition.uar(counts_CP)), "recall": recalls}
    return found


def _orders(labelled: Predictions) -> dict[str, Any]:
    """The share of clips that are answered otherwise under some other order of the listed classes."""
    answers = [[name, *row["orders"]] for name, row in zip(_answered(labelled), labelled.rows, strict=True)]
    return {"num_orders": len(answers[0]), "flip_rate": float(np.mean([len(set(row)) > 1 for row in answers]))}


def _answered(labelled: Predictions) -> list[str]:
    return [labelled.classes[c] for c in labelled.predicted_N()]
