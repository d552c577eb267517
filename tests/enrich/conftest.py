import pytest

from .counting import small_set


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """No test sees another's texts, or the user's."""
    monkeypatch.setenv("EMOVLM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "set"
    path.mkdir()
    return small_set(path)
