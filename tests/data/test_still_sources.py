"""Sets of still pictures: numbers become names, votes become shares, what belongs to no class is counted."""

import contextlib
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from emovlm import UserError
from emovlm.data.leftout import LeftOut
from emovlm.data.mediafiles import collecting
from emovlm.data.picturefolder import find_pictures
from emovlm.data.sources import affectnet, emoset, emotion6, ferplus, raf_db
from emovlm.data.tables import load_rows
from emovlm.recipe import Data

from . import layouts
from .layouts._films import damaged
from .reading import by_id, refused


class TestRafDb:
    def test_official_numbers_and_aligned_names(self, root):
        rows = by_id(raf_db.load(root("raf_db")))
        assert (rows["train_00001.jpg"]["label"], rows["test_0008.jpg"]["label"]) == ("surprise", "neutral")
        assert rows["train_00001.jpg"]["media"] == [f"{root('raf_db')}/Image/aligned/train_00001_aligned.jpg"]
        whole = by_id(raf_db.load(root("raf_db"), pictures="original"))
        assert whole["train_00001.jpg"]["media"] == [f"{root('raf_db')}/Image/original/train_00001.jpg"]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("train_00001.jpg 0", "label.txt:1: label 0 is not in the table"),
            ("train_00001.jpg", "label.txt:1: 'train_00001.jpg': must be a name"),
            ("valid_00001.jpg 1", "must be a name that begins with train_ or test_"),
            ("train_09999.jpg 1", "names 'train_09999_aligned.jpg', but there is no file"),
            ("train_/../../../x.jpg 1", "leads out of it by .."),
        ],
    )
    def test_what_is_wrong_is_named_with_its_line(self, root, tmp_path, line, message):
        layouts.text(tmp_path / "EmoLabel" / "list_patition_label.txt", line)
        (tmp_path / "Image").symlink_to(Path(root("raf_db")) / "Image")
        assert message in refused(raf_db.load, str(tmp_path))

    def test_published(self):
        assert [sum(part.values()) for part in raf_db.PUBLISHED.values()] == [12_271, 3_068]
        # The list counts from 1 in this order.
        assert (raf_db.NAMES["1"], raf_db.NAMES["4"], raf_db.NAMES["7"]) == ("surprise", "happy", "neutral")


class TestFerPlus:
    def test_votes_for_classes_are_shares(self, root):
        told = "of 49 rows left out: 3 without a majority, 3 most often called unknown, 3 without a face"
        with pytest.warns(LeftOut, match=told):
            rows = by_id(ferplus.load(root("ferplus")))
        # Eight votes for happiness, two for unknown, which is no class.
        assert rows["fer0000001.png"]["soft_label"] == [0, 1, 0, 0, 0, 0, 0, 0]
        assert rows["fer0000001.png"]["label"] == "happiness"
        assert not {"fer0000024.png", "fer0000025.png"} & set(rows)

    def test_votes_are_shared_out(self, root, tmp_path):
        header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
        layouts.text(tmp_path / "fer2013new.csv", header, "Training,fer0000000.png,1,3,0,0,0,0,0,4,2,0")
        (tmp_path / "data").symlink_to(Path(root("ferplus")) / "data")
        row = ferplus.load(str(tmp_path))[0]
        assert (row["label"], row["soft_label"]) == ("contempt", [0.125, 0.375, 0, 0, 0, 0, 0, 0.5])

    def test_what_is_wrong_is_named_with_its_line(self, tmp_path):
        header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
        for line, message in (
            ("Testing,a.png,1,0,0,0,0,0,0,0,0,0", "fer2013new.csv:2: Usage 'Testing'; allowed: Training"),
            ("Training,a.png,x,0,0,0,0,0,0,0,0,0", "fer2013new.csv:2: neutral is 'x'; must be a number of votes"),
        ):
            layouts.text(tmp_path / "fer2013new.csv", header, line)
            assert message in refused(ferplus.load, str(tmp_path))

    def test_published(self):
        # The official list has 28,709, 3,589 and 3,589 lines.
        totals = [sum(part.values()) for part in ferplus.PUBLISHED.values()]
        assert totals == [27_097, 3_416, 3_395]
        assert 28_709 + 3_589 + 3_589 - sum(totals) == 173 + 226 + 1_580


