"""The ledger as the page shows it: class by class, epoch by epoch, and what a file from before lacks."""

import json
import re
from html import unescape
from pathlib import Path

import pytest

from emovlm import UserError
from emovlm.report.folders import load
from emovlm.report.page import write_page
from emovlm.report.sampling import MOST_EPOCHS, sampled

from . import folders_made_up as made_up

HEAD_TO_TAIL = ("happy", "sad", "neutral", "angry", "surprise", "fear", "disgust")
TITLES = [
    "available clips",
    "asked",
    "drawn",
    "samples drawn",
    "distinct clips",
    "most repeated",
    "effective epochs",
    "class weight",
    "effective prior",
]


def ledger_of(folder: Path) -> dict:
    return json.loads((folder / "ledger.json").read_text())


def change(folder: Path, **values) -> None:
    (folder / "ledger.json").write_text(json.dumps(ledger_of(folder) | values))


def without(folder: Path, *keys: str) -> None:
    content = {key: value for key, value in ledger_of(folder).items() if key not in keys}
    (folder / "ledger.json").write_text(json.dumps(content))


def test_every_number_of_a_class_is_on_the_page(tmp_path: Path) -> None:
    """By hand for the rarest class, which is the last line: 8 of 40 samples from 6 clips."""
    folder = made_up.run(tmp_path / "run", per_class=3)
    change(
        folder,
        asked=[0.15, 0.15, 0.15, 0.15, 0.1, 0.205, 0.095],
        drawn=[6, 6, 6, 6, 4, 8, 4],
        distinct_clips=[6, 6, 6, 6, 4, 5, 4],
        most_draws_of_a_clip=[1, 1, 1, 1, 1, 3, 1],
        effective_epochs=[0.06, 0.06, 0.07, 0.08, 0.07, 1.333333, 0.1],
        class_weights=[1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 1.0],
        effective_prior=[0.167, 0.167, 0.167, 0.167, 0.111, 0.111, 0.11],
    )
    page = write_page(folder).read_text(encoding="utf-8")
    section = page[page.index('id="sampling"') : page.index('id="confusion"')]
    table = section[section.index('<table class="small stack">') : section.index("</table>")]
    assert re.findall(r'<th scope="col">([^<]+)</th>', table) == TITLES
    lines = re.findall(r"<tr><td[^>]*>([^<]+)</td>(.*?)</tr>", table)
    assert tuple(name for name, _ in lines) == HEAD_TO_TAIL
    assert re.findall(r'data-title="([^"]+)">([^<]+)<', lines[-1][1]) == list(
        zip(TITLES, ["6", "20.5%", "20.0%", "8", "5", "3 x", "1.33", "0.50", "11.1%"], strict=True)
    )
    assert "<details open><summary>" in section, "one arm is not folded away"


def test_epochs_are_shown_where_there_is_more_than_one(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=3)
    epochs = ledger_of(folder)["epochs"]
    epochs[1] |= {"drawn": [70, 70, 70, 70, 50, 30, 40], "asked": [0.17, 0.17, 0.17, 0.17, 0.12, 0.08, 0.12]}
    epochs[1] |= {"distinct_clips": [70, 70, 70, 70, 50, 6, 39], "most_repeated": {"row": 3, "times": 5}}
    change(folder, epochs=epochs)
    page = write_page(folder).read_text(encoding="utf-8")
    inner = page[page.index("Epoch by epoch") : page.index('id="confusion"')]
    second = inner[inner.index("<tr><td>2</td>") :]
    cells = re.findall(
        r'<td data-title="[a-z]+">(\d+)<span class="interval">asked ([\d.]+)</span>.*?distinct (\d+)', second
    )
    assert cells[-1] == ("30", "32.0", "6"), "8 % of the 400 samples of this epoch"
    assert '<td data-title="most repeated">5 x</td>' in second
    change(folder, epochs=epochs[:1])
    assert "Epoch by epoch" not in write_page(folder).read_text(encoding="utf-8")


def test_of_many_epochs_some_are_shown_and_it_is_said(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=3)
    epoch = ledger_of(folder)["epochs"][0]
    change(folder, epochs=[epoch | {"epoch": number} for number in range(60)])
    found = sampled(load(folder).arms[0], HEAD_TO_TAIL)
    assert [row.number for row in found.epochs] == [0, 5, 11, 16, 21, 27, 32, 38, 43, 48, 54, 59]
    assert len(found.epochs) == MOST_EPOCHS
    assert "12 of 60 epochs, evenly spread" in write_page(folder).read_text(encoding="utf-8")


def test_seeds_are_put_together(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), seeds=(0, 1, 2), per_class=3)
    for seed, (draws, most) in enumerate([(100, 4), (110, 9), (120, 5)]):
        run = folder / f"natural/seed{seed}"
        change(run, drawn=[draws, *ledger_of(run)["drawn"][1:]], most_draws_of_a_clip=[most, 1, 1, 1, 1, 1, 1])
    columns = dict(sampled(load(folder).arm("natural"), HEAD_TO_TAIL).columns)
    assert columns["samples drawn"][0] == "110"
    assert columns["most repeated"][0] == "9 x"
    page = unescape(write_page(folder).read_text(encoding="utf-8"))
    assert "Means over seeds; of the most repeated clip, the most in any of them." in page
    assert page.count("Epoch by epoch (first run)") == 2
    assert "<details open>" not in page


def test_a_ledger_from_before_shows_what_it_has(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=3)
    without(folder, "epochs", "class_weights", "effective_epochs", "most_draws_of_a_clip", "effective_prior")
    found = sampled(load(folder).arms[0], HEAD_TO_TAIL)
    assert [title for title, _ in found.columns] == TITLES[:5]
    assert found.epochs == ()
    page = write_page(folder).read_text(encoding="utf-8")
    assert 'data-title="samples drawn"' in page
    assert "Epoch by epoch" not in page


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": [{"epoch": 0}]}, r"ledger\.json: epochs: 'asked' is missing; run the study"),
        ({"class_weights": 1.0}, r"ledger\.json: 'class_weights' is 1\.0, must be of type list"),
    ],
)
def test_a_broken_ledger_is_named(tmp_path: Path, values: dict, message: str) -> None:
    folder = made_up.run(tmp_path / "run", per_class=3)
    change(folder, **values)
    with pytest.raises(UserError, match=message):
        load(folder)
