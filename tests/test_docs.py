"""What the documents say can be typed, and the layers of the design hold."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer.main

from emovlm import cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *ROOT.glob("recipes/**/*.md"),
    *ROOT.glob("recipes/**/*.yaml"),
    *ROOT.glob("tools/**/*.md"),
]
COMMAND = re.compile(r"^[\s#$>`]*(?:\.venv/bin/)?(emovlm [^`#\n]+|make [a-z-]+)", re.MULTILINE)

# Lowest first; a module imports only from layers before its own, or from its own folder.
LAYERS = [
    {
        "__init__",
        "lookup",
        "yaml_file",
        "faults",
        "settings",
        "sections",
        "recipe",
        "recipe_schema",
        "run",
        "demo",
        "places",
        "console",
    },
    {"metrics"},
    {"longtail"},
    {"data"},
    {"sample"},
    {"frames"},
    {"check"},
    {"models", "processes"},
    {"prompts"},
    {"scoring"},
    {"enrich"},
    {"train", "evaluate"},
    {"diagnose", "predict"},
    {"report"},
    {"study"},
    {"launch"},
    {"cli"},
    {"__main__"},
]


def commands():
    return [
        pytest.param(path, found.strip(), id=f"{path.relative_to(ROOT)}: {found.strip()[:60]}")
        for path in DOCUMENTS
        for found in COMMAND.findall(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("path", "command"), commands())
def test_every_command_in_the_documents_parses(path, command):
    program, *arguments = shlex.split(command)
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert arguments[0] in targets
        return
    group = typer.main.get_command(cli.app)
    verb, *rest = arguments
    if verb.startswith("--"):
        group.make_context("emovlm", arguments, resilient_parsing=True)
        return
    assert verb in group.commands, f"{path}: no verb '{verb}'"
    group.commands[verb].make_context(verb, rest)
    for argument in rest:
        if argument.startswith(("recipes/", "accelerate_configs/")):
            assert (ROOT / argument).exists(), f"{path}: {argument} does not exist"


def test_the_documents_hold_commands():
    assert len(commands()) > 8


def test_links_of_the_documents_lead_somewhere():
    for path in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{path}: {target}"


def imports(path):
    """(imported module below emovlm or top-level package, line)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{name.name}", node.lineno) for name in node.names)


def layer_of(part):
    return next((number for number, names in enumerate(LAYERS) if part in names), None)


MODULES = sorted((ROOT / "emovlm").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_layers_before_its_own(path):
    own = path.relative_to(ROOT / "emovlm").with_suffix("").parts[0]
    assert layer_of(own) is not None, f"{own} is in no layer"
    for module, line in imports(path):
        parts = module.split(".")
        if parts[0] != "emovlm" or len(parts) < 2:
            continue
        other = parts[1]
        if layer_of(other) is None or other == own:  # a name of emovlm/__init__.py, or its own folder
            continue
        same_layer = own in LAYERS[0] and other in LAYERS[0]
        assert same_layer or layer_of(other) < layer_of(own), f"{path}:{line}: {own} imports {module}"


def test_among_the_first_layers_only_the_losses_import_torch():
    for path in MODULES:
        part = path.relative_to(ROOT / "emovlm").with_suffix("").parts[0]
        if layer_of(part) <= layer_of("frames") and path.name not in ("losses.py", "class_losses.py"):
            heavy = [module for module, _ in imports(path) if module.split(".")[0] in ("torch", "transformers", "peft")]
            assert not heavy, f"{path}: {heavy}"


def test_four_hops_from_command_to_loss():
    """cli.train -> train.sft.train -> (Trainer) -> compute_loss -> a function of longtail/losses.py."""
    source = (ROOT / "emovlm" / "cli" / "training.py").read_text()
    assert "from emovlm.train.sft import train as train_run" in source
    tree = ast.parse((ROOT / "emovlm" / "train" / "sft.py").read_text())
    trainer = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "LongTailTrainer")
    overrides = [node.name for node in trainer.body if isinstance(node, ast.FunctionDef) and node.name != "__init__"]
    assert overrides == ["_get_train_sampler", "compute_loss", "log"]
    called = {
        node.func.id for node in ast.walk(trainer) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert {"answer_nll", "sample_mean", "token_mean"} <= called


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short_and_names_say_the_thing(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
    banned = {"utils", "util", "helpers", "helper", "common", "base", "misc", "core"}
    assert not banned & set(path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, f"{path}:{node.lineno}: {node.name} is longer than 60 lines"
        if isinstance(node, ast.ClassDef):
            assert not node.name.endswith(("Manager", "Handler"))
