"""A path of an annotation stays inside its folder, unless the recipe says otherwise."""

import importlib
import json
import os

import pytest

from emovlm import UserError
from emovlm.data import tables
from emovlm.data.sources import folder, jsonl
from emovlm.recipe import Data

from . import layouts


@pytest.fixture
def home(tmp_path):
    """root/ with a.mp4, and beside it secret.mp4; root/out.mp4 and root/away/ are links that lead out."""
    root = tmp_path / "root"
    (root / "clips").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for path in (root / "a.mp4", root / "clips" / "b.mp4", tmp_path / "secret.mp4", tmp_path / "elsewhere" / "c.mp4"):
        path.touch()
    (root / "out.mp4").symlink_to(tmp_path / "secret.mp4")
    (root / "away").symlink_to(tmp_path / "elsewhere")
    (root / "in.mp4").symlink_to(root / "a.mp4")
    return tmp_path


def csv_of(home, name):
    (home / "root" / "metadata.csv").write_text(f"file_name,label\n{name},happy\n")
    return {"source": "folder", "root": str(home / "root")}


def jsonl_of(home, name):
    path = home / "root" / "rows.jsonl"
    path.write_text(json.dumps({"media": name, "label": "happy"}) + "\n")
    return {"source": "jsonl", "root": str(path)}


LEADS_OUT = [
    ("../secret.mp4", "leads out of it by .."),
    ("clips/../../secret.mp4", "leads out of it by .."),
    ("out.mp4", "leads out of it by a symbolic link"),
    ("away/c.mp4", "leads out of it by a symbolic link"),
]


@pytest.mark.parametrize("write", [csv_of, jsonl_of])
@pytest.mark.parametrize(("name", "how"), LEADS_OUT)
def test_a_path_that_leads_out_is_refused_by_name(home, write, name, how):
    asked = write(home, name)
    load = {"folder": folder, "jsonl": jsonl}[asked.pop("source")].load
    with pytest.raises(UserError) as caught:
        list(load(**asked))
    assert f"the path '{name}' {how}" in str(caught.value)
    assert "set data.outside: true if you trust" in str(caught.value)
    (row,) = load(**asked, outside=True)
    assert os.path.realpath(row["media"][0]).endswith(name.rpartition("/")[2].replace("out", "secret"))


@pytest.mark.parametrize("write", [csv_of, jsonl_of])
@pytest.mark.parametrize("name", ["a.mp4", "clips/b.mp4", "clips/../a.mp4", "./a.mp4", "in.mp4"])
def test_a_path_that_stays_is_read_also_where_the_root_is_a_link(home, write, name):
    asked = write(home, name)
    (home / "link").symlink_to(home / "root")
    asked["root"] = asked["root"].replace(str(home / "root"), str(home / "link"))
    rows = tables.load_rows(Data.model_validate({**asked, "splits": {"unit": "id", "validation": 0, "test": 0}}))
    assert len(rows[0]["train"]) == 1


def test_absolute_paths_are_meant_in_a_jsonl_and_refused_in_a_table(home):
    path = str(home / "secret.mp4")
    assert next(iter(jsonl.load(jsonl_of(home, path)["root"])))["media"] == [path]
    with pytest.raises(UserError, match=r"metadata.csv:2: the path '.*secret.mp4' is absolute"):
        folder.load(csv_of(home, path)["root"])
    assert folder.load(csv_of(home, path)["root"], outside=True)[0]["id"] == path


