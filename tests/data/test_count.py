"""Counts beside published ones; the published tables themselves, whose sums were worked by hand."""

import importlib
from collections import Counter

import pytest
from typer.testing import CliRunner

from emovlm import cli, lookup
from emovlm.data.count import Count, count, verdict
from emovlm.data.sources import crema_d, dfew, ferv39k, mafw, meld, mer2023, ravdess
from emovlm.recipe import Data

from . import layouts

PUBLISHING = [
    name
    for name in lookup.SOURCE.names()
    if hasattr(importlib.import_module(f"emovlm.data.sources.{name}"), "PUBLISHED")
]


def totals(published):
    return {split: sum(part.values()) for split, part in published.items()}


@pytest.mark.parametrize("name", PUBLISHING)
def test_a_published_table_names_splits_and_an_argument_of_the_source(name):
    module = importlib.import_module(f"emovlm.data.sources.{name}")
    by = getattr(module, "PUBLISHED_BY", None)
    if by is not None:
        assert by in lookup.parameters(lookup.SOURCE, name)
    for published in module.PUBLISHED.values() if by else [module.PUBLISHED]:
        assert set(published) <= {"all", "train", "validation", "test"}
        for part in published.values():
            assert all(number > 0 for number in part.values())


def test_dfew():
    assert [totals(dfew.PUBLISHED[fold])["test"] for fold in range(1, 6)] == [2341, 2341, 2340, 2339, 2336]
    assert sum(totals(dfew.PUBLISHED[fold])["test"] for fold in range(1, 6)) == 11_697
    assert all(sum(totals(folds).values()) == 11_697 for folds in dfew.PUBLISHED.values())
    first = dfew.PUBLISHED[1]
    both = {name: first["train"][name] + first["test"][name] for name in dfew.CLASSES}
    assert both == {
        "happy": 2445,
        "sad": 1894,
        "neutral": 2669,
        "angry": 2173,
        "surprise": 1469,
        "disgust": 145,
        "fear": 902,
    }
    assert dfew.NAMES["1"] == "happy"
    assert dfew.NAMES["7"] == "fear"
    # Every clip is tested once.
    assert sum((Counter(folds["test"]) for folds in dfew.PUBLISHED.values()), Counter()) == both


def test_ferv39k():
    assert totals(ferv39k.PUBLISHED) == {"train": 31_088, "test": 7_847}
    assert ferv39k.PUBLISHED["train"]["Neutral"] == 7790
    assert ferv39k.PUBLISHED["test"]["Fear"] == 431


def test_mafw():
    assert [totals(mafw.PUBLISHED[fold])["test"] for fold in range(1, 6)] == [1839, 1837, 1833, 1832, 1831]
    assert all(sum(totals(folds).values()) == 9172 for folds in mafw.PUBLISHED.values())
    tested = sum((Counter(folds["test"]) for folds in mafw.PUBLISHED.values()), Counter())
    assert list(tested.values()) == [1390, 639, 625, 1242, 1138, 1470, 1072, 236, 916, 262, 182]
    assert list(tested) == mafw.CLASSES


def test_crema_d():
    assert crema_d.PUBLISHED["intended"]["all"] == dict.fromkeys(crema_d.CLASSES, 1271) | {"neutral": 1087}
    # 644, 470 and 420 clips have no single majority.
    assert {by: sum(part["all"].values()) for by, part in crema_d.PUBLISHED.items()} == {
        "intended": 7442,
        "audio": 7442 - 644,
        "picture": 7442 - 470,
        "both": 7442 - 420,
    }


def test_ravdess():
    speech = ravdess.PUBLISHED["speech"]["all"]
    assert speech == dict.fromkeys(ravdess.CLASSES, 192) | {"neutral": 96}
    # 60 trials of each of 24 actors; 44 songs of each of 23.
    assert [sum(part["all"].values()) for part in ravdess.PUBLISHED.values()] == [24 * 60, 23 * 44, 24 * 60 + 23 * 44]


def test_meld_and_mer2023():
    assert totals(meld.PUBLISHED) == {"train": 9989, "validation": 1109, "test": 2610}
    assert [totals(part) for part in mer2023.PUBLISHED.values()] == [{"test": 411}, {"test": 412}]


