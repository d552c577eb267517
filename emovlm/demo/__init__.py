"""The embedded default: rendered face clips and a tiny pretrained model, shipped as package data.

Data only; `tools/demo` builds it. Never for use on people: see model/README.md.
"""

from pathlib import Path

CLIPS: Path = Path(__file__).parent / "clips"
"""train, validation and test, each a folder of clips with a metadata.csv."""

MICRO_CLIPS: Path = Path(__file__).parent / "micro"
"""The same for clips with a short event in them, by the same subjects."""

MODEL: Path = Path(__file__).parent / "model"
"""A `save_pretrained` folder of a tiny Qwen2.5-VL with its processor."""
