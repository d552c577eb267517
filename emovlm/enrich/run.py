"""`emovlm enrich` makes the texts of a recipe; training and evaluation read them."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emovlm import UserError, lookup
from emovlm.data import splits as data_splits
from emovlm.data.synonyms import class_synonyms
from emovlm.enrich import masking, sight, sources
from emovlm.enrich.cache import Store
from emovlm.enrich.making import Summary, make
from emovlm.enrich.sight import Seen
from emovlm.enrich.work import SEEN, Work
from emovlm.frames.clip import ClipError
from emovlm.frames.look import look
from emovlm.prompts.arrangement import GapTexts, Texts
from emovlm.prompts.controls import LOOK_BETWEEN, WITHOUT_TEXTS

if TYPE_CHECKING:
    import datasets

    from emovlm.frames.clip import Clip
    from emovlm.recipe import Recipe
    from emovlm.sections import Enrich

Row = Mapping[str, Any]
GiveTexts = Callable[[Row], GapTexts]


# Whoever knows its path puts it there.
RECIPE = "RECIPE"


class MissingTextsError(UserError):
    """Some clips have no texts yet."""


def enrich(recipe: Recipe, part: tuple[int, int] = (1, 1)) -> Summary:
    """Make the texts that are missing, of all splits. part (k, n): every n-th clip from the k-th, for Slurm arrays.

    Several processes may run at once and do each clip once. A clip that fails is recorded with its reason, and tried
    again by the next call. Raises UserError for what would fail for every clip.
    """
    k, n = part
    if not 1 <= k <= n:
        raise UserError(f"--part {k}/{n}: expected K/N with K from 1 to N, such as 3/16")
    _asked(recipe)
    start_s = time.perf_counter()
    splits = data_splits.load(recipe.data)
    rows = [row for split in splits.values() for row in _rows(split)][k - 1 :: n]
    summary = Summary(len(rows))
    texts = _made(recipe, rows, summary)
    summary.seconds = time.perf_counter() - start_s
    classes = next(iter(splits.values())).features["label"].names
    labels = {row["id"]: None if row["label"] is None else classes[row["label"]] for row in rows}
    summary.mentions = masking.mentions(texts, labels, class_synonyms(classes))
    return summary


def texts_made(recipe: Recipe, rows: Sequence[Row], classes: Sequence[str]) -> tuple[Texts, dict[str, str]]:
    """(the texts of rows that are in no split, made where they are missing; id -> why a clip has none)."""
    if recipe.enrich is None:
        return {}, {}
    summary = Summary(len(rows))
    texts = _made(recipe, rows, summary)
    if recipe.enrich.mask_labels:
        texts = masking.masked(texts, class_synonyms(classes))
    return texts, summary.failed


def texts_for(recipe: Recipe, rows: datasets.Dataset) -> Texts:
    """The texts of these rows by id and gap, as the collator takes them; empty for a recipe without.

    Raises MissingTextsError where any are missing: a clip without its texts would silently be another experiment.
    """
    if recipe.enrich is None or recipe.enrich.control in WITHOUT_TEXTS:
        return {}
    asked = _asked(recipe)
    give = _source(recipe)
    find = (lambda row: (give(row), None)) if give else functools.partial(_kept, recipe, Work(recipe))
    texts = _found(recipe, _rows(rows), find)
    if asked.mask_labels:
        return masking.masked(texts, class_synonyms(rows.features["label"].names))
    return texts


def all_texts(recipe: Recipe, splits: Mapping[str, datasets.Dataset]) -> dict[str, Texts]:
    """The texts of every split that a training and the scoring after it will show: none is missed at the end."""
    asked = recipe.evaluate
    wanted = {"train", asked.split, *(["validation"] if asked.during_training else [])}
    return {name: texts_for(recipe, rows) for name, rows in splits.items() if name in wanted}


def look_for(recipe: Recipe) -> Callable[..., Clip]:
    """`(row, frames, key) -> clip` for the collator: some controls show the frames in between."""
    if recipe.enrich and recipe.enrich.control in LOOK_BETWEEN:
        return functools.partial(_dense, recipe)
    return look


def costs(recipe: Recipe, rows: datasets.Dataset) -> dict[str, float]:
    """What making the texts of these rows took: {seconds, frames} over all clips; empty where no describer did."""
    if recipe.enrich is None or recipe.enrich.control in WITHOUT_TEXTS or _source(recipe):
        return {}
    work, total = Work(recipe), {"seconds": 0.0, "frames": 0.0}
    for row in _rows(rows):
        job = work.job(row)
        if work.find(job):
            total = {name: value + work.costs(job)[name] for name, value in total.items()}
    return total


def _made(recipe: Recipe, rows: Sequence[Row], summary: Summary) -> Texts:
    if _asked(recipe).control in WITHOUT_TEXTS:
        return {}
    if give := _source(recipe):
        texts: dict[str, GapTexts] = {}
        for row in rows:
            try:
                texts[row["id"]] = give(row)
            except ClipError as error:
                summary.failed[row["id"]] = str(error)
        summary.described = len(texts)
        return texts
    return make(Work(recipe), rows, summary)


def _rows(rows: datasets.Dataset) -> list[dict[str, Any]]:
    return [dict(rows[number]) for number in range(len(rows))]


def _asked(recipe: Recipe) -> Enrich:
    """The recipe's section. Raises UserError for a recipe without, and for a control that has no texts to work on."""
    asked = recipe.enrich
    if asked is None:
        raise UserError("enrich: the recipe has no such section, so there are no texts to make")
    if asked.control not in WITHOUT_TEXTS | {"true_units"} and not (asked.describer or asked.source):
        raise UserError(f"enrich.control: {asked.control} needs texts; name a describer or a source")
    if asked.control == "texts_of_keyframes" and not asked.describer:
        raise UserError("enrich.control: texts_of_keyframes needs a describer, which is then shown the chosen frames")
    return asked


