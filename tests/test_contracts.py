"""Every strategy, frame policy and source found by lookup is put through its contract. Nobody lists anything."""

import inspect

import numpy as np
import pytest

from emovlm import lookup

EXAMPLES = {"float": 0.5, "int": 2, "bool": True, "str": "x"}
# Arguments that only mean something by value.
BY_NAME = {"first": "natural", "then": "class_balanced"}


def members(home):
    return [pytest.param(name, id=name) for name in home.names()]


def arguments(home, name):
    """The required arguments, filled by type; a member that needs others needs its own test."""
    return {
        key: BY_NAME.get(key) or EXAMPLES[parameter.annotation]
        for key, parameter in lookup.parameters(home, name).items()
        if parameter.required
    }


def documented(function):
    assert (inspect.getdoc(function) or "").strip(), f"{function.__name__} has no docstring"


@pytest.mark.parametrize("name", members(lookup.STRATEGY))
@pytest.mark.parametrize("counts", [[5, 3, 1], [1], [0, 4, 0, 2], [7] * 9, [1956, 1515, 2135, 1738, 1175, 116, 721]])
def test_strategy(name, counts):
    strategy = lookup.resolve(lookup.STRATEGY, name)
    documented(strategy)
    counts_C = np.array(counts)
    before = counts_C.copy()
    for progress in (0.0, 0.5, 1.0):
        args = arguments(lookup.STRATEGY, name)
        rates_C = strategy(counts_C, progress, **args)
        assert rates_C.shape == counts_C.shape
        assert np.isfinite(rates_C).all()
        assert (rates_C >= 0).all()
        assert (rates_C[counts_C == 0] == 0).all()
        assert (counts_C * rates_C).sum() > 0
        np.testing.assert_array_equal(rates_C, strategy(counts_C, progress, **args), "pure")
    np.testing.assert_array_equal(counts_C, before, "the counts are not changed")


@pytest.mark.parametrize("name", members(lookup.POLICY))
@pytest.mark.parametrize(
    "times_s",
    [[0.0], [0.0, 0.04], np.arange(50) / 25, [0.0, 0.01, 0.02, 1.0, 1.9], np.cumsum(np.linspace(0.01, 0.2, 40))],
)
def test_policy(name, times_s):
    policy = lookup.resolve(lookup.POLICY, name)
    documented(policy)
    times_s_T = np.array(times_s, dtype=float)
    span_s = (float(times_s_T[0]), float(times_s_T[-1] + 0.04))
    thumbnails_THW = np.random.default_rng(0).random((len(times_s_T), 6, 8))
    annotations = {"onset_s": span_s[0], "apex_s": sum(span_s) / 2, "offset_s": span_s[1]}
    for key in ((0, 0, "id"), None):
        supplied = {"key": key, "annotations": annotations, "thumbnails": thumbnails_THW}
        args = arguments(lookup.POLICY, name)
        found = policy(times_s_T, span_s, **supplied, **args)
        assert len(found) >= 1
        assert (np.diff(found) > 0).all()
        assert found[0] >= 0
        assert found[-1] < len(times_s_T)
        np.testing.assert_array_equal(found, policy(times_s_T, span_s, **supplied, **args))


@pytest.mark.parametrize("name", members(lookup.SOURCE))
def test_source(name):
    documented(lookup.resolve(lookup.SOURCE, name))
    for key, parameter in lookup.parameters(lookup.SOURCE, name).items():
        assert parameter.annotation, f"{name}: {key} has no type"


def test_every_home_has_members():
    assert {"natural", "square_root", "class_balanced", "tail_oversampling"} <= set(lookup.STRATEGY.names())
    assert "uniform" in lookup.POLICY.names()
    assert {"demo", "folder", "jsonl"} <= set(lookup.SOURCE.names())
