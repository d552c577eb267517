"""What stands behind the scores on the page: groups, classes, collapse, altered inputs, calibration, the protocol."""

import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from emovlm.report.calibration import calibrated
from emovlm.report.collapse import collapsed, correlation_note
from emovlm.report.folders import load
from emovlm.report.page import write_page
from emovlm.report.stamps import stamps

from . import folders_made_up as made_up

KEY = "test-likelihood"
SECTIONS = ("look", "prompt", "calibration")


def change(folder: Path, key: str = KEY, **values) -> None:
    report = json.loads((folder / "report.json").read_text())
    report["evaluations"][key] |= values
    (folder / "report.json").write_text(json.dumps(report))


def section(page: str, name: str) -> str:
    """The text of a section of the page, with one space between any two pieces."""
    inside = page[page.index(f'<section id="{name}">') :]
    inside = inside[: inside.index("</section>")]
    return " ".join(unescape(re.sub(r"<svg.*?</svg>|<[^>]*>", " ", inside, flags=re.S)).split())


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.run(tmp_path_factory.mktemp("full") / "run", full=True, per_class=10)


@pytest.fixture(scope="module")
def entry(full: Path) -> dict:
    return json.loads((full / "report.json").read_text())["evaluations"][KEY]


@pytest.fixture(scope="module")
def page(full: Path) -> str:
    return write_page(full).read_text(encoding="utf-8")


def test_groups_with_the_rule_of_their_cut_and_every_class(page: str, entry: dict) -> None:
    text = section(page, "recall")
    assert "many: happy 108, sad 99; medium: neutral 89, angry 79, surprise 60; few: fear 39, disgust 6." in text
    assert "thirds of the classes in order of training clips" in text
    for name in ("many", "medium", "few", "weighted_f1"):
        one = entry[name]
        assert f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]" in text
    assert f"{entry['top2']:.3f} {entry['soft']['kl']:.3f} {entry['soft']['cosine']:.3f}" in text
    # fear is the last class of the file and the last but one from head to tail
    c = 6
    numbers = [entry["precision"][c], entry["recall"][c]["value"], entry["f1"][c]]
    assert f"fear few 10 {entry['predicted'][c]} " + " ".join(f"{one:.3f}" for one in numbers) in text


def test_collapse_in_words_and_numbers(full: Path, page: str, entry: dict) -> None:
    text, found = section(page, "answers"), entry["collapse"]
    assert f"{found['evenness']:.3f} {found['kl_to_truth']:.3f}" in text
    for one in found["swallowed"]:
        assert f"{one['tail']}: {one['share']:.0%} as {one['head']}" in text
    for name in ("training_share", "word_frequency"):
        against = found["recall_against"][name]
        assert f"rho {against['rho']:.3f} p {against['p']:.3f}" in text
    assert correlation_note(7) in text
    assert "With 7 classes a correlation proves little" in text
    assert "|rho| must reach .79" in correlation_note(7)
    assert ".79" not in correlation_note(11)
    words = entry["words"]
    shift = words["rare"]["uar"] - words["frequent"]["uar"]
    assert f"natural {shift:+.3f} {words['frequent']['uar']:.3f} to {words['rare']['uar']:.3f}" in text
    assert words["rare"]["words"]["happy"] in text


def test_a_class_that_is_never_answered_is_named_with_its_seeds(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), seeds=(0, 1, 2), per_class=5)
    for seed in range(3):
        run = folder / f"natural/seed{seed}"
        own = json.loads((run / "report.json").read_text())["evaluations"][KEY]["collapse"]
        never = [["disgust", "fear"], ["disgust"], ["disgust"]][seed]
        against = {
            "training_share": {"rho": [0.5, 0.7, 0.6][seed], "p": 0.2, "num_classes": 7},
            "word_frequency": {"rho": None, "p": None, "num_classes": 7},
        }
        change(run, collapse=own | {"never_predicted": never, "evenness": 0.9 + seed / 100, "recall_against": against})
    found = collapsed(load(folder).arm("natural"), KEY)
    assert found is not None
    assert found.never == "disgust, fear (1 of 3 seeds)"
    assert found.evenness == "0.910"
    assert found.correlations == (("0.500 to 0.700", "0.200"), ("-", "-"))


