"""No network, one thread a process, and a small recipe on the demo's clips and model."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("EMOVLM_SHARED_DATA", ROOT.parent / "shared" / "data"))

SMALL = {
    "data": {"source": "demo"},
    "frames": {"keep": 2, "input": "images", "max_pixels": 12544},
    "prompt": {"list_classes": False},
    "model": {"name": "demo"},
    "lora": {"rank": 4, "alpha": 8},
    "sampler": {"strategy": "class_balanced"},
    "global_batch": 4,
    "trainer": {
        "max_steps": 4,
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 4,
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
    },
}


@pytest.fixture(scope="session")
def small():
    """`small(seed=1, trainer={...})`: the small recipe with sections merged and values replaced."""
    from emovlm.recipe import Recipe

    def small(**changes):
        values = {key: dict(value) if isinstance(value, dict) else value for key, value in SMALL.items()}
        for key, value in changes.items():
            values[key] = {**values.get(key, {}), **value} if isinstance(value, dict) else value
        return Recipe.model_validate(values)

    return small


@pytest.fixture(scope="session")
def demo_rows():
    """The rows of the demo's validation split (a datasets.Dataset)."""
    from emovlm.data import splits
    from emovlm.recipe import Data

    return splits.load(Data(source="demo"))["validation"]


@pytest.fixture(scope="session")
def demo_vlm():
    """The demo model, read-only: a test that changes weights loads its own."""
    from emovlm.models import load
    from emovlm.recipe import Model

    vlm = load.load(Model(name="demo"))
    vlm.model.eval()
    return vlm
