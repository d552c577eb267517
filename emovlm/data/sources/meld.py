"""MELD: 13,708 utterances of 1,432 dialogues of the series Friends, seven classes, official train, dev and test.

Where    https://github.com/declare-lab/MELD (MELD.Raw.tar.gz, and the .tar.gz in it)
Licence  GPL-3.0 for the annotations; the clips are of a television series, for research alone

    root/train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv     or in root/train, root/dev, root/test
    root/train_splits/dia0_utt0.mp4                                  or in root/train, ...
    root/dev_splits_complete/..., root/output_repeated_splits_test/...

The lists write names, in small letters. Columns: `text` (the utterance), `speaker`, `dialogue`, `sentiment`, `source`
(the episode). Traps: dialogues are numbered anew in each split; several faces are in a picture, and the speaker is not
marked; dev lacks dia110_utt7.mp4, which is left out where it is not there; train's dia125_utt3.mp4 is damaged (`emovlm
data check` finds it); the folder of test has copies that no list names. The six main speakers are in all splits, so
speakers are no `subject`; nearly all episodes are in several splits too, and intervals are optimistic. Verified against
the official lists (all class counts of the three splits).
"""

from __future__ import annotations

from pathlib import Path

from emovlm import UserError
from emovlm.data import labels, leftout
from emovlm.data.clipfolder import find_clips
from emovlm.data.schema import PLACE
from emovlm.data.tablefile import read_csv

CLASSES = ["neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust"]
SPLITS = {"train": ("train", "train_splits"), "validation": ("dev", "dev_splits_complete")}
SPLITS |= {"test": ("test", "output_repeated_splits_test")}
# Named by the official list of dev, and in no official archive.
NOT_SHIPPED = "dia110_utt7"
# Split -> class -> utterances.
PUBLISHED = {
    "train": dict(zip(CLASSES, [4710, 1743, 683, 1109, 1205, 268, 271], strict=True)),
    "validation": dict(zip(CLASSES, [470, 163, 111, 153, 150, 40, 22], strict=True)),
    "test": dict(zip(CLASSES, [1256, 402, 208, 345, 281, 50, 68], strict=True)),
}


def load(root: str) -> list[dict]:
    """The rows. Raises UserError."""
    top, rows = Path(root).expanduser(), []
    for split, (written, folder) in SPLITS.items():
        table = _either(top, written, f"{written}_sent_emo.csv")
        clips = _either(top, written, folder)
        listed = list(read_csv(table))
        shipped = split != "validation" or (clips / f"{NOT_SHIPPED}.mp4").is_file()
        found = [_row(values, split, place) for values, place in listed if shipped or _name(values) != NOT_SHIPPED]
        leftout.tell("meld", len(listed), {f"that no archive has ({NOT_SHIPPED})": len(listed) - len(found)})
        media = find_clips([(row["id"].partition("/")[2], row[PLACE]) for row in found], clips)
        rows += [row | {"media": files} for row, files in zip(found, media, strict=True)]
    return rows


def _either(top: Path, split: str, name: str) -> Path:
    """`name` in the root or in the folder of its split, as the archives unpack or as users sort them."""
    for path in (top / name, top / split / name):
        if path.exists():
            return path
    raise UserError(
        f"data.root: there is neither {top / name} nor {top / split / name}; sources/meld.py shows the tree"
    )


def _name(values: dict) -> str:
    return f"dia{values.get('Dialogue_ID')}_utt{values.get('Utterance_ID')}"


def _row(values: dict, split: str, place: str) -> dict:
    try:
        source = f"season {values['Season']}, episode {values['Episode']}"
        row = {"id": f"{split}/{_name(values)}", "text": values["Utterance"], "speaker": values["Speaker"]}
        row |= {"dialogue": f"{split}/{values['Dialogue_ID']}", "sentiment": values["Sentiment"], "source": source}
        return row | {"label": labels.class_name(values["Emotion"], place), "split": split, PLACE: place}
    except KeyError as error:
        raise UserError(f"{place}: has no column {error}; columns: {', '.join(values)}") from None
