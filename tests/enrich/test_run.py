"""The texts of a set: made once, by however many processes, whatever becomes of them; never missing in silence."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from emovlm import UserError
from emovlm.data import splits
from emovlm.enrich import sight
from emovlm.enrich.making import Summary
from emovlm.enrich.run import MissingTextsError, all_texts, costs, enrich, look_for, texts_for
from emovlm.prompts.arrangement import WHOLE, DenseClip, own_times_s

from .counting import LOAD, asked, recipe_of

ROOT = Path(__file__).parents[2]
PER_CLIP = 4  # 2 gaps of 2 frames


def train_rows(recipe):
    return splits.load(recipe.data)["train"]


def process(folder, part="1/1", **more):
    """`emovlm enrich` of the folder in a process of its own."""
    code = (
        "import json, sys; from emovlm.enrich.run import enrich; from tests.enrich.counting import recipe_of; "
        "from pathlib import Path; k, n = map(int, sys.argv[2].split('/')); "
        "found = enrich(recipe_of(Path(sys.argv[1]), **json.loads(sys.argv[3])), (k, n)); "
        "print(json.dumps([found.clips, found.there, found.described, found.failed]))"
    )
    arguments = [sys.executable, "-c", code, str(folder), part, json.dumps({"per": "frame", **more})]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def result(process):
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads(out.splitlines()[-1])


def strips_asked(folder):
    """strip -> how often a describer was asked for it, by all processes."""
    return Counter(line.split(" ", 1)[1] for line in asked(folder / "log.txt"))


def test_enriching_twice_does_nothing_the_second_time(folder):
    recipe = recipe_of(folder, per="frame")
    first = enrich(recipe)
    assert (first.clips, first.there, first.described, first.failed) == (6, 0, 6, {})
    assert len(asked(folder / "log.txt")) == 6 * PER_CLIP
    second = enrich(recipe)
    assert (second.there, second.described) == (6, 0)
    assert len(asked(folder / "log.txt")) == 6 * PER_CLIP


def test_texts_come_by_id_and_gap(folder):
    recipe = recipe_of(folder, per="frame")
    enrich(recipe)
    rows = train_rows(recipe)
    texts = texts_for(recipe, rows)
    assert set(texts) == set(rows["id"])
    for gaps in texts.values():
        assert {gap: len(found) for gap, found in gaps.items()} == {0: 2, 1: 2}
        assert len({text for found in gaps.values() for text in found}) == 4
    found = costs(recipe, rows)
    assert found["frames"] == len(rows) * PER_CLIP
    assert found["seconds"] > 0


def test_parts_are_all_of_it_and_nothing_twice(folder):
    recipe = recipe_of(folder)
    assert [enrich(recipe, (k, 4)).described for k in (1, 2, 3, 4)] == [2, 2, 1, 1]
    assert enrich(recipe).described == 0
    with pytest.raises(UserError, match="--part 5/4"):
        enrich(recipe, (5, 4))


def test_two_processes_do_each_clip_once(folder):
    found = [result(one) for one in [process(folder, pause_s=0.05), process(folder, pause_s=0.05)]]
    assert sum(described for _, _, described, _ in found) == 6
    assert all(there + described == 6 for _, there, described, _ in found)
    assert all(described > 0 for _, _, described, _ in found), "both worked"
    assert sum(strips_asked(folder).values()) == 6 * PER_CLIP
    assert len({line.split()[0] for line in asked(folder / "log.txt")}) == 2


def test_a_kill_loses_at_most_the_clip_in_flight(folder):
    killed = process(folder, pause_s=0.15)
    deadline = time.monotonic() + 60
    while len(asked(folder / "log.txt")) < 2 * PER_CLIP + 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    before = sum(strips_asked(folder).values())
    assert 2 * PER_CLIP < before < 6 * PER_CLIP
    found = enrich(recipe_of(folder, per="frame"))
    assert found.there >= 2
    assert found.there + found.described == 6
    again = sum(strips_asked(folder).values()) - 6 * PER_CLIP
    assert 0 < again <= PER_CLIP, "only the clip that was in the dead process's hands was done again"


def test_the_clip_of_a_killed_process_is_taken_over_by_one_that_runs(folder):
    slow = process(folder, pause_s=0.5)
    while not asked(folder / "log.txt"):
        time.sleep(0.01)
    other = process(folder, pause_s=0.0)
    time.sleep(1.0)
    os.kill(slow.pid, signal.SIGKILL)
    slow.wait()
    _, there, described, failed = result(other)
    assert (there + described, failed) == (6, {})
    recipe = recipe_of(folder, per="frame")
    assert len(texts_for(recipe, train_rows(recipe))) == 2


def test_a_later_stage_is_redone_alone(folder):
    summary = {"describer": LOAD, "log": str(folder / "sum.txt"), "word": "sum"}
    plain = recipe_of(folder, per="frame")
    enrich(plain)
    recipe = recipe_of(folder, per="frame", summary=summary)
    assert enrich(recipe).described == 6
    assert len(asked(folder / "log.txt")) == 6 * PER_CLIP
    assert len(asked(folder / "sum.txt")) == 6 * 2
    other = recipe_of(folder, per="frame", summary=summary | {"word": "other"})
    assert enrich(other).described == 6
    assert (len(asked(folder / "log.txt")), len(asked(folder / "sum.txt"))) == (6 * PER_CLIP, 6 * 4)
    texts = texts_for(other, train_rows(other))
    assert all(text.startswith("other") for gaps in texts.values() for found in gaps.values() for text in found)
    both = recipe_of(folder, per="frame", summary=summary, trajectory=summary | {"word": "all"})
    enrich(both)
    assert len(asked(folder / "sum.txt")) == 6 * 5
    gaps = texts_for(both, train_rows(both))["clip0"]
    assert {gap: found[0].split()[0] for gap, found in gaps.items()} == {WHOLE: "all", 0: "sum", 1: "sum"}


def test_what_changes_the_pixels_or_the_gaps_is_described_anew_and_nothing_else(folder):
    recipe = recipe_of(folder)
    enrich(recipe)

    def redone(**changes):
        values = recipe.model_dump(exclude_none=True)
        for key, value in changes.items():
            values[key] = values[key] | value if isinstance(value, dict) else value
        return enrich(type(recipe).model_validate(values)).described

    assert redone(seed=5, prompt={"time_marks": False}, global_batch=8, frames={"input": "images"}) == 0
    assert redone(enrich={"log": str(folder / "log2.txt"), "at_once": 3, "mask_labels": True}) == 0
    assert redone(frames={"max_pixels": 1024}) == 6
    assert redone(frames={"keep": 4}) == 6
    assert redone(enrich={"frames_per_gap": 3}) == 6
    assert redone(enrich={"word": "blue"}) == 6
    assert redone(enrich={"max_words": 3}) == 6
    assert redone(enrich={"before_first": True}) == 6
    assert redone() == 0


def test_a_moved_copied_or_renamed_set_keeps_its_texts(folder, tmp_path):
    enrich(recipe_of(folder))
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    for path in moved.glob("*.mp4"):
        os.utime(path, (1, 1))
    table = (moved / "train.jsonl").read_text().replace("clip0", "new name")
    (moved / "train.jsonl").write_text(table)
    assert enrich(recipe_of(moved)).described == 0
    shutil.copy(moved / "1.mp4", moved / "0.mp4")
    assert enrich(recipe_of(moved)).described == 0, "the pixels of another clip have that clip's texts"


def test_what_is_seen_depends_on_what_the_policy_and_the_crop_may_know(folder):
    recipe = recipe_of(folder)
    row = dict(train_rows(recipe)[0])

    def key(pick="uniform", crop="none", **changes):
        frames = type(recipe.frames)(pick=pick, keep=3, max_pixels=4096, crop=crop)
        return sight.key(row | changes, recipe.model_copy(update={"frames": frames}))

    plain, apex, box = key(), key("apex", apex_s=0.5), key(crop="box", box=[0, 0, 1, 0.5])
    assert key(id="other", label=3, subject="x", apex_s=0.7, box=[0, 0, 1, 1], action_units=["AU1"]) == plain
    assert key("apex", apex_s=0.5, id="other", label=3) == apex
    assert key("apex", apex_s=0.6) != apex
    assert key(crop="box", box=[0, 0, 1, 0.6]) != box
    assert key(start_s=0.5) != plain
    track = folder / "track.csv"
    track.write_text("1")
    with_track = key(crop="box", track=str(track))
    track.write_text("2")
    assert key(crop="box", track=str(track)) != with_track
    assert key(track=str(track)) == plain


def test_a_failed_clip_is_named_and_tried_again_and_has_no_text(folder):
    switch = folder / "works"
    recipe = recipe_of(folder, fails=str(switch))
    found = enrich(recipe)
    assert found.described == 0
    assert found.failed == {f"clip{k}": "gap, gap 0: the camera was covered" for k in range(6)}
    with pytest.raises(MissingTextsError, match=r"2 failed, first 'clip0': gap, gap 0: the camera was covered"):
        texts_for(recipe, train_rows(recipe))
    switch.touch()
    assert enrich(recipe).failed == {}
    assert len(texts_for(recipe, train_rows(recipe))) == 2
    assert not list((Path(os.environ["EMOVLM_CACHE"]) / "texts" / "failed").rglob("*.json"))


def test_a_clip_that_cannot_be_read_fails_alone(folder):
    (folder / "3.mp4").write_bytes((folder / "3.mp4").read_bytes()[:2000])
    found = enrich(recipe_of(folder))
    assert found.described == 5
    assert list(found.failed) == ["clip3"]
    assert "3.mp4" in found.failed["clip3"]


def test_missing_texts_stop_with_the_command_that_makes_them(folder):
    recipe = recipe_of(folder)
    with pytest.raises(MissingTextsError) as caught:
        texts_for(recipe, train_rows(recipe))
    assert str(caught.value) == (
        "enrich: 2 of 2 clips have no texts (first 'clip0'); make them with `emovlm enrich RECIPE`"
    )
    enrich(recipe)
    (folder / "1.mp4").write_bytes((folder / "0.mp4").read_bytes()[:-1] + b"\0")
    assert len(texts_for(recipe, train_rows(recipe))) == 2, "another split's clip is another's business"


def test_class_names_in_texts_are_counted_and_masked(folder):
    recipe = recipe_of(folder, word="happy, not so Sad:")
    found = enrich(recipe).mentions
    labels = Counter(row["label"] for split in splits.load(recipe.data).values() for row in split)
    names = train_rows(recipe).features["label"].names
    said = {"happy", "sad"} & set(names)
    assert said
    for number, name in enumerate(names):
        count = labels[number]
        assert found[name] == {
            "clips": count,
            "say_own": count if name in said else 0,
            "say_other": count if said - {name} else 0,
            "said_by_others": 6 - count if name in said else 0,
        }
    masked = texts_for(recipe_of(folder, word="happy, not so Sad:", mask_labels=True), train_rows(recipe))
    texts = [text for gaps in masked.values() for kept in gaps.values() for text in kept]
    assert len(texts) == 4
    assert not any(name in text.casefold() for text in texts for name in said)
    assert all("not so" in text for text in texts)


def test_without_texts_there_is_nothing_to_make(folder):
    plain = recipe_of(folder)
    rows = train_rows(plain)
    for control in ("keyframes_only", "dense", "repeated_frames"):
        recipe = recipe_of(folder, control=control)
        assert texts_for(recipe, rows) == {}
        assert enrich(recipe).described == 0
    assert texts_for(plain.model_copy(update={"enrich": None}), rows) == {}
    with pytest.raises(UserError, match="no such section"):
        enrich(plain.model_copy(update={"enrich": None}))
    with pytest.raises(UserError, match=r"reversed needs texts"):
        enrich(recipe_of(folder, describer=None, control="reversed"))


def test_texts_of_keyframes_show_the_describer_nothing_new(folder):
    recipe = recipe_of(folder, per="frame", control="texts_of_keyframes")
    enrich(recipe)
    told = [line.split()[2] for line in asked(folder / "log.txt")]
    assert len(told) == 6 * PER_CLIP
    assert len(set(told)) <= 6 * 3, "three chosen frames a clip"
    gaps = texts_for(recipe, train_rows(recipe))["clip0"]
    # Gap 0: the two frames are nearer to frame 0 and to frame 1; gap 1: to frame 1 and to frame 2.
    assert gaps[0][1] == gaps[1][0]
    assert len({*gaps[0], *gaps[1]}) == 3
    assert enrich(recipe_of(folder, per="frame")).described == 6, "in-between frames have texts of their own"


def test_dense_controls_look_at_the_frames_in_between(folder):
    recipe = recipe_of(folder, control="dense")
    row = dict(train_rows(recipe)[0])
    clip = look_for(recipe)(row, recipe.frames, (0, 0, row["id"]))
    assert isinstance(clip, DenseClip)
    assert (clip.own_K, dict(clip.between)) == ((0, 3, 6), {0: (1, 2), 1: (4, 5)})
    plain = look_for(recipe_of(folder))(row, recipe.frames, (0, 0, row["id"]))
    np.testing.assert_array_equal(clip.frames_THWC[[0, 3, 6]], plain.frames_THWC)
    np.testing.assert_array_equal(own_times_s(clip), plain.times_s_T)
    np.testing.assert_array_equal(own_times_s(plain), plain.times_s_T)


def test_a_policy_that_chooses_at_random_has_no_texts(folder):
    recipe = recipe_of(folder)
    frames = type(recipe.frames)(pick="segment_random", keep=3, max_pixels=4096)
    with pytest.raises(UserError, match=r"segment_random chooses other frames in every epoch"):
        enrich(recipe.model_copy(update={"frames": frames}))


def test_a_summary_names_failures_and_what_the_texts_give_away(folder):
    found = enrich(recipe_of(folder, fails=str(folder / "never"))).told().splitlines()
    assert found[0].startswith("6 clips: 0 had their texts, 0 were described in ")
    assert found[0].endswith(" s, 6 failed")
    assert found[1] == "  failed: clip0: gap, gap 0: the camera was covered"
    many = Summary(30, failed={str(number): "x" for number in range(12)}).told().splitlines()
    assert (len(many), many[-1]) == (12, "  and 2 more")
    said = Summary(9, there=9)
    said.mentions = {
        "happy": {"clips": 4, "say_own": 3, "say_other": 0, "said_by_others": 2},
        "sad": {"clips": 5, "say_own": 0, "say_other": 2, "said_by_others": 0},
    }
    (line,) = said.told().splitlines()[1:]
    assert line.startswith("  'happy' or a synonym is said of 3 of its 4 clips, and of 2 of the 5 others")


def test_a_training_has_the_texts_of_all_that_it_will_show(folder):
    recipe = recipe_of(folder)
    found = splits.load(recipe.data)
    enrich(recipe)
    assert {name: len(texts) for name, texts in all_texts(recipe, found).items()} == {"train": 2, "test": 2}
    (Path(os.environ["EMOVLM_CACHE"]) / "texts").rename(folder / "away")
    with pytest.raises(MissingTextsError):
        all_texts(recipe, found)


def test_short_lines_in_a_log(folder, capfd, monkeypatch):
    monkeypatch.setattr("emovlm.enrich.progress.LINE_S", 0.0)
    enrich(recipe_of(folder))
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith("enrich: 1 of 6 clips, ")
    assert lines[0].endswith(" s left")
    assert len(lines) == 5, "the last clip needs no line of its own"


def test_a_clip_that_cannot_be_read_is_named_and_the_rest_is_done(folder):
    """Whether a describer or a source gives the texts; `data.on_error` leaves its texts out as it does the clip."""
    (folder / "1.mp4").write_bytes((folder / "1.mp4").read_bytes()[:300])
    for recipe in (recipe_of(folder), recipe_of(folder, describer=None, control="true_units")):
        found = enrich(recipe)
        assert (list(found.failed), found.described) == (["clip1"], 5)
        every = splits.load(recipe.data)
        [name] = [name for name, rows in every.items() if "clip1" in rows["id"]]
        with pytest.raises(MissingTextsError, match=r"first 'clip1'.*list what cannot be read in data.quarantine"):
            texts_for(recipe, every[name])
        lenient = recipe.model_copy(update={"data": recipe.data.model_copy(update={"on_error": "quarantine"})})
        assert texts_for(lenient, every[name])["clip1"] == {}


def test_a_damaged_record_is_made_anew(folder):
    recipe = recipe_of(folder)
    enrich(recipe)
    for path in (Path(os.environ["EMOVLM_CACHE"]) / "texts").rglob("*.json"):
        path.write_text("{")
    assert enrich(recipe).described == 6
