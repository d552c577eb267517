"""What stands on the command line, and the batch around the model: progress, bad clips, lines of JSON."""

import json
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from emovlm import UserError, cli
from emovlm.predict import batch, shown
from emovlm.predict.clips import Answer, files, row, told_apart


class Echo:
    """Answers from the names alone; what is called bad cannot be read."""

    changed = ["frames.keep=2"]
    asked = SimpleNamespace(evaluate=SimpleNamespace(scorer="likelihood"))

    def answers(self, rows):
        for one in rows:
            if "bad" in one["id"]:
                yield Answer(one["id"], error=f"{one['id']}: is damaged"), None
            else:
                shares = {"happy": 0.75, "[sad]": 0.25}
                yield Answer(one["id"], answer="happy", probabilities=shares, storyboard=["[frame 0]  0.50 s"]), None


def test_an_override_has_an_equals_sign_and_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.mp4").touch()
    assert told_apart(["a=b.mp4", "train=none", "c.mp4"]) == (["a=b.mp4", "c.mp4"], ["train=none"])
    with pytest.raises(UserError, match="no clip is given"):
        told_apart(["train=none"])


def test_a_folder_is_the_clips_in_it_by_their_numbers(tmp_path):
    for name in ("img10.JPG", "img2.jpg", "notes.txt", ".hidden.mp4", "a.mp4"):
        (tmp_path / name).touch()
    found = files([tmp_path, tmp_path / "a.mp4", "missing.mp4"])
    assert found == [*(str(tmp_path / name) for name in ("a.mp4", "img2.jpg", "img10.JPG")), "missing.mp4"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no video and no picture"):
        files([tmp_path / "empty"])


def test_a_batch_of_a_thousand_survives_bad_ones(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("emovlm.enrich.progress.LINE_S", 0.0)
    names = [f"{n}.mp4" for n in range(998)] + ["bad1.mp4", "bad2.mp4"]
    assert batch.tell(Echo(), names, as_json=True, out=tmp_path / "out") == 2
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line["clip"] for line in lines] == names
    assert lines[0]["probabilities"] == {"happy": 0.75, "[sad]": 0.25}
    assert lines[0]["changed"] == ["frames.keep=2"]
    assert lines[-1]["error"] == "bad2.mp4: is damaged"
    assert said.err.count("predict: ") == 999, "a line after each clip but the last, where LINE_S is 0"
    assert "bad1.mp4: is damaged\n" in said.err
    assert "\r" not in said.err
    assert (tmp_path / "out" / "answers.jsonl").read_text() == said.out


def test_a_video_of_which_a_part_cannot_be_read_has_no_timeline(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(batch.timeline, "windows", lambda *_: [row("a.mp4", 0.0, 2.0), row("bad.mp4", 1.0, 3.0)])
    seconds = {"window_s": 2.0, "step_s": 1.0}
    assert batch.tell_timelines(Echo(), ["a.mp4", "b.mp4"], **seconds, as_json=False, out=tmp_path) == 2
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err.count("is damaged") == 2


def test_on_a_terminal_there_is_a_bar_and_nothing_of_it_in_stdout(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert batch.tell(Echo(), [f"{n}.mp4" for n in range(30)], as_json=True, out=None) == 0
    said = capsys.readouterr()
    assert "predict" in said.err
    assert "30/30" in said.err
    assert len([json.loads(line) for line in said.out.splitlines()]) == 30


def test_one_clip_is_shown_whole_and_several_in_a_table(capsys):
    batch.tell(Echo(), ["[a].mp4"], as_json=False, out=None)
    one = capsys.readouterr().out
    assert "[a].mp4: happy" in one
    assert "[sad]" in one
    assert "[frame 0]  0.50 s" in one
    assert "not as the run was scored: frames.keep=2" in one
    batch.tell(Echo(), ["[a].mp4", "b.mp4", "bad"], as_json=False, out=None)
    several = capsys.readouterr().out
    assert several.count("0.750") == 2
    assert "[sad]" in several


def test_an_unreadable_text_is_said_to_be():
    from rich.console import Console

    console = Console(width=80)
    with console.capture() as capture:
        console.print(shown.of_one(Answer("a.mp4", text="hm")))
    assert "a.mp4: unreadable" in capture.get()
    assert "the model wrote: hm" in capture.get()


def test_the_command_ends_with_one_where_a_clip_was_bad(plain_run, clip_of, tmp_path):
    run, found = plain_run
    (tmp_path / "bad.mp4").write_bytes(b"x")
    clip = found.rows[0]["media"][0]
    runner = CliRunner()
    done = runner.invoke(cli.app, ["predict", str(run.folder), clip, str(tmp_path / "bad.mp4"), "--json"])
    assert done.exit_code == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert set(lines[0]["scores"]) == set(found.classes)
    assert "error" in lines[1]
    assert f"{tmp_path}/bad.mp4" in done.stderr
    done = runner.invoke(cli.app, ["predict", str(run.folder), clip, "evaluate.prior=blank"])
    assert done.exit_code == 0
    assert found.classes[found.predicted_N()[0]] in done.stdout


def test_out_that_is_a_file_is_refused(tmp_path):
    from emovlm import UserError
    from emovlm.predict import batch

    (tmp_path / "out").write_text("x")
    with pytest.raises(UserError, match=r"--out .*: is a file; name a folder"):
        batch._check_folder(tmp_path / "out")
    batch._check_folder(tmp_path / "new")


def test_window_goes_with_timeline():
    from typer.testing import CliRunner

    from emovlm import cli

    found = CliRunner().invoke(cli.app, ["predict", "runs/x", "a.mp4", "--window", "1"])
    assert str(found.exception) == "--window: goes with --timeline"
