"""Seeded damage to annotation files and to media files."""

from __future__ import annotations

import csv
import io
import json
import random

ODD = [
    "",
    " ",
    "\ufeff",
    "None",
    "NA",
    "\x00",
    "é",
    "表情 🙂",
    "x" * 4000,
    '"',
    "''",
    "\\",
    "../../etc/passwd",
    "/etc/passwd",
    "a\tb",
    "a\r",
    "line\nbreak",
    "\u2028",
    "1e999",
    "-0",
    "nan",
    "0.5",
    "true",
    "[1, 2",
    '{"happy": 1}',
    "__import__('os').system('false')",
    "!!python/object/apply:os.system ['false']",
    "\ud800",
    "=cmd|' /C calc'!A0",
]
JSON_ODD = [
    None,
    True,
    False,
    0,
    -1,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    {"a": {"b": []}},
    [None],
]
COLUMNS = [
    "file_name",
    "label",
    "subject",
    "split",
    "start_s",
    "end_s",
    "box",
    "soft_label",
    "action_units",
    "text",
    "id",
]


def rows_of(rng: random.Random, names: list[str]) -> list[dict]:
    """Rows that are fine, but for an odd cell here and there."""
    found = []
    for number in range(rng.randrange(1, 6)):
        row = {"file_name": rng.choice(names), "label": rng.choice(["happy", "sad"]), "subject": f"p{number}"}
        row |= {"split": rng.choice(["train", "test"]), "id": f"{number}"}
        for column in rng.sample(COLUMNS, rng.choice([0, 0, 0, 0, 1, 2])):
            row[column] = rng.choice(ODD)
        found.append(row)
    return found


def csv_bytes(rng: random.Random, names: list[str]) -> bytes:
    buffer = io.StringIO()
    rows = rows_of(rng, names)
    columns = rng.sample(COLUMNS, len(COLUMNS)) if rng.random() < 0.3 else list(rows[0])
    end, mark = rng.choice(["\n", "\r\n"]), rng.choice([",", ",", ",", ",", ",", ";", "\t"])
    writer = csv.DictWriter(buffer, columns, restval="", extrasaction="ignore", lineterminator=end, delimiter=mark)
    writer.writeheader()
    writer.writerows(rows)
    return coded(rng, buffer.getvalue())


def jsonl_bytes(rng: random.Random, names: list[str]) -> bytes:
    lines = []
    for row in rows_of(rng, names):
        row["media"] = row.pop("file_name", "a.png")
        if rng.random() < 0.15:
            row[rng.choice([*COLUMNS, "media"])] = rng.choice(JSON_ODD)
        lines.append(json.dumps(row, ensure_ascii=rng.random() < 0.5))
    return coded(rng, rng.choice(["\n", "\r\n"]).join(lines) + rng.choice(["", "\n"]))


def coded(rng: random.Random, text: str) -> bytes:
    """In one of the codings that people have, damaged now and then."""
    coding = rng.choice(["utf-8", "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-8-sig", "latin-1", "utf-16"])
    content = text.encode(coding, "surrogatepass" if coding.startswith("utf") else "replace")
    return damaged(rng, content) if rng.random() < 0.3 else content


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Bits turned, a part cut off, taken out, doubled, zeroed or filled with noise."""
    found = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if not found:
            break
        start = rng.randrange(len(found))
        stop = min(len(found), start + rng.choice([1, 4, 64, 1024]))
        match rng.choice(["turn", "turn", "cut", "take", "double", "zero", "noise"]):
            case "turn":
                found[start] ^= 1 << rng.randrange(8)
            case "cut":
                del found[start:]
            case "take":
                del found[start:stop]
            case "double":
                found[start:start] = found[start:stop]
            case "zero":
                found[start:stop] = bytes(stop - start)
            case "noise":
                found[start:stop] = rng.randbytes(stop - start)
    return bytes(found)
