"""`emovlm sample`: DFEW's counts give the known rows, quickly and without torch; the exported list is the stream."""

import json
import resource
import subprocess
import sys
from collections import Counter

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from emovlm import UserError, sample
from emovlm.cli import app
from emovlm.recipe import Recipe

DFEW = {"happy": 1956, "sad": 1515, "neutral": 2135, "angry": 1738, "surprise": 1175, "disgust": 116, "fear": 721}
SHARES = {
    "natural": [0.2091, 0.1619, 0.2282, 0.1858, 0.1256, 0.0124, 0.0771],
    "square_root": [0.1820, 0.1602, 0.1902, 0.1716, 0.1411, 0.0443, 0.1105],
    "class_balanced": [0.1429] * 7,
}


@pytest.fixture(scope="module")
def dfew(tmp_path_factory):
    """A recipe on a jsonl of 9,356 rows with the class counts of DFEW's first training fold."""
    folder = tmp_path_factory.mktemp("dfew")
    (folder / "clip.mp4").write_bytes(b"never opened")
    rows = [
        {"id": f"{name}/{k}", "media": "clip.mp4", "label": name, "split": "train"}
        for name, count in DFEW.items()
        for k in range(count)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "data": {"source": "jsonl", "root": str(folder / "rows.jsonl"), "classes": list(DFEW)},
        "model": {"name": "Qwen/Qwen2.5-VL-3B-Instruct"},
        "trainer": {"num_train_epochs": 1},
    }
    (folder / "dfew.yaml").write_text(yaml.safe_dump(recipe))
    return folder / "dfew.yaml"


def column(text, header):
    """The cells of one column of the printed table, by class."""
    lines = [line for line in text.splitlines() if "│" in line or "┃" in line]
    names = [cell.strip() for cell in lines[0].split("┃")]
    return {
        cells[1].strip(): cells[names.index(header)].strip() for line in lines[1:] if (cells := line.split("│"))[1:]
    }


@pytest.mark.parametrize("strategy", SHARES)
def test_dfews_counts_print_the_row_of_the_strategy(dfew, strategy):
    result = CliRunner().invoke(app, ["sample", str(dfew), f"sampler.strategy={strategy}"])
    assert result.exit_code == 0, result.output
    assert column(result.output, "asked") == {
        name: f"{share:.4f}" for name, share in zip(DFEW, SHARES[strategy], strict=True)
    }
    assert column(result.output, "clips") == {name: str(count) for name, count in DFEW.items()}


def test_it_needs_neither_torch_nor_two_seconds(dfew):
    code = (
        "import sys; from emovlm import cli; sys.argv = ['emovlm', 'sample', sys.argv[1]]\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print('loaded:', [m for m in ('torch', 'transformers', 'datasets', 'sklearn') if m in sys.modules])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = subprocess.run([sys.executable, "-c", code, str(dfew)], capture_output=True, text=True, check=True)
    assert "loaded: []" in found.stdout
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Processor time: the cores may be busy with other tests.
    assert spent.ru_utime + spent.ru_stime - before.ru_utime - before.ru_stime < 2


def test_the_exported_list_is_the_stream_and_a_source_of_its_own(dfew, tmp_path):
    overrides = ["sampler.strategy=class_balanced", "trainer.max_steps=100"]
    result = CliRunner().invoke(app, ["sample", str(dfew), *overrides, "--export", str(tmp_path / "out.jsonl")])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(lines) == 3200
    assert {step: count for step, count in Counter(line["step"] for line in lines).items() if count != 32} == {}
    drawn = Counter(line["label"] for line in lines)
    assert set(drawn.values()) <= {457, 458}
    again = Recipe.model_validate(
        {"data": {"source": "jsonl", "root": str(tmp_path / "out.jsonl")}, "model": {"name": "x"}}
    )
    assert Counter(row["label"] for row in sample.planned(again).rows) == drawn
    repeats = Counter(line["id"].partition("#")[0] for line in lines if line["label"] == "disgust")
    assert set(repeats.values()) <= {3, 4}  # 457 draws of 116 clips: none is drawn twice more than another
    assert len(repeats) == 116

    refused = CliRunner().invoke(app, ["sample", str(dfew), *overrides, "--export", str(tmp_path / "out.jsonl")])
    assert "exists; name another file" in str(refused.exception)


def test_the_table_is_the_ledger_of_the_training(small, tmp_path):
    from emovlm import run as runs
    from emovlm.train.sft import train

    recipe = small(output=str(tmp_path / "run"))
    run = runs.RunFolder(tmp_path / "run")
    train(recipe, run)
    found = sample.planned(recipe)
    assert found.ledger == json.loads(run.ledger.read_text())
    console = Console(width=140, record=True)
    console.print(sample.sampling_table(found))
    assert "class_balanced: 16 draws in 4 steps of 4, 480 an epoch" in console.export_text()


def only_test_rows():
    return [{"id": "a", "media": ["a.mp4"], "label": "happy", "split": "test"}]


def test_a_set_without_training_rows_is_refused(small):
    with pytest.raises(UserError, match=r"there is no train split \(found: test\)"):
        sample.planned(small(data={"source": f"{__name__}:only_test_rows"}))
