"""Numbers of frames and steps in time, by hand."""

import pytest

from emovlm.frames import counts


@pytest.mark.parametrize(
    ("duration_s", "rate_fps", "least", "most", "expected"),
    [
        (2.8, 2, 4, 768, (6, False)),
        (2.8, 2, 1, 6, (6, False)),  # 5.6 goes up to the cap and no further
        (2.8, 2, 1, 5, (5, True)),
        (0.5, 2, 4, 768, (4, False)),
        (1.25, 2, 1, 9, (3, False)),  # 2.5: halves go up
        (600, 2, 4, 768, (768, True)),
    ],
)
def test_frames_at_a_rate(duration_s, rate_fps, least, most, expected):
    assert counts.at_rate(duration_s, rate_fps, least, most) == expected


@pytest.mark.parametrize(("frames", "merged", "expected"), [(6, 2, 3), (5, 2, 3), (1, 2, 1), (5, 1, 5), (9, 4, 3)])
def test_time_steps(frames, merged, expected):
    assert counts.time_steps(frames, merged) == expected


def test_time_steps_are_those_of_the_processor():
    """Qwen2-VL's video processor repeats the last frame of an odd number, it does not drop it."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    processor = transformers.Qwen2VLVideoProcessor()
    for frames in (4, 5):
        video = torch.zeros(frames, 3, 56, 56, dtype=torch.uint8)
        grid = processor(videos=[video], do_sample_frames=False, return_tensors="pt")["video_grid_thw"]
        assert int(grid[0, 0]) == counts.time_steps(frames, processor.temporal_patch_size)
