"""What holds under DeepSpeed without a launcher: the check of the first step, and whose checkpoint can be read."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from emovlm import UserError
from emovlm import run as runs
from emovlm.train import checkpoints
from emovlm.train.callbacks import FirstStepCheck
from emovlm.train.checkpoints import Progress


@pytest.fixture
def zero2(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")


def first_step(loss_of):
    """A backward pass, after which DeepSpeed has taken the gradients away."""
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"used": torch.nn.Linear(2, 1), "other": torch.nn.Linear(2, 1)})
    check = FirstStepCheck()
    check.on_train_begin(None, None, None, model=model)
    loss_of(model).backward()
    model.zero_grad(set_to_none=True)
    check.on_pre_optimizer_step(None, None, None, model=model)
    return check


@pytest.mark.usefixtures("zero2")
def test_gradients_are_seen_as_they_come():
    check = first_step(lambda model: model["other"](model["used"](torch.ones(1, 2)).expand(1, 2)).sum())
    assert check.seen == dict.fromkeys(["used.weight", "used.bias", "other.weight", "other.bias"], True)


@pytest.mark.usefixtures("zero2")
def test_a_part_that_is_cut_off_is_found():
    with pytest.raises(RuntimeError, match=r"2 of 4 trained tensors got no gradient, first other\.weight"):
        first_step(lambda model: model["used"](torch.ones(1, 2)).sum())


@pytest.mark.usefixtures("zero2")
def test_gradients_of_zero_are_found():
    with pytest.raises(RuntimeError, match="every gradient of the first step is zero"):
        first_step(lambda model: 0 * (model["used"](torch.ones(1, 2)) + model["other"](torch.ones(1, 2))).sum())


STREAM = {"seed": 0, "ids_and_labels": "a"}


@pytest.mark.parametrize(
    ("wrote", "says"),
    [
        (Progress(), None),
        # Replicas: any number of processes goes on from any other.
        (Progress(num_processes=4), None),
        (Progress(engine="zero2", num_processes=1), "written under zero2 on 1 processes, and plain on 1 cannot"),
        (Progress(engine="fsdp", num_processes=2), "written under fsdp on 2 processes, and plain on 1 cannot"),
    ],
)
def test_an_optimizer_is_read_by_the_engine_that_wrote_it(tmp_path, wrote, says):
    checkpoints.write(tmp_path / "checkpoint-2", np.zeros((1, 2)), STREAM, wrote)
    run = runs.RunFolder(tmp_path)
    if says is None:
        assert checkpoints.find_start(run, STREAM, allow_different_data=False).step == 2
    else:
        with pytest.raises(UserError, match=says):
            checkpoints.find_start(run, STREAM, allow_different_data=False)


@pytest.mark.usefixtures("zero2")
@pytest.mark.parametrize(("num_processes", "fits"), [(1, True), (2, False)])
def test_deepspeed_reads_what_as_many_processes_wrote(tmp_path, monkeypatch, num_processes, fits):
    monkeypatch.setattr(checkpoints.processes, "state", lambda: SimpleNamespace(num_processes=1))
    checkpoints.write(
        tmp_path / "checkpoint-2", np.zeros((1, 2)), STREAM, Progress(engine="zero2", num_processes=num_processes)
    )
    run = runs.RunFolder(tmp_path)
    if fits:
        assert checkpoints.find_start(run, STREAM, allow_different_data=False).step == 2
    else:
        with pytest.raises(UserError, match="start as many under zero2 again"):
            checkpoints.find_start(run, STREAM, allow_different_data=False)
