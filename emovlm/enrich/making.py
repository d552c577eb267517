"""The loop of `emovlm enrich`: several processes take clips from the same heap, and each clip is done once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from emovlm.enrich.progress import Progress
from emovlm.enrich.work import Job, Work
from emovlm.frames.clip import ClipError
from emovlm.prompts.arrangement import GapTexts

MOST_FAILURES = 10


@dataclass
class Summary:
    """there: clips that had their texts before, or got them from another process. failed: id -> reason.

    seconds: of this call. mentions: how often the texts say a class, see masking.mentions.
    """

    clips: int
    there: int = 0
    described: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    mentions: dict[str, dict[str, int]] = field(default_factory=dict)

    def told(self) -> str:
        """For the terminal: counts, the first failures, and which classes the texts give away."""
        rate = f" ({self.described / self.seconds:.2g} clips/s)" if self.described and self.seconds else ""
        lines = [
            f"{self.clips} clips: {self.there} had their texts, {self.described} were described in "
            f"{self.seconds:.0f} s{rate}, {len(self.failed)} failed"
        ]
        lines += [f"  failed: {name}: {reason}" for name, reason in list(self.failed.items())[:MOST_FAILURES]]
        if len(self.failed) > MOST_FAILURES:
            lines.append(f"  and {len(self.failed) - MOST_FAILURES} more")
        for name, counts in self.mentions.items():
            others = sum(found["clips"] for found in self.mentions.values()) - counts["clips"]
            if counts["say_own"] or counts["said_by_others"]:
                lines.append(
                    f"  '{name}' or a synonym is said of {counts['say_own']} of its {counts['clips']} clips, and of "
                    f"{counts['said_by_others']} of the {others} others (enrich.mask_labels=true takes such words out)"
                )
        return "\n".join(lines)


def make(work: Work, rows: Iterable[Mapping[str, Any]], summary: Summary) -> dict[str, GapTexts]:
    """Make what is missing, and count. -> id: texts, of all rows that have some."""
    begun_s = time.time()
    texts: dict[str, GapTexts] = {}
    todo: list[Job] = []
    for row in rows:
        try:
            job = work.job(row)
        except ClipError as error:
            summary.failed[row["id"]] = str(error)
            continue
        if work.find(job):
            texts[row["id"]] = job.told
            summary.there += 1
        else:
            todo.append(job)
    progress = Progress("enrich", len(todo))
    # Clips that another process has in hand come last; if it died with them, they are taken over.
    for wait in (False, True):
        held: list[Job] = []
        queue = deque(todo)
        while queue:
            with ExitStack() as claims:
                batch, over = _take(work, queue, held, claims, begun_s, wait=wait)
                work.describe(batch)
            for job in (*batch, *over):
                if job.failure is None:
                    texts[job.row["id"]] = job.told
                else:
                    summary.failed[job.row["id"]] = job.failure
            summary.described += sum(job.failure is None for job in batch)
            summary.there += sum(job.failure is None for job in over)
            progress.add(len(batch) + len(over))
        todo = held
    progress.close()
    return texts


def _take(
    work: Work, queue: deque[Job], held: list[Job], claims: ExitStack, begun_s: float, *, wait: bool
) -> tuple[list[Job], list[Job]]:
    """-> (clips to describe at once, with their pixels and claimed; clips that another process has finished with).

    Clips that others have in hand go to `held`, or are waited for: then one by one, since who waits must hold nothing.
    """
    batch: list[Job] = []
    over: list[Job] = []
    strips = 0
    while queue and strips < (1 if wait else work.at_once) and not (wait and batch):
        job = queue.popleft()
        with ExitStack() as claim:
            if not claim.enter_context(work.store.claim(job.key, wait=wait)):
                held.append(job)
                continue
            job.failure = work.failure(job, begun_s)
            if job.failure is not None or work.find(job):
                over.append(job)
                continue
            strips += work.look(job)
            batch.append(job)
            claims.push(claim.pop_all())
    return batch, over