def _source(recipe: Recipe) -> GiveTexts | None:
    """`(row) -> texts`, where they do not come from a describer."""
    asked = recipe.enrich
    assert asked, "a recipe without enrich: has no texts"
    store = Store()
    if asked.control == "true_units":
        return lambda row: sources.true_units(row, functools.partial(_seen, row, recipe, store))
    if asked.source is None:
        return None
    source = lookup.resolve(lookup.TEXT_SOURCE, asked.source)
    return lambda row: source(row, functools.partial(_seen, row, recipe, store), **asked.args)


def _seen(row: Row, recipe: Recipe, store: Store) -> Seen:
    sight.check_fixed(recipe)
    key = sight.key(row, recipe)
    record = store.read(SEEN, key)
    if record is None:
        record = sight.see(row, recipe).record()
        store.write(SEEN, key, record)
    return sight.of_record(record)


def _dense(recipe: Recipe, row: Row, _frames: Any, key: tuple[int, int, str] | None) -> Clip:
    return sight.dense_clip(row, recipe, key)


def _kept(recipe: Recipe, work: Work, row: Row) -> tuple[GapTexts | None, str | None]:
    """(what a describer made of a clip, or None; why it could not). Raises ClipError where the clip is at fault."""
    job = work.job(row)
    if work.find(job):
        return job.told, None
    reason = work.failure(job)
    if reason and recipe.data.on_error:
        look(row, recipe.frames, None)
    return None, reason


def _found(recipe: Recipe, rows: Iterable[Row], find: Callable[[Row], tuple[GapTexts | None, str | None]]) -> Texts:
    texts: dict[str, GapTexts] = {}
    missing: dict[str, str | None] = {}
    for row in rows:
        try:
            found, reason = find(row)
        except ClipError as error:
            # Where a clip that cannot be read counts for nothing, its texts are not needed either.
            found, reason = ({} if recipe.data.on_error else None), str(error)
        if found is None:
            missing[row["id"]] = reason
        else:
            texts[row["id"]] = found
    if missing:
        failed = {name: reason for name, reason in missing.items() if reason}
        told = f"; {len(failed)} failed, first '{next(iter(failed))}': {next(iter(failed.values()))}" if failed else ""
        more = "; list what cannot be read in data.quarantine (`emovlm data check`)" if failed else ""
        raise MissingTextsError(
            f"enrich: {len(missing)} of {len(missing) + len(texts)} clips have no texts (first '{next(iter(missing))}'"
            f"{told}); make them with `emovlm enrich {RECIPE}`{more}"
        )
    return texts