class TestAffectNet:
    def test_numbers_beyond_the_classes_are_left_out_and_counted(self, root):
        with pytest.warns(LeftOut, match="of 44 rows left out: 4 of none, 4 of uncertain, 4 of no face"):
            rows = by_id(affectnet.load(root("affectnet")))
        assert rows["train_set/images/6.jpg"]["label"] == "angry"
        assert rows["val_set/images/7.jpg"] | {"_place": ""} == {
            "id": "val_set/images/7.jpg",
            "label": "contempt",
            "split": "test",
            "media": [f"{root('affectnet')}/val_set/images/7.jpg"],
            "_place": "",
        }
        with pytest.warns(LeftOut, match="4 of contempt"):
            assert "contempt" not in {row["label"] for row in affectnet.load(root("affectnet"), grouping="seven")}

    def test_the_first_release_has_lists(self, tmp_path):
        layouts.module("affectnet").write_first(tmp_path)
        with pytest.warns(LeftOut, match="of 44 rows"):
            rows = affectnet.load(str(tmp_path))
        assert Counter(row["split"] for row in rows) == {"train": 24, "test": 8}
        assert by_id(rows)["3/train3.jpg"]["label"] == "surprise"
        (tmp_path / "Manually_Annotated_Images" / "3" / "train3.jpg").unlink()
        assert "names '3/train3.jpg', but there is no file" in refused(affectnet.load, str(tmp_path))

    def test_a_quote_that_nothing_closes_takes_no_rows_with_it(self, tmp_path):
        layouts.module("affectnet").write_first(tmp_path)
        path = tmp_path / "Manually_Annotated_file_lists" / "training.csv"
        lines = path.read_text().splitlines()
        path.write_text("\n".join([*lines[:2], lines[2].rpartition(",")[0] + ',"0', *lines[3:]]))
        assert "training.csv:3: cannot be read as csv (unexpected end" in refused(affectnet.load, str(tmp_path))

    def test_a_pickle_is_refused(self, tmp_path):
        layouts.module("affectnet").write(tmp_path)
        np.save(tmp_path / "train_set" / "annotations" / "0_exp.npy", np.array({"a": 1}, dtype=object))
        assert "0_exp.npy: cannot be read as a number of a class" in refused(affectnet.load, str(tmp_path))
        np.save(tmp_path / "train_set" / "annotations" / "0_exp.npy", np.array(3.5))
        assert "expression '3.5'; must be a number from 0 to 10" in refused(affectnet.load, str(tmp_path))

    def test_damaged_annotations_are_named(self, tmp_path):
        layouts.module("affectnet").write(tmp_path)
        path = tmp_path / "train_set" / "annotations" / "3_exp.npy"
        whole, dice = path.read_bytes(), random.Random(0)
        for _ in range(60):
            path.write_bytes(damaged(whole, dice))
            # Some changes leave another number.
            with contextlib.suppress(UserError):
                list(affectnet.load(str(tmp_path)))

    def test_published(self):
        assert sum(affectnet.PUBLISHED["eight"]["train"].values()) == 287_651
        assert sum(affectnet.PUBLISHED["seven"]["train"].values()) == 283_901
        assert sum(affectnet.PUBLISHED["eight"]["test"].values()) == 4_000


class TestEmotion6:
    def test_a_distribution_and_what_was_searched_for(self, root):
        data = Data.model_validate({"source": "emotion6", "root": root("emotion6"), "splits": {"unit": "id"}})
        with pytest.warns(LeftOut, match="of 57 rows left out: 1 without a largest class"):
            by_split, _ = load_rows(data)
        rows = {row["id"]: row for part in by_split.values() for row in part}
        surprised = rows["fear/41.jpg"]
        assert (surprised["label"], surprised["searched"], surprised["valence"]) == ("surprise", "fear", 2.5)
        assert surprised["soft_label"] == pytest.approx([1 / 6, 0, 0, 0, 0, 2 / 3, 1 / 6], abs=1e-5)
        assert sum(surprised["soft_label"]) == pytest.approx(1, abs=1e-12)
        assert "joy/1000.jpg" not in rows

    def test_what_is_wrong_is_named_with_its_line(self, tmp_path):
        for line, message in (
            ("anger/1.jpg 1 2 1 0 0 0 0 0", "ground_truth.txt:1: 9 cells; must be a picture"),
            ("anger/1.jpg 1 2 1 0 0 0 0 0 1", "ground_truth.txt:1: the shares of the classes sum to 2"),
            ("anger/1.jpg 1 2 x 0 0 0 0 0 1", "ground_truth.txt:1: anger 'x' is not a number"),
        ):
            layouts.text(tmp_path / "ground_truth.txt", line)
            assert message in refused(emotion6.load, str(tmp_path))


def test_emoset_has_three_lists_with_and_without_ids(root, tmp_path):
    rows = emoset.load(root("emoset"))
    assert Counter(row["split"] for row in rows) == {"train": 36, "validation": 8, "test": 16}
    assert (rows[0]["id"], rows[0]["label"]) == ("amusement_12866", "amusement")
    assert "train.json: cannot be read as JSON" in refused(emoset.load, str(tmp_path))
    layouts.text(tmp_path / "train.json", '{"a": 1}')
    assert "must be a list of lists" in refused(emoset.load, str(tmp_path))
    layouts.text(tmp_path / "train.json", '[["awe", "awe_1"]]')
    assert "train.json, entry 1: ['awe', 'awe_1'] must be" in refused(emoset.load, str(tmp_path))


def test_pictures_are_found_inside_their_folder(tmp_path):
    layouts.picture(tmp_path / "in" / "a" / "1.jpg")
    layouts.picture(tmp_path / "out.jpg")
    folder = tmp_path / "in"
    assert find_pictures([("a/1.jpg", "here:1")], folder) == [f"{folder}/a/1.jpg"]
    listed = [("a/1.jpg", "here:1"), ("a/2.jpg", "here:2"), ("b/3.jpg", "here:3")]
    assert refused(find_pictures, listed, folder).startswith("here:2: names 'a/2.jpg', but there is no file")
    with collecting() as missing:
        assert find_pictures(listed, folder) == [f"{folder}/{name}" for name, _ in listed]
    assert list(missing) == [f"{folder}/a/2.jpg", f"{folder}/b/3.jpg"]
    assert "leads out of it by .." in refused(find_pictures, [("../out.jpg", "here:1")], folder)
    assert "is absolute" in refused(find_pictures, [(f"{tmp_path}/out.jpg", "here:1")], folder)
