import pytest

from . import layouts


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A function: the name of a layout -> its folder, written once."""
    known = {}

    def written(name):
        if name not in known:
            known[name] = tmp_path_factory.mktemp(name)
            layouts.module(name).write(known[name])
        return str(known[name])

    return written
