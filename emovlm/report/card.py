"""The model card of a run, as markdown with a YAML header: what an exported folder says about itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import yaml

from emovlm import __version__
from emovlm.report.folders import load, load_run
from emovlm.report.numbers import bracket, number
from emovlm.report.papers import escape_markdown
from emovlm.report.records import METRICS, Evaluation, Run, Score
from emovlm.report.stamps import seeds_stamp, stamps

TAGS = ["emovlm", "emotion-recognition", "facial-expression", "long-tail"]
# What vLLM's --max-lora-rank takes (vllm/config/lora.py, MaxLoRARanks).
SERVED_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
TOWER_ISSUE = "https://github.com/vllm-project/vllm/issues/31479"
ADAPTER = """\
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained("{base}"){where}
model = PeftModel.from_pretrained(model, "{folder}").eval()
processor = AutoProcessor.from_pretrained("{folder}", padding_side="left")"""
WHOLE = """\
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained("{folder}").eval()
processor = AutoProcessor.from_pretrained("{folder}", padding_side="left")"""

HEAD = """\
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained("{base}").eval(){where}
processor = AutoProcessor.from_pretrained("{folder}", padding_side="left")
# scores = state @ weight.T + bias, where state is the last hidden state of the prompt's last token.
head = load_file("{folder}/head.safetensors")"""


def card(folder: Path, name: str, *, merged: bool = False) -> str:
    """The card of the run in `folder`, exported as `name`. merged: as one model, not an adapter beside its base.

    Figures are those of its first evaluation, that of the test split if there is one. Errors: UserError naming the
    file of the run that is missing or broken.
    """
    run = load_run(folder, None)
    whole = merged or run.recipe.get("train") == "full"
    key = next(iter(sorted(run.evaluations, key=lambda key: not key.startswith("test-"))), None)
    found = run.evaluations[key] if key else None
    protocol: Mapping[str, Any] = found.protocol if found else {}
    base = _public(run.recipe["model"]["name"])
    classes = [escape_markdown(one) for one in (found.classes if found else run.ledger.classes if run.ledger else ())]
    # Only a name of the hub leads anywhere on another machine.
    place = base if "/" in base else f"folder/of/{base}"
    loading = (WHOLE if whole else HEAD if run.recipe.get("train") == "head" else ADAPTER).format(
        base=place, folder=name, where="" if place == base else "  # where the base model lies on your disk"
    )
    values = {
        "header": yaml.safe_dump(_header(base, run.recipe.get("train", "lora"), whole), sort_keys=False),
        "name": name,
        "base": base,
        "learnt": _learnt(run, merged),
        "version": run.env.get("versions", {}).get("emovlm", __version__),
        "classes": classes,
        "loading": loading,
        "input": _input(run.recipe.get("frames", {})),
        "question": protocol.get("question") or "(as in recipe.yaml of the run)",
        "data": _data(run, found),
        "vllm": _vllm(run.recipe, place, name, whole),
        "scored": "likelihoods of the class names" if _by_likelihood(protocol) else "texts read by rules",
        **(_results(found) if found else {"scores": []}),
        "stamps": [seeds_stamp(study := load(folder)), *stamps(study, key)] if key else [],
    }
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("emovlm.report", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("card.md.j2").render(values)


def _public(name: str) -> str:
    """A hub name as it is; of a folder on somebody's disk only its last part."""
    return name if name.count("/") == 1 and not name.startswith((".", "/", "~")) else Path(name).name


def _header(base: str, train: str, whole: bool) -> dict[str, Any]:
    """See huggingface.co/docs/hub/model-cards. The licence is the base's: `other`, with a link where it is on a hub."""
    link = {"license_link": f"https://huggingface.co/{base}"} if "/" in base else {}
    return {
        "library_name": "transformers" if whole or train == "head" else "peft",
        **({"base_model": base, "base_model_relation": "finetune" if whole else "adapter"} if "/" in base else {}),
        "pipeline_tag": "image-text-to-text",
        "license": "other",
        "license_name": "that-of-the-base-model",
        **link,
        "tags": TAGS,
    }


def _learnt(run: Run, merged: bool) -> str:
    kind = run.recipe.get("train", "lora")
    if kind == "full":
        return "all of its weights trained"
    if kind == "head":
        return "a linear layer on its last state trained"
    parts = ", ".join(run.recipe.get("lora", {}).get("parts", ["language"]))
    return f"with LoRA on the {parts} part{', merged into its weights,' if merged else ''} trained"


