"""One clip's way through the stages: what is on disk, what is missing, and making it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emovlm.enrich import sight, stages
from emovlm.enrich.cache import Store, digest
from emovlm.enrich.sight import Seen
from emovlm.enrich.stages import Stage
from emovlm.enrich.strip import Failure
from emovlm.frames.clip import ClipError

if TYPE_CHECKING:
    from emovlm.recipe import Recipe

SEEN, TEXTS, FAILED = "seen", "stages", "failed"


@dataclass
class Job:
    """A row on its way. key: of what is seen of it and of the stages. told: the last stage's texts."""

    row: Mapping[str, Any]
    key: str
    sight_key: str
    seen: Seen | None = None
    told: dict[int, list[str]] = field(default_factory=dict)
    failure: str | None = None


class Work:
    """The stages of a recipe and the folder with their texts."""

    def __init__(self, recipe: Recipe, store: Store | None = None):
        sight.check_fixed(recipe)
        self.recipe, self.store = recipe, store or Store()
        self.stages: list[Stage] = stages.plan(recipe)
        described = [[stage.kind, stage.name, dict(stage.describer.identity), stage.max_words] for stage in self.stages]
        self._described = digest([stages.VERSION, described, [stage.describer.version for stage in self.stages]])

    def job(self, row: Mapping[str, Any]) -> Job:
        """Raises ClipError for a file that cannot be read."""
        sight_key = sight.key(row, self.recipe)
        return Job(row, digest([sight_key, self._described]), sight_key)

    @property
    def at_once(self) -> int:
        """Strips that are best described together."""
        return max(stage.describer.at_once for stage in self.stages)

    def find(self, job: Job) -> bool:
        """Whether the clip's texts are there; then they are in `told`. Reads records alone, no pixels."""
        record = self.store.read(SEEN, job.sight_key)
        if record is None:
            return False
        seen = sight.of_record(record)
        told: dict[int, list[str]] = {}
        for stage in self.stages:
            record = self.store.read(TEXTS, stage.key(seen, told))
            if record is None:
                return False
            told = _after(stage, told, record)
        job.seen, job.told = seen, told
        return True

    def failure(self, job: Job, since_s: float = 0.0) -> str | None:
        """Why the last try failed, if there was one after `since_s` (time.time) and it did."""
        record = self.store.read(FAILED, job.key)
        return record["reason"] if record and record["at_s"] >= since_s else None

    def costs(self, job: Job) -> dict[str, float]:
        """Of a clip whose texts are there: {seconds, frames} over all stages."""
        assert job.seen, "find comes first"
        total, told = {"seconds": 0.0, "frames": 0}, {}
        for stage in self.stages:
            record = self.store.read(TEXTS, stage.key(job.seen, told))
            assert record, "find comes first"
            total = {name: value + record[name] for name, value in total.items()}
            told = _after(stage, told, record)
        return total

    def look(self, job: Job) -> int:
        """Read the clip's pixels. -> how many strips its first missing stage has; 0 where it failed."""
        try:
            job.seen = sight.see(job.row, self.recipe)
        except ClipError as error:
            self.fail(job, str(error))
            return 0
        self.store.write(SEEN, job.sight_key, job.seen.record())
        return sum(len(strips) for strips in self.stages[0].strips(job.seen, {}).values())

    def describe(self, jobs: Sequence[Job]) -> None:
        """Make what is missing of clips that were looked at; a stage's texts are written as soon as they are there."""
        for stage in self.stages:
            new = []
            for job in jobs:
                if job.failure is not None:
                    continue
                assert job.seen, "look comes first"
                record = self.store.read(TEXTS, stage.key(job.seen, job.told))
                if record is None:
                    new.append(job)
                else:
                    job.told = _after(stage, job.told, record)
            self._describe(stage, new)
        for job in jobs:
            if job.failure is None:
                self.store.remove(FAILED, job.key)

    def fail(self, job: Job, reason: str) -> None:
        job.failure = reason
        self.store.write(FAILED, job.key, {"reason": reason, "at_s": time.time()})

    def _describe(self, stage: Stage, jobs: Sequence[Job]) -> None:
        asked = [stage.strips(job.seen, job.told) for job in jobs if job.seen]
        flat = [strip for gaps in asked for strips in gaps.values() for strip in strips]
        start_s = time.perf_counter()
        replies = iter(stage.describer.describe(flat) if flat else [])
        seconds = (time.perf_counter() - start_s) / max(len(flat), 1)
        for job, gaps in zip(jobs, asked, strict=True):
            found = stage.settled({gap: [next(replies) for _ in strips] for gap, strips in gaps.items()})
            if isinstance(found, Failure):
                self.fail(job, found.reason)
                continue
            strips = [strip for strips in gaps.values() for strip in strips]
            record = {
                "texts": {str(gap): texts for gap, texts in found.items()},
                "seconds": seconds * len(strips),
                "frames": sum(len(strip.frames_THWC) for strip in strips),
            }
            assert job.seen, "look comes first"
            self.store.write(TEXTS, stage.key(job.seen, job.told), record)
            job.told = _after(stage, job.told, record)


def _after(stage: Stage, told: dict[int, list[str]], record: Mapping[str, Any]) -> dict[int, list[str]]:
    """The texts of the clip behind a stage: a trajectory is added, a summary replaces."""
    found = {int(gap): list(texts) for gap, texts in record["texts"].items()}
    return told | found if stage.kind == "trajectory" else found
