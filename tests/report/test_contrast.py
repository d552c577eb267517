"""The named contrast of a study, and its arms' means over seeds, from the files of a folder."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from emovlm import UserError
from emovlm.evaluate.predictions import Predictions
from emovlm.evaluate.summary import summarise
from emovlm.metrics import recognition
from emovlm.report.contrast import arm_scores, contrast, statistics_of
from emovlm.report.entries import evaluation
from emovlm.report.folders import load, run_predictions
from emovlm.report.records import FURTHER, METRICS

from . import folders_made_up as made_up

KEY = "test-likelihood"


def test_the_intervals_of_a_study_enclose_their_values(tmp_path: Path) -> None:
    study = load(made_up.study(tmp_path, seeds=(0, 1), arms=("natural", "class_balanced")))
    named = contrast(study, KEY)
    assert named is not None
    assert named.num_clips == 280
    for metric, found in named.differences.items():
        first, second = (
            np.mean([run.evaluations[KEY].scores[metric].value for run in study.arm(name).runs])
            for name in ("class_balanced", "natural")
        )
        assert found.value == pytest.approx(first - second)
        assert found.low < found.value < found.high
        assert found.p is not None
        assert found.p < 0.05
    assert named.basis.startswith(
        "Interval: 95 %, subjects and seeds resampled (1000 draws). p: the answers swapped by s"
    )
    arm = study.arm("natural")
    found = arm_scores(arm, KEY)
    scores, recall_C = found.scores, found.recall_C
    assert found.resampled == "95 % bootstrap over subjects and seeds, 1000 draws"
    assert tuple(scores) == (*METRICS, *FURTHER)
    for name, score in scores.items():
        values = [run.evaluations[KEY].scores[name].value for run in arm.runs]
        assert score.value == pytest.approx(sum(values) / 2)
        assert score.low < score.value < score.high
    for c, score in enumerate(recall_C):
        assert score is not None
        single = [run.evaluations[KEY].recall_C[c] for run in arm.runs]
        assert score.value == pytest.approx(sum(one.value for one in single if one is not None) / 2)
        assert score.low <= score.value <= score.high


def test_what_is_resampled_is_what_the_files_score(tmp_path: Path) -> None:
    """On classes of unequal size, where no two of the scores agree."""
    run = load(made_up.run(tmp_path / "run", per_class=12)).arms[0].runs[0]
    found = run_predictions(run, KEY)
    kept = [row for n, row in enumerate(found.rows) if n % 12 <= n // 12 + 4]
    entry = summarise(Predictions(found.header, kept), np.array(made_up.TRAIN_COUNTS))
    predicted = Predictions(found.header, kept)
    counts_CP = recognition.confusion(predicted.targets_N(), predicted.predicted_N(), 7)
    values = {name: float(of(counts_CP)) for name, of in statistics_of(evaluation(KEY, entry, tmp_path)).items()}
    assert values == pytest.approx({name: entry[name]["value"] for name in (*METRICS, *FURTHER)})
    assert len({round(value, 6) for value in values.values()} - {round(values["few"], 6)}) == len(values) - 2


def test_one_run_has_the_numbers_of_its_file(tmp_path: Path) -> None:
    arm = load(made_up.run(tmp_path / "run", per_class=6)).arms[0]
    found = arm_scores(arm, KEY)
    assert found.resampled == "95 % bootstrap over subjects, 1000 draws"
    assert found.scores == arm.runs[0].evaluations[KEY].scores
    assert tuple(found.recall_C) == arm.runs[0].evaluations[KEY].recall_C


def test_a_contrast_with_zero_shot_has_no_p(tmp_path: Path) -> None:
    study = load(made_up.study(tmp_path, seeds=(0, 1), arms=("natural", "class_balanced"), per_class=6))
    named = contrast(dataclasses.replace(study, contrast=("natural", "zero_shot")), KEY)
    assert named is not None
    assert {found.p for found in named.differences.values()} == {None}
    assert "No p" in named.basis


def test_arms_are_matched_by_id_not_by_line(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=5)
    before = contrast(load(folder), KEY)
    path = folder / "natural/seed0/eval" / KEY / "predictions.jsonl"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(rows)]) + "\n")
    assert contrast(load(folder), KEY) == before
    path.write_text("\n".join([header, *rows[1:]]) + "\n")
    with pytest.raises(UserError, match=r"predictions\.jsonl: holds 34 rows, of 35 that were scored"):
        contrast(load(folder), KEY)


def test_a_tail_without_a_clip_has_no_difference(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=5)
    for path in folder.glob("*/seed0"):
        predictions = path / "eval" / KEY / "predictions.jsonl"
        header, *rows = predictions.read_text().splitlines()
        kept = [row for row in rows if json.loads(row)["target"] not in ("fear", "disgust")]
        told = json.loads(header)
        told["protocol"] |= {"num_rows": len(kept), "ids_hash": None}
        predictions.write_text("\n".join([json.dumps(told), *kept]) + "\n")
    named = contrast(load(folder), KEY)
    assert named is not None
    assert np.isnan(named.differences["tail_recall"].value)
    assert named.differences["tail_recall"].p is None
    assert np.isfinite(named.differences["uar"].value)