def _input(frames: Mapping[str, Any]) -> str:
    kind = {"video": "one video", "images": "several pictures"}.get(frames.get("input", ""), "one storyboard")
    return f"`{frames.get('pick')}` frames, at most {frames.get('keep')} a clip, with their times, as {kind}"


def _data(run: Run, found: Evaluation | None) -> list[str]:
    data, sampler = run.recipe["data"], run.recipe["sampler"]["strategy"]
    source = str(data["source"]).rpartition(":")[2]
    lines = [f"Data: `{source}`" + (f", fold {fold}" if (fold := (data.get("splits") or {}).get("fold")) else "")]
    if found:
        lines[0] += f"; {sum(found.train_counts_C)} clips to train on"
    if run.train:
        lines.append(f"Training: classes drawn by `{sampler}`, {run.train['num_steps']} steps, seed {run.seed}")
    if found:
        unlabelled = f"; {found.num_unlabelled} clips without a label left out" if found.num_unlabelled else ""
        lines.append(f"Scored on: the {found.split} split, `{found.key}`{unlabelled}")
        keys = ("score_means", "prior", "ids_hash", "prompt_hash")
        lines += [f"{key}: {found.protocol[key]}" for key in keys if found.protocol.get(key)]
        chosen = f"the checkpoint was chosen on the {run.selected_on} split" if run.selected_on else "none chosen"
        lines.append(f"Selection: {chosen}")
    commit = run.env.get("commit")
    return [*lines, f"Recipe {run.env.get('recipe_hash')}" + (f", commit {commit}" if commit else "")]


def _results(found: Evaluation) -> dict[str, Any]:
    columns = zip(found.classes, found.train_counts_C, found.support_C, found.recall_C, found.predicted_C, strict=True)
    rows = []
    for c, (name, trained, support, recall, answered) in enumerate(columns):
        others = [number(_known(values[c])) if values else "-" for values in (found.precision_C, found.f1_C)]
        rows.append([escape_markdown(name), trained, support, _score(recall), *others, answered])
    return {
        "split": found.split,
        "num_clips": found.num_clips,
        "interval": found.interval,
        "scores": [_score(found.scores[metric]) for metric in METRICS],
        "tail": [escape_markdown(name) for name in found.tail],
        "unreadable": found.unreadable,
        "rows": rows,
    }


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


def _score(score: Score | None) -> str:
    return "-" if score is None or np.isnan(score.value) else f"{number(score.value)} {bracket(score, number)}".strip()


def _by_likelihood(protocol: Mapping[str, Any]) -> bool:
    return protocol.get("scorer", "likelihood") == "likelihood"


def _vllm(recipe: Mapping[str, Any], base: str, folder: str, whole: bool) -> list[str]:
    """What a vLLM server can load of this export, and with which flags."""
    if recipe.get("train") == "head":
        return ["The linear layer is no adapter that vLLM knows; `emovlm predict` has it."]
    if whole:
        return [
            f"One model in the layout of its base: `vllm serve {folder}`, where vLLM supports the family. No LoRA flag."
        ]
    lora = recipe.get("lora") or {}
    parts = lora.get("parts", ["language"])
    own = {part: lora.get(part) or {} for part in parts}
    refused = [
        f"`lora.{part}.train: full`, peft's modules_to_save" for part in parts if own[part].get("train") == "full"
    ]
    refused += ["`lora.dora`"] if lora.get("dora") else []
    rank = max(own[part].get("rank") or lora.get("rank", 16) for part in parts)
    served_rank = next((served for served in SERVED_RANKS if served >= rank), None)
    refused += [] if served_rank else [f"rank {rank} is above {SERVED_RANKS[-1]}"]
    if refused:
        return [f"vLLM refuses this adapter ({'; '.join(refused)}). Export again with `--merge` and serve that."]
    serve = f"vllm serve {base} --enable-lora --max-lora-rank {served_rank} --lora-modules emotions={folder}"
    lines = [f"    {serve}"]
    if beside := [part for part in parts if part != "language"]:
        lines[0] += " --enable-tower-connector-lora"
        lines.append(
            f"By default vLLM applies LoRA to the language model alone; this adapter also has {' and '.join(beside)}, "
            f"which takes `--enable-tower-connector-lora`, in the families that have it ({TOWER_ISSUE}; Qwen-VL "
            "was among the first). Elsewhere export with `--merge` and serve that, or a part of what was learnt is "
            "missing."
        )
    else:
        lines.append("The adapter is on the language model alone, which is where vLLM applies LoRA by default.")
    return lines
