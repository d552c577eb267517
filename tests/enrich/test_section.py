"""The recipe's `enrich:` section: what is wrong is said before anything is imported, with the place and the remedy."""

import subprocess
import sys

import pytest

from emovlm import UserError
from emovlm.recipe import load
from emovlm.recipe_schema import schema

HEAD = "data: {source: demo}\nmodel: {name: demo}\nenrich: "


def loaded(tmp_path, section):
    path = tmp_path / "x.yaml"
    path.write_text(HEAD + section + "\n", encoding="utf-8")
    return load(path).enrich


def test_a_describer_takes_its_own_arguments(tmp_path):
    found = loaded(tmp_path, "{describer: vlm, question: describe_face, batch_size: 4, frames_per_gap: 2}")
    assert found.args == {"question": "describe_face", "batch_size": 4}
    assert (found.frames_per_gap, found.per, found.max_words) == (2, "gap", 15)
    found = loaded(tmp_path, "{describer: motion, summary: {describer: openai, model: m}, control: reversed}")
    assert found.summary.args == {"model": "m"}
    assert loaded(tmp_path, "{source: file, path: texts.json}").args == {"path": "texts.json"}
    assert loaded(tmp_path, "{control: dense}").control == "dense"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{describer: vmm}", r"x\.yaml:3: enrich\.describer: unknown name 'vmm'; did you mean 'vlm'"),
        ("{describer: vlm, adaptor: x}", r"x\.yaml:3: enrich\.adaptor: unknown key \(with vlm\).*'adapter'"),
        ("{describer: vlm, batch_size: many}", r"enrich\.batch_size: got 'many'"),
        ("{describer: motion, stage: gap}", r"enrich\.stage: unknown key"),
        ("{describer: motion, frames_per_gap: 0}", r"enrich\.frames_per_gap: got 0"),
        ("{describer: motion, per: clip}", r"enrich\.per: got 'clip'"),
        ("{describer: motion, source: file}", r"enrich: describer motion and source file: texts have one origin"),
        ("{source: file}", r"enrich: file needs enrich\.path; it has no default"),
        ("{source: fil, path: x}", r"enrich\.source: unknown name 'fil'; did you mean 'file'"),
        ("{frames_per_gap: 3}", r"enrich: name a describer"),
        ("{source: true_units, summary: {describer: vlm}}", r"go on from the texts of a describer"),
        (
            "{describer: motion, control: shuffled}",
            r"enrich\.control: unknown name 'shuffled'; did you mean 'shuffled_o",
        ),
        (
            "{describer: motion, summary: {describer: vlm, words: 3}}",
            r"enrich\.summary\.words: unknown key \(with vlm\)",
        ),
        ("{describer: motion, trajectory: {describer: vml}}", r"enrich\.trajectory\.describer: unknown name 'vml'"),
    ],
)
def test_what_is_wrong_is_said_with_the_place(tmp_path, section, message):
    with pytest.raises(UserError, match=message):
        loaded(tmp_path, section)


def test_the_schema_knows_describers_sources_and_controls():
    properties = schema()["$defs"]["Enrich"]["properties"]
    assert {"vlm", "openai", "action_units", "motion"} <= set(properties["describer"]["examples"])
    assert {"file", "true_units"} == set(properties["source"]["examples"])
    assert {"reversed", "dense"} <= set(properties["control"]["examples"])
    assert {"adapter", "requests_per_s", "path"} <= set(properties)
    assert "row" not in properties


def test_a_section_is_checked_without_torch(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(HEAD + "{describer: vlm, control: dense}\n", encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from emovlm.recipe import load; load(Path(sys.argv[1])); "
        "assert not {'torch', 'transformers', 'scipy', 'PIL'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
