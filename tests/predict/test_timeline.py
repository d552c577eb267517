"""A window over a video: worked by hand, and on two clips of the demo one after the other."""

import csv
import json

import av
import pytest
from typer.testing import CliRunner

from emovlm import UserError, cli
from emovlm.frames.clip import ClipError
from emovlm.predict import batch, figure, timeline
from emovlm.predict.clips import Answer


def told(names, step_s=1.0, window_s=2.0):
    """Windows that answer `names`, each with .8."""
    return [
        Answer(
            f"{n}",
            start_s=n * step_s,
            end_s=n * step_s + window_s,
            answer=name,
            probabilities={one: 0.8 if one == name else 0.2 for one in ("a", "b")},
        )
        for n, name in enumerate(names)
    ]


def joined(path, clips):
    """One video of several, frame after frame at their rate."""
    with av.open(str(path), "w") as out:
        stream, num = None, 0
        for clip in clips:
            with av.open(clip) as source:
                picture = source.streams.video[0]
                if stream is None:
                    stream = out.add_stream("libx264", rate=int(picture.average_rate), options={"crf": "10"})
                    stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuv420p"
                for frame in source.decode(picture):
                    copy = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")
                    copy.pts, num = num, num + 1
                    out.mux(stream.encode(copy))
        out.mux(stream.encode())
    return path


def test_windows_cover_the_video_to_its_end(tmp_path, clip_of):
    """Two clips of two seconds: 4 s."""
    video = str(joined(tmp_path / "long.mp4", [clip_of("happy"), clip_of("angry")]))
    spans = [(one["start_s"], one["end_s"]) for one in timeline.windows(video, 2.0, 0.75)]
    assert spans == [(0.0, 2.0), (0.75, 2.75), (1.5, 3.5), (2.0, 4.0)]
    assert [one["start_s"] for one in timeline.windows(video, 2.0, 1.0)] == [0.0, 1.0, 2.0]
    assert [(one["start_s"], one["end_s"]) for one in timeline.windows(video, 60.0, 1.0)] == [(0.0, 4.0)]
    ids = [one["id"] for one in timeline.windows(video, 2.0, 0.75)]
    assert len(set(ids)) == 4
    with pytest.raises(UserError, match="above 0"):
        timeline.windows(video, 2.0, 0.0)


def test_a_picture_has_no_timeline(tmp_path):
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(ClipError, match="needs a video"):
        timeline.windows(str(tmp_path / "a.png"), 1.0, 1.0)


def test_segments_end_halfway_between_the_middles_of_two_windows():
    """Windows of 2 s at 0, 1, 2, 3 s; their middles 1, 2, 3, 4 s; b begins between the middles 2 and 3."""
    found = timeline.segments(told("aabb"))
    assert [(one.start_s, one.end_s, one.answer) for one in found] == [(0.0, 2.5, "a"), (2.5, 5.0, "b")]
    assert found[0].probability == pytest.approx(0.8)
    assert [one.answer for one in timeline.segments(told("aba"))] == ["a", "b", "a"]
    assert [(one.start_s, one.end_s) for one in timeline.segments(told("a"))] == [(0.0, 2.0)]


def test_the_csv_has_a_line_a_window(tmp_path):
    timeline.write_csv(tmp_path / "t.csv", told("ab"))
    with (tmp_path / "t.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["start_s", "end_s", "answer", "a", "b"]
    assert lines[2] == ["1.000000", "3.000000", "b", "0.200000", "0.800000"]


def test_clips_of_one_name_have_files_of_their_own():
    names = set()
    assert [batch._unused("a.mp4", names) for _ in range(3)] == ["a.mp4", "a.mp4-2", "a.mp4-3"]


def test_the_same_answers_give_the_same_picture():
    first = figure.draw(told("aabb"), "a $clip$ <x>")
    assert first == figure.draw(told("aabb"), "a $clip$ <x>")
    assert "a $clip$ &lt;x&gt;" in first
    assert first != figure.draw(told("aaab"), "a $clip$ <x>")


def test_the_timeline_changes_class_at_the_seam(plain_run, clip_of, tmp_path):
    """Which two clips: of classes that the demo model tells for sure. The seam lies at 2 s."""
    video = joined(tmp_path / "two.mp4", [clip_of("happy", 1), clip_of("angry")])
    command = ["predict", str(plain_run[0].folder), str(video), "--timeline", "--step", "0.25"]
    done = CliRunner().invoke(cli.app, [*command, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    with (tmp_path / "two.mp4.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 9
    answers = [line["answer"] for line in lines]
    assert answers == sorted(answers, reverse=True)
    assert set(answers) == {"happy", "angry"}
    change_s = next(float(line["start_s"]) + 1 for line in lines if line["answer"] == "angry")
    assert 1.5 <= change_s <= 3.0, "within half a window of the seam"
    assert (tmp_path / "two.mp4.svg").read_text().rstrip().endswith("</svg>")
    assert "happy" in done.stdout
    done = CliRunner().invoke(cli.app, [*command, "--out", str(tmp_path), "--json"])
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["start_s"] for one in told] == [float(line["start_s"]) for line in lines]
    assert {one["media"] for one in told} == {str(video)}
    bad = CliRunner().invoke(cli.app, [*command[:3], str(tmp_path / "none.mp4"), "--timeline", "--out", str(tmp_path)])
    assert bad.exit_code == 1
    assert bad.stderr.count("none.mp4: no such file") == 1