def test_differences_are_named_and_marked():
    found = {"train": Counter(a=3, b=2), "validation": Counter(a=1), "test": Counter({"a": 1, None: 2})}
    one = Count("a set", ["a", "b"], found, {"train": {"a": 4, "b": 3}, "test": {"a": 1, "b": 0}})
    # The validation rows come out of the training rows: 3 + 1 of class a are the published 4.
    assert one.differences() == ["train: b 2 for 3"]
    assert verdict([one]) == "DIFFERS from what is published: a set: train: b 2 for 3"
    header, cells = [[*column.cells] for column in one.table().columns][::2][:2]
    assert header == ["a", "b", "all classes", "(no label)"]
    assert cells == ["4", "2 (-1)", "6 (-1)", "0"]
    assert one.table().columns[2].header == "train + validation"
    # The test rows without a label are counted, and no difference.
    assert list(one.table().columns[4].cells)[-1] == "2"
    alike = Count("a set", ["a", "b"], found, {"train": {"a": 4, "b": 2}})
    assert alike.differences() == []
    assert verdict([alike]) == "every number is the published one"
    whole = Count("a set", ["a", "b"], found, {"all": {"a": 5, "b": 2}})
    assert whole.differences() == []
    assert "nothing is published" in verdict([Count("a folder", ["a"], found, {})])
    # A class that the published table lacks differs too, and so do rows without a label where it counts them.
    assert Count("a set", ["a", "b"], found, {"all": {"a": 5}}).differences() == ["all: b 2 for 0"]
    published = {"all": {"a": 5, "b": 2, None: 3}}
    assert Count("a set", ["a", "b"], found, published).differences() == ["all: (no label) 2 for 3"]


def test_every_fold_of_a_set_that_ships_them(tmp_path):
    counts = count(Data.model_validate({"source": "dfew", **layouts.module("dfew").write(tmp_path)}))
    assert [one.title for one in counts] == [f"dfew, fold {fold}" for fold in range(1, 6)]
    assert counts[0].found["test"]["happy"] == 2
    assert "train: happy 8 for 1956, sad 4 for 1515" in counts[0].differences()[0]


def test_rows_whose_files_are_missing_are_counted_and_said(tmp_path):
    args = layouts.module("dfew").write(tmp_path)
    (tmp_path / "Clip" / "original" / "3.mp4").unlink()
    counts = count(Data.model_validate({"source": "dfew", **args}))
    assert counts[0].found["train"]["happy"] == 8
    assert verdict(counts).endswith("; 1 files are missing (emovlm data check names them)")


def test_the_set_is_counted_uncut(tmp_path):
    args = layouts.module("crema_d").write(tmp_path) | {"imbalance": {"ratio": 2}, "test_subset": {"per_class": 1}}
    (one,) = count(Data.model_validate({"source": "crema_d", **args, "label": "picture"}))
    assert one.title == "crema_d, label picture"
    assert sum(sum(part.values()) for part in one.found.values()) == 60


def test_the_set_is_counted_under_its_own_classes(tmp_path):
    args = layouts.module("crema_d").write(tmp_path) | {"label": "intended"}
    table = dict.fromkeys(crema_d.CLASSES) | {crema_d.CLASSES[0]: "bad", crema_d.CLASSES[1]: "worse"}
    (mapped,) = count(Data.model_validate({"source": "crema_d", **args, "map": table, "classes": ["worse", "bad"]}))
    (plain,) = count(Data.model_validate({"source": "crema_d", **args}))
    assert (mapped.found, mapped.classes) == (plain.found, crema_d.CLASSES)


def test_the_verb_says_it_in_one_line_and_is_content(tmp_path):
    args = layouts.module("ravdess").write(tmp_path / "set")
    recipe = layouts.text(
        tmp_path / "r.yaml",
        f"data: {{source: ravdess, root: {args['root']}, splits: {{folds: 3, fold: 1, validation: 0}}}}",
        "model: {name: demo}",
    )
    result = CliRunner().invoke(cli.app, ["data", "count", str(recipe), "data.channel=song"])
    assert result.exit_code == 0
    assert "ravdess, channel song" in result.output
    (line,) = (line for line in result.output.splitlines() if "DIFFERS" in line)
    assert "all: neutral 6 for 92" in line
