"""The composite of MEGC 2019: 442 micro-expressions of 68 people from SMIC-HS, CASME II and SAMM, in three classes.

Where    https://facial-micro-expressiongc.github.io/MEGC2019 (the list; the three sets by their own agreements)
Licence  those of the three sets: for research alone, not to be passed on

    root/combined_3class_gt.csv      no header: casme2,sub01,EP02_01f,0    smic,s01,s01_ne_01,0    samm,6,006_1_2,0
    root/CASME2/                     as the source casme2 expects it; another folder by `casme2:`
    root/SMIC/                       as the source smic expects it; by `smic:`
    root/SAMM/                       as the source samm expects it; by `samm:`

Official numbers: 0 negative, 1 positive, 2 surprise. Rates are 200, 100 and 200 frames a second. Traps: the list spells
SMIC's people and clips with two digits and SAMM's people without zeros; five clips of CASME II that its table of 2019
puts into the three classes are not in the list. The protocol is one subject out over all 68, `splits: {folds: each,
fold: 1}`, and UF1 (macro-F1) and UAR over the pooled answers. Verified against the official list (counts by set and
class, and its labels against the tables of CASME II and SAMM).
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from emovlm import UserError
from emovlm.data import labels, leftout, spreadsheet
from emovlm.data.schema import PLACE
from emovlm.data.sources import casme2 as casme2_source
from emovlm.data.sources import samm as samm_source
from emovlm.data.sources import smic as smic_source

CLASSES = ["negative", "positive", "surprise"]
NAMES = {str(number): name for number, name in enumerate(CLASSES)}
PUBLISHED = {"all": {"negative": 250, "positive": 109, "surprise": 83}}
# Of which, by set.
PUBLISHED_PARTS = {
    "smic": {"negative": 70, "positive": 51, "surprise": 43},
    "casme2": {"negative": 88, "positive": 32, "surprise": 25},
    "samm": {"negative": 92, "positive": 26, "surprise": 15},
}


def load(root: str, casme2: str = "CASME2", smic: str = "SMIC", samm: str = "SAMM") -> list[dict]:
    """The rows of the list, in its order. casme2, smic, samm: folders, relative to the root. Raises UserError."""
    top = Path(root).expanduser()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", leftout.LeftOut)
        found = {
            "casme2": casme2_source.load(str(top / casme2), grouping="seven"),
            "smic": smic_source.load(str(top / smic)),
            "samm": samm_source.load(str(top / samm)),
        }
    clips = {(name, _key(row["id"])): row for name, part in found.items() for row in part}
    rows = []
    for cells, place in spreadsheet.read_cells(top / "combined_3class_gt.csv"):
        if len(cells) != 4:
            raise UserError(f"{place}: {len(cells)} cells; must be set, subject, clip, number of the class")
        name, subject, clip, number = cells[0].casefold(), *cells[1:]
        # CASME II has the same names of clips for several people.
        row = clips.get((name, _key(f"{subject}/{clip}" if name == "casme2" else clip)))
        if row is None:
            raise UserError(f"{place}: there is no clip {name} {subject} {clip}; complete the folder of this set")
        row = row | {"id": f"{name}/{row['id']}", "subject": f"{name}/{row['subject']}", "set": name}
        rows.append(row | {"label": labels.class_name(number, place, NAMES), PLACE: place})
    return rows


def _key(name: str) -> str:
    """A name without the zeros that lead its numbers: s01_ne_01 is s1_ne_1."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", name.casefold())
