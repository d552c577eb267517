"""Tiny models of every family, written once a session and loaded as emovlm loads them."""

import pytest

from emovlm.models import load
from emovlm.recipe import Model

from . import tiny_families


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory):
    """`family_folder(name)`: model and processor as from_pretrained finds them."""
    folders = {}

    def family_folder(name):
        if name not in folders:
            folders[name] = tiny_families.write(name, tmp_path_factory.mktemp(name) / "model")
        return folders[name]

    return family_folder


@pytest.fixture(scope="session")
def family(family_folder):
    """`family(name)` -> Vlm, read-only: a test that changes weights loads its own from `family_folder`."""
    loaded = {}

    def family(name):
        if name not in loaded:
            loaded[name] = load.load(Model(name=str(family_folder(name))))
            loaded[name].model.eval()
        return loaded[name]

    return family
