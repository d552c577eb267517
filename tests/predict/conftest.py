"""Seven clips of the demo, scored by the demo model as it is: once as `emovlm evaluate` does it."""

import pytest

from emovlm import run as runs
from emovlm.data import splits
from emovlm.evaluate import predictions


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    """A folder of its own for texts and runs."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("predict")
    patch.setenv("EMOVLM_CACHE", str(folder / "cache"))
    yield folder
    patch.undo()


@pytest.fixture(scope="session")
def scored(small, work):
    """`scored("name", enrich={...})` -> (run, its predictions) of the first test clip of every class."""

    def scored(name, **changes):
        from emovlm.enrich.run import texts_made
        from emovlm.evaluate.evaluator import evaluate

        recipe = small(data={"test_subset": {"per_class": 1}}, train="none", output=str(work / name), **changes)
        rows = splits.load(recipe.data)["test"]
        texts_made(recipe, [dict(row) for row in rows], rows.features["label"].names)
        run = runs.RunFolder(recipe.output)
        evaluate(recipe, run)
        return run, predictions.read(run.predictions(runs.evaluation_key(recipe.evaluate, "test")))

    return scored


@pytest.fixture(scope="session")
def plain_run(scored):
    return scored("plain", frames={"keep": 4, "input": "video"}, evaluate={"batch_size": 4})


@pytest.fixture(scope="session")
def clip_of():
    """`clip_of("happy")`: the first test clip of a class."""
    from emovlm.recipe import Data

    rows = splits.load(Data(source="demo"))["test"]
    names = rows.features["label"].names

    def clip_of(name, place=0):
        return [row["media"][0] for row in rows if names[row["label"]] == name][place]

    return clip_of
