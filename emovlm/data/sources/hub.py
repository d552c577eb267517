"""Any set that the library `datasets` loads: a name on the Hugging Face hub, a .parquet, a folder of them, or a folder
that `save_to_disk` wrote.

    data: {source: hub, root: user/faces, columns: {media: image, label: emotion}}

columns: our column -> theirs. Theirs that already have our names need no entry; all others are left out. `media` may
hold pictures or videos as bytes (they become files in $EMOVLM_CACHE, which takes their size a second time), paths
relative to a local root, or lists of either. A ClassLabel gives its names (and -1 is no label); other numbers need
`names`, as everywhere. Splits are used as they are; a set with a single one is dealt out by `data.splits`.

No code of a set is run: `datasets` has no scripts any more, and nothing here asks for them. Verified against sets saved
by `datasets` itself, here without a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from emovlm import UserError
from emovlm.data import labels, mediacache
from emovlm.data.mediafiles import located, missing_file
from emovlm.data.schema import KNOWN, PLACE
from emovlm.data.sources.folder import SPLIT_FOLDERS
from emovlm.lookup import near_miss

if TYPE_CHECKING:
    import datasets

# What `datasets` raises of a dataset_dict.json or state.json that is JSON, but not what it writes.
_NOT_AS_SAVED = (KeyError, TypeError, AttributeError)


def load(
    root: str,
    columns: dict[str, str] | None = None,
    names: dict[str, str] | None = None,
    config: str | None = None,
    revision: str | None = None,
) -> list[dict]:
    """The rows. config, revision: of a set on the hub (a commit as revision makes it the same for all time).

    Raises UserError.
    """
    table, splits = labels.name_table(names), open_set(root, config, revision)
    rows = []
    for split, part in splits.items():
        named = split_name(split, list(splits), root)
        where = _columns(columns, part.column_names, f"{root} [{split}]")
        for index, row in enumerate(_read(part, where, table, root, f"{root} [{split}]")):
            row.setdefault("id", f"{split}/{index}")
            rows.append(row if named is None else {"split": named} | row)
    return rows


def open_set(root: str, config: str | None, revision: str | None) -> dict[str, datasets.Dataset]:
    import datasets
    from datasets.exceptions import DatasetsError

    path = Path(root).expanduser()
    # `user/name` may be on the hub; what can only be a path must exist, or a typo becomes a question to the hub.
    if not path.exists() and (path.suffix == ".parquet" or root.startswith((".", "/", "~")) or root.count("/") != 1):
        raise UserError(f"data.root: '{root}': no such file or folder (from {Path.cwd()}), and no user/name of the hub")
    found: Any
    try:
        if (path / "dataset_dict.json").is_file() or (path / "state.json").is_file():
            found = datasets.load_from_disk(str(path))
        elif path.is_file():
            found = datasets.load_dataset("parquet", data_files=str(path.absolute()))
        else:
            found = datasets.load_dataset(str(path) if path.exists() else root, config, revision=revision)
    except (OSError, ValueError, RuntimeError, DatasetsError, *_NOT_AS_SAVED) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"data.root: '{root}': cannot be loaded ({reason}); name a set of the hub or a .parquet"
        ) from None
    return {str(split): part for split, part in found.items()} if isinstance(found, Mapping) else {"train": found}


def split_name(split: str, splits: list[str], root: str) -> str | None:
    """Our split; None for a set with one alone, so that the recipe deals it out."""
    if len(splits) == 1:
        return None
    if split.lower() not in SPLIT_FOLDERS:
        raise UserError(
            f"data.root: '{root}': its split '{split}' is none of {', '.join(SPLIT_FOLDERS)}; save the splits you want "
            "under such names (datasets: save_to_disk)"
        )
    return SPLIT_FOLDERS[split.lower()]


def _columns(given: dict[str, str] | None, theirs: list[str], place: str) -> dict[str, str]:
    """Our column -> theirs, those of equal name included."""
    for ours, their in (given or {}).items():
        if their not in theirs:
            raise UserError(f"data.columns.{ours}: {place} has no column '{their}'; {near_miss(their, theirs)}")
    found = {name: name for name in theirs if name in KNOWN and name not in (given or {}).values()} | (given or {})
    if "media" not in found:
        raise UserError(f"data.columns: name the column with the pictures or videos, such as {{media: {theirs[0]}}}")
    return found


def _read(
    part: datasets.Dataset, where: dict[str, str], names: dict[str, str] | None, root: str, place: str
) -> list[dict[str, Any]]:
    label = _label_reader(part, where.get("label"), names)
    order = class_names(part, where.get("label")) if "soft_label" in where else []
    classes = [labels.class_name(name, place, names) for name in order]
    media = _media(part.select_columns([where["media"]]), where["media"], root, place)
    others = {ours: their for ours, their in where.items() if ours != "media"}
    found = []
    for index, values in enumerate(_rows(part.select_columns(list(dict.fromkeys(others.values()))), len(media))):
        here = f"{place}, row {index}"
        row: dict[str, Any] = {ours: values[their] for ours, their in others.items()}
        row["label"] = label(row.get("label"), here)
        if "soft_label" in row:
            row["soft_label"] = named_shares(row["soft_label"], classes)
        found.append(row | {"media": media[index], PLACE: here})
    return found


def _rows(part: datasets.Dataset, number: int) -> Iterable[dict[str, Any]]:
    # Without a column there is nothing that has a length.
    return cast("Iterable[dict[str, Any]]", part) if part.column_names else [{}] * number


def _media(part: datasets.Dataset, column: str, root: str, place: str) -> list[list[str]]:
    # The fingerprint of `datasets` is one of the files, of their order and of all that was done with the table.
    table = f"{part._fingerprint} {column} {len(part)}"
    media = mediacache.recall(table)
    if media is None:
        media = []
        for index, values in enumerate(_rows(undecoded(part, column), len(part))):
            given = values[column] if isinstance(values[column], list) else [values[column]]
            media.append([_file(one, root, f"{place}, row {index}") for one in given])
        if all(Path(path).is_file() for paths in media for path in paths):
            mediacache.remember(table, media)
    return media


def undecoded(part: datasets.Dataset, column: str) -> datasets.Dataset:
    """Pictures and videos stay bytes: they are decoded where all media are."""
    import datasets

    feature = part.features[column]
    kinds = (datasets.Image, datasets.Video)
    inner = getattr(feature, "feature", None)
    if isinstance(feature, kinds):
        return part.cast_column(column, type(feature)(decode=False))
    if isinstance(inner, kinds):
        return part.cast_column(column, datasets.List(type(inner)(decode=False)))
    return part


def class_names(part: datasets.Dataset, column: str | None) -> list[str]:
    """Of a ClassLabel: the order in which a `soft_label` beside it has its shares. Else none."""
    import datasets

    feature = part.features.get(column or "")
    return feature.names if isinstance(feature, datasets.ClassLabel) else []


def named_shares(shares: Any, classes: Sequence[Any]) -> Any:
    """A list of shares as {class: share}, which no other order of classes can misread; what is no such list stays."""
    fits = isinstance(shares, list) and len(shares) == len(classes)
    return dict(zip(classes, shares, strict=True)) if fits else shares


def _label_reader(
    part: datasets.Dataset, column: str | None, names: dict[str, str] | None
) -> Callable[[Any, str], str | None]:
    import datasets

    feature = part.features[column] if column is not None else None
    if not isinstance(feature, datasets.ClassLabel):
        return lambda value, place: labels.class_name(value, place, names)

    def of_number(value: Any, place: str) -> str | None:
        # -1: how sets of the hub mark a row whose label is kept back.
        return None if value is None or value < 0 else labels.class_name(feature.int2str(value), place, names)

    return of_number


def _file(given: Any, root: str, place: str) -> str:
    if isinstance(given, bytes):
        return mediacache.store(given, None)
    if isinstance(given, Mapping) and isinstance(given.get("bytes"), bytes):
        return mediacache.store(given["bytes"], given.get("path"))
    written = given.get("path") if isinstance(given, Mapping) else given
    if not isinstance(written, str) or not written:
        raise UserError(f"{place}: media is {type(given).__name__}; must be pictures or videos as bytes, or paths")
    path = Path(root).expanduser().absolute()
    if not path.exists():
        # Of a set on the hub: where `datasets` has put the file.
        return str(Path(written).absolute())
    folder = str(path.parent if path.is_file() else path)
    # `datasets` writes absolute paths of files beside a local table.
    file = located(folder, written, place, folder, absolute=True)
    if not Path(file).is_file():
        missing_file(file, written, place)
    return file