def test_links_in_class_folders_and_frame_folders_are_judged_too(home):
    (home / "root" / "rows.jsonl").unlink(missing_ok=True)
    plain = home / "plain"
    (plain / "happy").mkdir(parents=True)
    (plain / "happy" / "x.mp4").symlink_to(home / "secret.mp4")
    with pytest.raises(UserError, match=r"the path 'x.mp4' leads out of it by a symbolic link"):
        folder.load(str(plain))
    assert len(folder.load(str(plain), outside=True)) == 1
    frames = home / "frames"
    (frames / "f").mkdir(parents=True)
    (home / "1.png").touch()
    (frames / "f" / "1.png").symlink_to(home / "1.png")
    (frames / "metadata.csv").write_text("file_names,label\nf,happy\n")
    with pytest.raises(UserError, match=r"the path '1.png' leads out of it by a symbolic link"):
        folder.load(str(frames))


def test_a_track_is_a_path_too(home):
    (home / "root" / "rows.jsonl").write_text(json.dumps({"media": "a.mp4", "label": "happy", "track": "../t.json"}))
    with pytest.raises(UserError, match=r"the path '../t.json' leads out of it"):
        list(jsonl.load(str(home / "root" / "rows.jsonl")))


def test_a_zero_byte_in_a_path_is_refused(home):
    with pytest.raises(UserError, match="zero"):
        list(jsonl.load(jsonl_of(home, "a\0.mp4")["root"]))


# Source -> the folder of its media, a clip or a frame in it, further arguments.
FOUND = [
    ("dfew", "Clip/original", "1.mp4", {"fold": 1}),
    ("dfew", "Clip/clip_224x224", "00001/00001_00002.jpg", {"fold": 1, "clips": "clip_224x224"}),
    ("dfew", "Clip/clip_224x224", "00001", {"fold": 1, "clips": "clip_224x224"}),
    ("ferv39k", "2_ClipsforFaceCrop", "DailyLife/Angry/0010/2.jpg", {}),
    ("mafw", "data/clips", "00026.mp4", {"fold": 1}),
    ("casme2", "CASME2_RAW_selected", "sub02/EP02_02f/img147.jpg", {"grouping": "seven"}),
    ("casme2", "CASME2_RAW_selected", "sub02/EP02_02f", {"grouping": "seven"}),
    ("cas_me2", "rawvideo", "s15/15_0101disgustingteeth.avi", {}),
    ("smic", "SMIC_all_cropped/HS", "s1/micro/negative/s1_ne_01/reg_image036337.bmp", {}),
    ("casme3", "Part_A_ME_clip/frame", "spNo.1_a_355", {}),
    ("samm", "SAMM", "006/006_1_1/006_05562.jpg", {}),
    ("samm_lv", "SAMM_longvideos", "006_1", {}),
    ("ravdess", ".", "Video_Speech_Actor_01/Actor_01/01-01-01-01-01-01-01.mp4", {}),
]


@pytest.mark.parametrize(("source", "folder", "name", "args"), FOUND)
def test_a_link_that_is_found_in_an_official_layout_is_judged(tmp_path, source, folder, name, args):
    root = tmp_path / "root"
    layouts.module(source).write(root)
    load = importlib.import_module(f"emovlm.data.sources.{source}").load
    whole = [len(row["media"]) for row in load(str(root), **args)]
    path, elsewhere = root / folder / name, tmp_path / "secret"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(UserError) as caught:
        load(str(root), **args)
    assert f"the path '{name}' leads out of it by a symbolic link" in str(caught.value)
    # These sources have no argument that would allow it.
    assert str(caught.value).endswith("copy the file there")
    # What stays inside, also of a root and of a folder of media that are links themselves, is read.
    path.unlink()
    inside = path.with_name(f".{path.name}")
    elsewhere.rename(inside)
    path.symlink_to(inside)
    assert [len(row["media"]) for row in load(str(root), **args)] == whole
    (tmp_path / "link").symlink_to(root)
    assert [len(row["media"]) for row in load(str(tmp_path / "link"), **args)] == whole
    if folder != ".":
        path.unlink()
        inside.rename(path)
        (root / folder).rename(tmp_path / "media")
        (root / folder).symlink_to(tmp_path / "media")
        assert [len(row["media"]) for row in load(str(root), **args)] == whole