def test_the_class_that_swallows_is_counted_over_all_seeds(tmp_path: Path) -> None:
    """By hand: of 2 x 5 clips of disgust 3 + 1 are answered happy, 2 + 3 sad, and one cannot be read."""
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), seeds=(0, 1), per_class=5)
    for seed, row in enumerate([[3, 2, 0, 0, 0, 0, 0], [1, 3, 0, 0, 0, 0, 0]]):
        run = folder / f"natural/seed{seed}"
        confusion = json.loads((run / "report.json").read_text())["evaluations"][KEY]["confusion"]
        confusion[5] = row
        confusion[6] = [0, 0, 0, 0, 0, 1, 4]  # fear goes to disgust only, which is of the tail itself
        change(run, confusion=confusion)
    found = collapsed(load(folder).arm("natural"), KEY)
    assert found is not None
    assert found.swallowed == ("disgust: 50% as sad", "fear: none as a class outside the tail")


def test_altered_inputs_and_a_model_that_does_not_look(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=10, full=True)
    page = write_page(folder).read_text(encoding="utf-8")
    text = section(page, "look")
    report = json.loads((folder / "natural/seed0/report.json").read_text())["evaluations"][KEY]
    for one in report["look"]["altered"].values():
        assert f"{one['uar_change']:+.3f} UAR {one['uar']:.3f} {one['same_answer']:.0%} as before" in text
        assert f"{one['war']:.3f}" in text
    stamp = stamps(load(folder), KEY)[0]
    assert stamp in text
    assert stamp.startswith(
        "Ignores the video: zero_shot. On a blank clip, and on another clip in its place, UAR falls"
    )
    assert f'<span class="stamp bad">{stamp}</span>' in page


def test_the_order_of_the_classes_and_text_against_scores(full: Path, page: str, entry: dict) -> None:
    text = section(page, "prompt")
    assert f"natural 4 {entry['orders']['flip_rate']:.1%}" in text
    agreed = json.loads((full / "report.json").read_text())["evaluations"]["test-generation-synonyms"]["agreement"]
    shares = f"{agreed['share']:.1%} {agreed['share_of_readable']:.1%}"
    unreadable = 70 - agreed["readable"]
    assert (
        f"natural test-generation-synonyms {agreed['readable']} of 70 {unreadable} answer tag not closed {shares}"
        in text
    )


def test_the_page_of_a_generation_audit_has_no_calibration_and_counts_what_was_cut_off(full: Path) -> None:
    page = write_page(full, key="test-generation-synonyms").read_text(encoding="utf-8")
    entry = json.loads((full / "report.json").read_text())["evaluations"]["test-generation-synonyms"]
    assert entry["cut_off"] > 0
    assert f'{entry["unreadable"]}<span class="interval">{entry["cut_off"]} cut off</span>' in page
    assert 'id="calibration"' not in page
    assert 'id="look"' not in page
    assert "agrees with the scores of those read" in section(page, "prompt")


def test_an_ece_never_stands_alone(full: Path, page: str, entry: dict) -> None:
    text, found = section(page, "calibration"), entry["calibration"]
    assert f"{found['ece']:.3f} perfect {found['expected_ece']:.3f}" in text
    assert f"{np.mean(found['classwise_ece']):.3f} {found['nll']:.3f} {found['brier']:.3f}" in text
    after = found["temperature"]
    assert f"0.40 {after['ece']:.3f}" in text
    assert f"{after['nll']:.3f} {after['brier']:.3f}" in text
    assert "fitted on the validation split" in text
    bins = [b for b, count in enumerate(found["reliability"]["count"]) if count]
    drawn = re.search(r'aria-label="Reliability of natural\. ([^"]*)"', page)
    assert drawn
    assert drawn[1].count(";") == len(bins) - 1
    b = bins[0]
    first = [found["reliability"][name][b] for name in ("confidence", "accuracy")]
    assert f"bin by bin: {first[0]:.2f}, {first[1]:.2f}, {found['reliability']['count'][b]}" in drawn[1]


def test_the_expected_ece_after_the_temperature_stands_beside_it_where_it_is_known(full: Path, entry: dict) -> None:
    found = entry["calibration"]
    change(full, calibration=found | {"temperature": found["temperature"] | {"expected_ece": 0.0421}})
    one = calibrated(load(full).arms[0], KEY)
    assert one is not None
    assert ("ECE after", f"{found['temperature']['ece']:.3f}", ("perfect 0.042",)) in one.cells
    change(full, calibration=found)


