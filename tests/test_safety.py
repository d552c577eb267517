"""What comes from elsewhere (annotations, archives, checkpoints) is read as data and never run."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "emovlm"
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {"eval", "exec", "extractall", "unsafe_load", "full_load"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_that_is_read_can_run(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not MODULES & {name.partition(".")[0] for name in names}, f"{path}:{node.lineno}"
        if not isinstance(node, ast.Call):
            continue
        called, place = ast.unparse(node.func), f"{path}:{node.lineno}: {ast.unparse(node)[:80]}"
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        # A model's `eval()` takes no argument.
        assert called.rpartition(".")[2] not in CALLS or (called.endswith(".eval") and not node.args), place
        assert called != "yaml.load", place
        assert called != "torch.load" or given.get("weights_only") == "True", place
        assert called not in ("np.load", "numpy.load") or given.get("allow_pickle", "False") == "False", place
        assert given.get("trust_remote_code", "False") == "False", place
        assert given.get("shell", "False") == "False", place
