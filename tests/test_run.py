import pytest

from emovlm import UserError
from emovlm import run as runs
from emovlm.recipe import Recipe


def recipe(**changes):
    return Recipe.model_validate({"data": {"source": "demo"}, "model": {"name": "demo"}, **changes})


def test_identity_is_the_recipe_and_not_where_it_lies(tmp_path):
    assert runs.recipe_hash(recipe()) == runs.recipe_hash(recipe(output=tmp_path))
    assert runs.recipe_hash(recipe()) != runs.recipe_hash(recipe(seed=1))


def test_a_folder_belongs_to_one_recipe(tmp_path):
    run = runs.RunFolder(tmp_path / "run")
    runs.check_free(recipe(), run, resume=False)
    runs.begin(recipe(), run)
    assert runs.stored_hash(run) == runs.recipe_hash(recipe())
    with pytest.raises(UserError, match="add --resume"):
        runs.check_free(recipe(), run, resume=False)
    runs.check_free(recipe(), run, resume=True)
    with pytest.raises(UserError, match="another recipe"):
        runs.check_free(recipe(seed=1), run, resume=True)
    run.adapter.mkdir()
    with pytest.raises(UserError, match="trained already"):
        runs.check_free(recipe(), run, resume=True)


def test_a_strangers_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="no run of emovlm"):
        runs.check_free(recipe(), runs.RunFolder(tmp_path), resume=True)


def test_checkpoints_are_found_by_number(tmp_path):
    for name in ("checkpoint-9", "checkpoint-10", "damaged-checkpoint-11", "checkpoint-old"):
        (tmp_path / name).mkdir()
    assert [path.name for path in runs.RunFolder(tmp_path).checkpoints()] == ["checkpoint-9", "checkpoint-10"]


def test_report_parts_are_kept_apart(tmp_path):
    run = runs.RunFolder(tmp_path)
    runs.update_report(run, recipe(), train={"seconds": 1})
    runs.update_report(run, recipe(), evaluation=("test-likelihood", {"war": 1}))
    runs.update_report(run, recipe(), evaluation=("validation-likelihood", {"war": 0}))
    content = run.report.read_text()
    assert '"seconds": 1' in content
    assert "test-likelihood" in content
    assert "validation-likelihood" in content
    with pytest.raises(ValueError):
        runs.write_json(run.report, float("nan"))
    assert run.report.read_text() == content, "a failed write leaves what was there"


def test_a_folder_without_a_run_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(UserError, match=r"is no run folder; give one, such as runs/mine"):
        runs.existing(tmp_path)


def test_a_file_in_the_way_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    for way in ("file/a.json", "file/b/a.json"):
        with pytest.raises(UserError, match=r"cannot be made .*; name another place"):
            runs.write_text(tmp_path / way, "text")
    assert (tmp_path / "file").read_text() == "x"