def test_reliability_of_several_seeds_is_of_all_their_answers(tmp_path: Path) -> None:
    """By hand: 1 answer at .5 that is right and 3 at .6 of which a third are; the other bins of the first are empty."""
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), seeds=(0, 1), per_class=5)
    bars = (
        {"count": [0, 1], "confidence": [None, 0.5], "accuracy": [None, 1.0]},
        {"count": [2, 3], "confidence": [0.4, 0.6], "accuracy": [0.5, 1 / 3]},
    )
    for seed, reliability in enumerate(bars):
        run = folder / f"natural/seed{seed}"
        own = json.loads((run / "report.json").read_text())["evaluations"][KEY]["calibration"]
        change(run, calibration=own | {"reliability": reliability, "ece": [0.1, 0.2][seed]})
    found = calibrated(load(folder).arm("natural"), KEY)
    assert found is not None
    assert found.ece == "0.150"
    assert [(one.number, one.count) for one in found.bins] == [(0, 2), (1, 4)]
    assert found.bins[1].confidence == pytest.approx((0.5 + 3 * 0.6) / 4)
    assert found.bins[1].accuracy == pytest.approx(0.5)


def test_the_protocol_is_listed_and_says_where_arms_differ(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=5)
    page = write_page(folder).read_text(encoding="utf-8")
    listed = dict(re.findall(r"<div><dt>([^<]*)</dt><dd>([^<]*)</dd></div>", page))
    assert listed["question"] == "Which emotion does the person show?"
    assert listed["frames"] == "pick uniform, keep 8"
    assert listed["train"] == "none (zero_shot); lora (natural, class_balanced)"
    assert listed["num rows"] == "35"
    assert listed["fold"] == "none"
    assert listed["model"] == "tiny"
    assert "/data/models" not in page


def test_a_folder_from_before_has_a_page_without_any_of_it(tmp_path: Path) -> None:
    page = write_page(made_up.before(made_up.run(tmp_path / "run", per_class=5))).read_text(encoding="utf-8")
    for name in SECTIONS:
        assert f'id="{name}"' not in page
    for words in ("Groups and further scores", "Precision, recall and F1", "Collapse", ">Protocol<", " cut off<"):
        assert words not in page
    assert "Brackets: 95 % bootstrap over subjects, 1000 draws." in page


def test_a_study_of_folds_says_so_and_has_both_numbers(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), folds=2, per_class=12, full=True)
    page = write_page(folder).read_text(encoding="utf-8")
    assert "test-likelihood, pooled over folds (2)</div>" in page
    assert "Values are pooled over folds; mean of folds: the mean of each fold&#39;s own score." in page
    folds = [
        json.loads((folder / f"natural/fold{fold}/seed0/report.json").read_text())["evaluations"][KEY]
        for fold in (1, 2)
    ]
    means = [sum(fold[metric]["value"] for fold in folds) / 2 for metric in ("war", "uar", "macro_f1", "tail_recall")]
    body = page[page.index('<table class="stack">') : page.index("</table>")]
    natural = next(line for line in re.findall(r"<tr><td>.*?</tr>", body, flags=re.S) if "natural</span>" in line)
    assert re.findall(r"mean of folds ([\d.]+)", natural) == [f"{one:.3f}" for one in means]
    hits = sum(fold["confusion"][c][c] for fold in folds for c in range(7))
    assert re.findall(r'"value">([\d.]+)', natural)[0] == f"{hits / 84:.3f}"
    listed = dict(re.findall(r"<div><dt>([^<]*)</dt><dd>([^<]*)</dd></div>", page))
    assert listed["fold"] == "1, 2"
    assert "mean of folds" not in section(page, "recall")


def test_a_model_that_looks_in_some_seeds_only_is_counted(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), seeds=(0, 1), per_class=5, full=True)
    own = json.loads((folder / "natural/seed1/report.json").read_text())["evaluations"][KEY]["look"]
    change(folder / "natural/seed1", look=own | {"ignores_video": True})
    assert stamps(load(folder), KEY)[0].startswith("Ignores the video: natural (1 of 2 seeds), zero_shot. On a blank")
