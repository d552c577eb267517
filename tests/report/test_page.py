"""The page: its numbers, its safety, its sameness, what it says of folders that lack something."""

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from emovlm.report.page import write_page
from emovlm.report.records import METRICS

from . import folders_made_up as made_up


class Attributes(HTMLParser):
    """The names of all attributes of a page, as a browser would read them."""

    def __init__(self) -> None:
        super().__init__()
        self.names = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.update(name for name, _ in attrs)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("one")
    return made_up.study(root, media=made_up.drawn_faces(root / "faces"))


@pytest.fixture(scope="module")
def html(study: Path) -> str:
    return write_page(study).read_text(encoding="utf-8")


def test_the_table_has_the_numbers_of_report_json(study: Path, html: str) -> None:
    body = html[html.index('<table class="stack">') : html.index("</table>")]
    lines = re.findall(r"<tr><td>.*?</tr>", body, flags=re.S)
    arms = ["zero_shot", "natural", "square_root", "class_balanced", "tail_oversampling"]
    assert len(lines) == len(arms)
    for arm, line in zip(arms, lines, strict=True):
        assert arm in line
        scores = json.loads((study / arm / "seed0/report.json").read_text())["evaluations"]["test-likelihood"]
        shown = re.findall(r'"value">([\d.]+)<.*?"interval">\[([\d.]+), ([\d.]+)\]', line, flags=re.S)
        expected = [tuple(f"{scores[m][part]:.3f}" for part in ("value", "low", "high")) for m in METRICS]
        assert shown == expected
    assert "control" in lines[1]
    assert "untrained" in lines[0]


def test_the_contrast_is_the_difference_of_the_two_values(study: Path, html: str) -> None:
    value = {}
    for arm in ("class_balanced", "natural"):
        report = json.loads((study / arm / "seed0/report.json").read_text())
        value[arm] = report["evaluations"]["test-likelihood"]["uar"]["value"]
    section = html[html.index('id="contrast"') : html.index('id="recall"')]
    assert "class_balanced minus natural" in section
    assert f"{value['class_balanced'] - value['natural']:+.3f}" in section


def test_one_seed_is_stamped_and_the_tail_is_named(html: str) -> None:
    assert "One seed: a demonstration, not a claim of significance." in html
    assert "Tail by training clips: fear 39, disgust 6." in html


def test_the_page_asks_for_nothing(html: str) -> None:
    links = re.findall(r'\b(?:src|href|srcset|data|action|poster)\s*=\s*"([^"]*)"', html)
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy
    assert unescape(policy[1]).startswith("default-src 'none'; ")
    assert html.count("<script") == html.count("<script>") == 1
    assert all(address.startswith("#") for address in re.findall(r"url\(([^)]*)\)", html))


def test_every_id_is_there_once_and_every_reference_resolves(html: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]*)', html)) <= set(ids)


def test_it_is_small_and_has_frames_and_every_figure(html: str) -> None:
    assert len(html) < 3_000_000
    assert html.count('src="data:image/jpeg;base64,') == 8 * (3 + 4)  # two tail classes and the head, and the hardest
    assert html.count("<svg role") == 2 + 5 + 4 + 5 + 4  # recall, reliability, drawn, confusion, two curves
    assert html.count('aria-label="') >= 20


def test_two_writes_give_the_same_bytes(study: Path, html: str) -> None:
    assert write_page(study).read_bytes() == html.encode("utf-8")
    assert not list(study.glob(".report.html*"))


def test_values_from_files_are_escaped(tmp_path: Path) -> None:
    names = ("<script>alert(1)</script>", '" onload="x', "a & b", "$x_1$", "-->", "{{ 7 * 7 }}", "f\u00e9ar")
    folder = made_up.study(tmp_path, classes=names, arms=("natural", "class_balanced"), per_class=4)
    page = write_page(folder).read_text(encoding="utf-8")
    assert page.count("<script") == 1
    reader = Attributes()
    reader.feed(page)
    assert "onload" not in reader.names
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for name in names:
        assert name in unescape(page)


def test_several_seeds_show_mean_and_range(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, seeds=(0, 1, 2), arms=("natural", "class_balanced"))
    page = write_page(folder).read_text(encoding="utf-8")
    values = []
    for seed in (0, 1, 2):
        report = json.loads((folder / f"natural/seed{seed}/report.json").read_text())
        values.append(report["evaluations"]["test-likelihood"]["uar"]["value"])
    assert f'"value">{sum(values) / 3:.3f}<' in page
    assert f"seeds {min(values):.3f} to {max(values):.3f}" in page
    assert "3 seeds (0, 1, 2)" in page
    assert "One seed" not in page


def test_a_single_run_and_one_without_ledger_and_log(tmp_path: Path) -> None:
    trained = write_page(made_up.run(tmp_path / "trained")).read_text(encoding="utf-8")
    assert 'id="sampling"' in trained
    assert 'id="contrast"' not in trained
    untrained = write_page(made_up.run(tmp_path / "as_it_is", arm="zero_shot")).read_text(encoding="utf-8")
    assert 'id="sampling"' not in untrained
    assert 'id="curves"' not in untrained
    assert "without any training" in untrained
    assert "Untrained: there is no seed to vary." in untrained


def test_a_clip_that_has_gone_is_said_and_its_folder_is_not(tmp_path: Path) -> None:
    gone = {f"test/{number:04d}": ["/home/somebody/private/clip.mp4"] for number in range(280)}
    page = write_page(made_up.run(tmp_path / "run", media=gone)).read_text(encoding="utf-8")
    assert "Frames cannot be shown: " in page
    assert "somebody" not in page


def test_a_selection_on_the_test_split_is_stamped(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run")
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps(report | {"selected_on": "test"}))
    assert "Selected on the test split" in write_page(folder).read_text(encoding="utf-8")


def test_arms_of_unequal_length_are_stamped(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=4)
    file = folder / "natural/seed0/report.json"
    report = json.loads(file.read_text())
    report["train"]["num_steps"] = 61
    file.write_text(json.dumps(report))
    assert "natural 61, class_balanced 60" in write_page(folder).read_text(encoding="utf-8")


def test_unreadable_answers_have_their_own_column(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=4)
    report = json.loads((folder / "report.json").read_text())
    entry = report["evaluations"]["test-likelihood"]
    row = next(c for c, counts in enumerate(entry["confusion"]) if counts[c])
    entry["confusion"][row][row] -= 1
    entry["unreadable"] = 1
    (folder / "report.json").write_text(json.dumps(report))
    page = write_page(folder).read_text(encoding="utf-8")
    assert "Columns: happy, sad, neutral, angry, surprise, fear, disgust, unreadable." in page
    assert '<td data-title="Unreadable">1</td>' in page


def test_a_tail_without_clips_has_no_number(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=4)
    report = json.loads((folder / "report.json").read_text())
    entry = report["evaluations"]["test-likelihood"]
    entry["tail_recall"] = None
    entry["recall"][5] = None
    entry["num_classes_present"] = 6
    (folder / "report.json").write_text(json.dumps(report))
    page = write_page(folder).read_text(encoding="utf-8")
    assert "Means are over the 6 classes present of 7." in page
    assert 'data-title="Tail recall"><span class="value">-</span>' in page
