"""A prompt as a person reads it: frames with their times, and the texts between them."""

from __future__ import annotations

from emovlm.frames.clip import Clip
from emovlm.prompts.arrangement import WHOLE, GapTexts


def storyboard(clip: Clip, texts: GapTexts) -> list[str]:
    """One line a frame and one a text, in the order of the prompt."""
    lines: list[str] = []
    last = len(clip.times_s_T) - 1
    for k in range(-1, max(last, *texts, 0) + 1):
        if 0 <= k <= last:
            time = f"{clip.times_s_T[k]:.2f} s" if clip.timed else "picture"
            lines.append(f"[frame {k}]  {time}")
        ends = (str(k) if k >= 0 else "start", str(k + 1) if k < last or last < 0 else "end")
        lines += [f"    {ends[0]} -> {ends[1]}:  {text}" for text in texts.get(k, ())]
    return lines + [f"    whole clip:  {text}" for text in texts.get(WHOLE, ())]
