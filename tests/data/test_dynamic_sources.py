"""Quirks of the sets of acted and filmed clips, each on its official layout."""

from pathlib import Path

import pytest

from emovlm import UserError
from emovlm.data.leftout import LeftOut
from emovlm.data.schema import PLACE
from emovlm.data.sources import crema_d, dfew, ferv39k, mafw, meld, mer2023, mer2024, ravdess

from . import layouts


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Source -> its layout, for tests that change nothing."""
    names = ("dfew", "mafw", "ferv39k", "crema_d", "ravdess")
    roots = {name: tmp_path_factory.mktemp(name) for name in names}
    for name in names:
        layouts.module(name).write(roots[name])
    return {name: str(root) for name, root in roots.items()}


def refused(load, *args, **kwargs):
    with pytest.raises(UserError) as caught:
        load(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def labels_of(rows):
    return {row["id"]: row["label"] for row in rows}


class TestDfew:
    def test_names_with_and_without_zeros_and_both_label_columns_are_the_same_rows(self, roots):
        found = [labels_of(dfew.load(roots["dfew"], fold)) for fold in range(1, 6)]
        assert found[0]["00001"] == "happy"
        assert found[0]["00011"] == "sad"
        assert all(other == found[0] for other in found)

    @pytest.mark.parametrize("folder", ["clip_224x224", "clip_224x224_16f"])
    def test_faces_are_pictures_in_the_order_of_their_numbers(self, roots, folder):
        row = next(row for row in dfew.load(roots["dfew"], 1, clips=folder) if row["id"] == "00012")
        names = [Path(path).name for path in row["media"]]
        assert [name.replace("00012_", "").lstrip("0") for name in names] == ["1.jpg", "2.jpg", "10.jpg"]

    def test_what_is_refused(self, tmp_path):
        layouts.module("dfew").write(tmp_path)
        assert "data.fold: 6; DFEW has the folds 1 to 5" in refused(dfew.load, str(tmp_path), 6)
        assert "data.clips: 'faces': there is no folder" in refused(dfew.load, str(tmp_path), 1, clips="faces")
        first = tmp_path / "EmoLabel_DataSplit" / "train(single-labeled)" / "set_1.csv"
        layouts.text(first, "video_name,label", "00001,1", "00002,0")
        assert "set_1.csv:3: label 0, but DFEW counts from 1 (happy)" in refused(dfew.load, str(tmp_path), 1)
        layouts.text(first, "video_name,label", "00001,8")
        assert "set_1.csv:2: label 8 is not in the table" in refused(dfew.load, str(tmp_path), 1)
        layouts.text(first, "video_name,label", "00001,1", "07000,1")
        assert "set_1.csv:3: names '07000', but there is no file" in refused(dfew.load, str(tmp_path), 1)
        for name in ("../../../secret/s", "..", "/secret/s.mp4", "../1"):
            layouts.text(first, "video_name,label", "00001,1", f"{name},1")
            assert f"set_1.csv:3: the path '{name}'" in refused(dfew.load, str(tmp_path), 1)
        layouts.text(first, "video,label", "00001,1")
        assert "set_1.csv:2: needs video_name and label" in refused(dfew.load, str(tmp_path), 1)


class TestMafw:
    def test_captions_and_compound_classes_are_columns(self, roots):
        rows = {row["id"]: row for row in mafw.load(roots["mafw"], 1)}
        first = rows["00025 part 2"]
        assert first["media"] == [f"{roots['mafw']}/data/clips/00025 part 2.mp4"]
        assert (first["label"], first["compound"]) == ("anger", "anger")
        assert (first["caption"], first["caption_chinese"]) == ("A man speaks, frowning.", "一个男人。")
        assert {row["compound"] for row in rows.values() if row["label"] == "fear"} == {"fear_surprise"}
        assert not any("caption" in row for row in rows.values() if row["label"] == "neutral")
        assert None in {row["compound"] for row in rows.values() if row["label"] == "disgust"}

    def test_commas_and_blanks_are_the_same_lists(self, roots):
        found = [labels_of(mafw.load(roots["mafw"], fold)) for fold in (1, 2)]
        assert "00025 part 2" in found[0]
        assert found[0] == found[1]

    def test_distributions_are_shares_that_mean_the_class_of_the_list(self, tmp_path):
        layouts.module("mafw").write(tmp_path)
        row = next(row for row in mafw.load(str(tmp_path), 1, soft=True) if row["label"] == "disappointment")
        # .9 of disappointment and .3 of anger, which follows it in a circle.
        assert row["distribution"] == [0.3, *[0] * 9, 0.9]
        assert row["soft_label"] == pytest.approx([0.25, *[0] * 9, 0.75])
        assert "soft_label" not in mafw.load(str(tmp_path), 1)[0]
        layouts.text(tmp_path / "Train & Test Set" / "single" / "no_caption" / "set_1" / "train.txt", "00026.mp4 fear")
        message = refused(mafw.load, str(tmp_path), 1, soft=True)
        assert "train.txt:1: fear, but Labels/single-set.xlsx says anger" in message

    def test_folders_of_frames(self, roots):
        row = mafw.load(roots["mafw"], 1, clips="frames")[0]
        assert [Path(path).name for path in row["media"]] == ["00001.jpg", "00002.jpg", "00010.jpg"]

    def test_what_is_refused(self, tmp_path):
        layouts.module("mafw").write(tmp_path)
        lists = tmp_path / "Train & Test Set" / "single"
        first = lists / "no_caption" / "set_1" / "train.txt"
        layouts.text(first, "00026.mp4 0")
        assert "train.txt:1: label 0 is a bare number" in refused(mafw.load, str(tmp_path), 1)
        layouts.text(first, "00026.mp4")
        assert "train.txt:1: '00026.mp4' is no file name and a class" in refused(mafw.load, str(tmp_path), 1)
        layouts.text(first, "../../clips/00026.mp4 anger")
        assert "leads out of it by .." in refused(mafw.load, str(tmp_path), 1)
        layouts.text(lists / "with_caption" / "set_1" / "train.txt", "00026.mp4\tanger\tno third")
        assert "train.txt:1: 3 cells between tabs" in refused(mafw.load, str(tmp_path), 1)


class TestFerv39k:
    def test_a_clip_is_scene_class_and_number(self, roots):
        rows = ferv39k.load(roots["ferv39k"])
        assert rows[0]["id"] == "DailyLife/Angry/0010"
        assert (rows[0]["label"], rows[0]["scene"]) == ("Angry", "DailyLife")
        assert [Path(path).name for path in rows[0]["media"]] == ["0.jpg", "2.jpg", "10.jpg"]

    @pytest.mark.parametrize("line", ["DailyLife/Angry/0010 Sad", "DailyLife/Angry/0010", "DailyLife/Angry/0010,3"])
    def test_a_list_of_another_project_is_refused(self, tmp_path, line):
        layouts.module("ferv39k").write(tmp_path)
        layouts.text(tmp_path / "4_setups" / "All_scenes" / "train_All.csv", "DailyLife/Angry/0010 Angry", line)
        assert f"train_All.csv:2: '{line}' is no clip and its class" in refused(ferv39k.load, str(tmp_path))

    def test_an_empty_folder_is_named(self, tmp_path):
        layouts.module("ferv39k").write(tmp_path)
        for path in (tmp_path / "2_ClipsforFaceCrop" / "DailyLife" / "Angry" / "0010").iterdir():
            path.unlink()
        assert "train_All.csv:1: names 'DailyLife/Angry/0010', but the folder" in refused(ferv39k.load, str(tmp_path))


class TestCremaD:
    def test_the_name_spells_what_was_intended(self, roots):
        row = next(row for row in crema_d.load(roots["crema_d"], "intended") if row["id"] == "1002_IEO_FEA_LO")
        assert (row["label"], row["subject"], row["sentence"], row["level"]) == ("fear", "1002", "IEO", "LO")
        assert row["media"] == [f"{roots['crema_d']}/VideoFlash/1002_IEO_FEA_LO.flv"]

    def test_raters_of_the_sound_and_of_the_picture_differ(self, roots):
        heard, seen = (crema_d.load(roots["crema_d"], label, soft=True)[0] for label in ("audio", "picture"))
        assert (heard["id"], heard["label"], seen["label"]) == ("1001_IEO_ANG_LO", "neutral", "anger")
        # Of ten raters of the sound seven say neutral and three sad, of the picture seven anger and three neutral.
        shares = dict.fromkeys(crema_d.CLASSES, 0.0)
        assert heard["soft_label"] == shares | {"neutral": 0.7, "sad": 0.3}
        assert seen["soft_label"] == shares | {"anger": 0.7, "neutral": 0.3}
        assert "soft_label" not in crema_d.load(roots["crema_d"], "audio")[0]

    def test_a_tie_is_left_out_or_soft(self, tmp_path):
        layouts.module("crema_d").write(tmp_path)
        table = tmp_path / "processedResults" / "tabulatedVotes.csv"
        lines = table.read_text().splitlines()
        # A, D, F, H, N, S: five raters say anger and five disgust.
        lines[1] = lines[1].replace("0,0,0,0,7,3", "5,5,0,0,0,0")
        layouts.text(table, *lines)
        with pytest.warns(LeftOut, match="crema_d: of 60 rows left out: 1 without a single majority"):
            assert crema_d.load(str(tmp_path), "audio")[0]["id"] == "1001_TIE_ANG_XX"
        row = crema_d.load(str(tmp_path), "audio", soft=True)[0]
        assert "label" not in row
        assert row["soft_label"]["anger"] == row["soft_label"]["disgust"] == 0.5
        layouts.text(table, *lines[:1], *lines[2:])
        assert "there are no votes on '1001_IEO_ANG_LO'" in refused(crema_d.load, str(tmp_path), "audio")
        layouts.text(table, lines[0], lines[1].replace("5,5", "5,x"))
        assert "tabulatedVotes.csv:2: columns fileName and A" in refused(crema_d.load, str(tmp_path), "audio")

    def test_what_is_refused(self, roots):
        assert "data.label: 'voice'; allowed: audio, both" in refused(crema_d.load, roots["crema_d"], "voice")
        assert "data.soft: true, but an intended" in refused(crema_d.load, roots["crema_d"], "intended", soft=True)


class TestRavdess:
    def test_one_modality_and_one_channel(self, roots):
        # Four actors, eight classes, two statements; songs of three actors in six classes.
        rows = ravdess.load(roots["ravdess"])
        assert len(rows) == 64
        assert {row["id"][:5] for row in rows} == {"01-01"}
        assert {row["id"][:5] for row in ravdess.load(roots["ravdess"], modality="video")} == {"02-01"}
        assert len(ravdess.load(roots["ravdess"], channel="song")) == 36
        assert len(ravdess.load(roots["ravdess"], channel="both")) == 100

    def test_the_numbers_of_a_name(self, roots):
        row = next(row for row in ravdess.load(roots["ravdess"]) if row["id"] == "01-01-06-01-02-01-03")
        assert (row["label"], row["subject"], row["intensity"], row["repetition"]) == ("fearful", "03", "normal", 1)
        assert row["statement"] == "Dogs are sitting by the door"
        assert row[PLACE] == row["media"][0]

    def test_what_is_refused(self, tmp_path, roots):
        assert "data.modality: 'audio'; allowed: audio_video, video" in refused(ravdess.load, str(tmp_path), "audio")
        assert "has no clip of modality audio_video" in refused(ravdess.load, str(tmp_path))
        layouts.clip(tmp_path / "Actor_01" / "01-01-09-01-02-01-12.mp4")
        assert "01-01-09-01-02-01-12.mp4: is no name of RAVDESS" in refused(ravdess.load, str(tmp_path))


class TestMeld:
    def test_utterances_keep_their_text_and_their_dialogue(self, tmp_path):
        rows = meld.load(layouts.module("meld").write(tmp_path)["root"])
        assert (rows[0]["id"], rows[0]["text"]) == ("train/dia0_utt0", 'Oh, it’s "you".')
        assert (rows[0]["speaker"], rows[0]["source"]) == ("Joey", "season 8, episode 21")
        assert not any("subject" in row for row in rows)

    def test_the_clip_that_is_in_no_archive_is_used_where_somebody_has_it(self, tmp_path):
        args = layouts.module("meld").write(tmp_path)
        with pytest.warns(LeftOut, match="meld: of 8 rows left out: 1 that no archive has"):
            ids = {row["id"] for row in meld.load(**args)}
        assert "validation/dia110_utt7" not in ids
        layouts.clip(tmp_path / "dev_splits_complete" / "dia110_utt7.mp4")
        assert {row["id"] for row in meld.load(**args)} - ids == {"validation/dia110_utt7"}

    def test_any_other_missing_clip_is_named(self, tmp_path):
        args = layouts.module("meld").write(tmp_path)
        (tmp_path / "train" / "train_splits" / "dia0_utt1.mp4").unlink()
        assert "train_sent_emo.csv:3: names 'dia0_utt1'" in refused(meld.load, **args)
        (tmp_path / "test_sent_emo.csv").unlink()
        layouts.clip(tmp_path / "train" / "train_splits" / "dia0_utt1.mp4")
        assert "there is neither" in refused(meld.load, **args)


class TestMer:
    def test_one_test_list_is_chosen(self, tmp_path):
        args = layouts.module("mer2023").write(tmp_path)
        noisy = [row for row in mer2023.load(**args, test="test2") if row["split"] == "test"]
        assert noisy[0]["media"] == [f"{tmp_path}/test2/sample_00000000.mp4"]
        assert noisy[0]["valence"] == "-1.3"
        assert "data.test: 'test4'; did you mean 'test" in refused(mer2023.load, **args, test="test4")

    def test_tracks(self, tmp_path):
        args = layouts.module("mer2024").write(tmp_path)
        noisy = [row for row in mer2024.load(**args, test="noise") if row["split"] == "test"]
        assert noisy[0]["media"] == [f"{tmp_path}/video-unlabeled-with-test2noise/sample_00000000.mp4"]
        assert "data.test: 'ov'; allowed: noise, semi" in refused(mer2024.load, **args, test="ov")
