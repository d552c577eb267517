"""What is asked of the launcher is what works, or nothing starts. With real processes: tests/train/test_scale.py."""

from types import SimpleNamespace

import pytest
import torch
from accelerate import DistributedType

from emovlm import UserError, processes


@pytest.fixture
def asked(monkeypatch):
    """`asked(zero=3)`, `asked(fsdp=True, cpu=True)`: the environment that accelerate's launcher makes."""

    def asked(zero=None, fsdp=False, cpu=False):
        monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", str(zero is not None).lower())
        monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", str(zero))
        monkeypatch.setenv("ACCELERATE_USE_FSDP", str(fsdp).lower())
        monkeypatch.setenv("ACCELERATE_USE_CPU", str(cpu).lower())

    return asked


def test_the_engine_is_read_from_the_launcher(asked):
    assert (processes.engine(), processes.sharded()) == ("plain", False)
    asked(zero=2)
    assert (processes.engine(), processes.sharded()) == ("zero2", False)
    asked(zero=3)
    assert (processes.engine(), processes.sharded()) == ("zero3", True)
    asked(fsdp=True)
    assert (processes.engine(), processes.sharded()) == ("fsdp", True)


def test_four_bits_and_a_head_are_not_cut_into_shards(asked, small):
    four_bits, head = small(model={"quantize": "nf4"}), small(train="head")
    for engine in ({}, {"zero": 2}):
        asked(**engine)
        processes.check_shards(four_bits)
        processes.check_shards(head)
    asked(zero=3)
    processes.check_shards(small())
    with pytest.raises(UserError, match=r"model\.quantize: nf4: cannot be sharded by zero3; take"):
        processes.check_shards(four_bits)
    with pytest.raises(UserError, match=r"train: head: cannot be sharded by zero3; take"):
        processes.check_shards(head)


def test_deepspeed_with_use_cpu_would_be_plain_data_parallel(asked):
    asked(zero=2, cpu=True)
    with pytest.raises(UserError, match="use_cpu: with it DeepSpeed becomes plain data parallel"):
        processes.state()


def test_fsdp_without_a_gpu_would_leave_each_process_alone(asked, monkeypatch):
    monkeypatch.setattr(processes, "on_cpu", lambda: True)
    asked(fsdp=True)
    with pytest.raises(UserError, match="FSDP: needs GPUs"):
        processes.state()


def test_fewer_processes_than_asked_for(monkeypatch):
    """One starts instead of two, and would train alone with half of every step."""
    monkeypatch.setenv(processes.ASKED, "2")
    with pytest.raises(UserError, match=r"2 processes were asked for .*, but 1 work together"):
        processes.state()


@pytest.mark.parametrize(
    ("environment", "started", "says"),
    [
        ({}, DistributedType.MULTI_GPU, None),
        ({"fsdp": True}, DistributedType.FSDP, None),
        ({"fsdp": True}, DistributedType.MULTI_GPU, "fsdp was asked for, but MULTI_GPU was started"),
        ({"zero": 3}, DistributedType.MULTI_CPU, "zero3 was asked for, but MULTI_CPU was started"),
        ({}, DistributedType.DEEPSPEED, "plain was asked for, but DEEPSPEED was started"),
    ],
)
def test_the_engine_that_works_is_the_one_asked_for(asked, monkeypatch, environment, started, says):
    asked(**environment)
    monkeypatch.setattr(processes, "state", lambda: SimpleNamespace(num_processes=2))
    accelerator = SimpleNamespace(
        num_processes=2, distributed_type=started, state=SimpleNamespace(deepspeed_plugin=None)
    )
    if says is None:
        processes.check_engine(accelerator)
    else:
        with pytest.raises(UserError, match=says):
            processes.check_engine(accelerator)


def test_the_stage_that_works_is_the_one_asked_for(asked, monkeypatch):
    monkeypatch.setattr(processes, "state", lambda: SimpleNamespace(num_processes=2))
    deepspeed = SimpleNamespace(deepspeed_plugin=SimpleNamespace(zero_stage=2))
    accelerator = SimpleNamespace(num_processes=2, distributed_type=DistributedType.DEEPSPEED, state=deepspeed)
    asked(zero=2)
    processes.check_engine(accelerator)
    asked(zero=3)
    with pytest.raises(AssertionError, match="zero3 was asked for, but it is 2"):
        processes.check_engine(accelerator)


def test_what_the_trainer_is_told(asked, monkeypatch):
    monkeypatch.setattr(processes, "state", lambda: SimpleNamespace(num_processes=2))
    monkeypatch.setattr(processes, "on_cpu", lambda: True)
    plain = processes.trainer_defaults(torch.bfloat16)
    assert plain["use_cpu"]
    assert plain["ddp_backend"] == "gloo"
    assert "bf16" not in plain, "replicas learn in the type that they have"
    asked(zero=3)
    found = processes.trainer_defaults(torch.bfloat16)
    assert not found["use_cpu"], "DeepSpeed would become plain data parallel"
    assert (found["ddp_backend"], found["bf16"], found["fp16"]) == ("gloo", True, False)
    monkeypatch.setattr(processes, "on_cpu", lambda: False)
    assert not {"use_cpu", "ddp_backend"} & set(processes.trainer_defaults(torch.float32))


def test_a_model_that_lies_in_one_piece_is_saved_as_it_is():
    model = torch.nn.Linear(2, 2)
    assert processes.whole(model) is model


def test_of_a_sharded_model_what_learns_is_saved(asked, monkeypatch):
    """And buffers, which a model trained as a whole needs."""
    asked(zero=3)
    monkeypatch.setattr(processes, "state", lambda: SimpleNamespace(is_main_process=True))
    model = torch.nn.BatchNorm1d(2)
    model.bias.requires_grad_(False)
    model.save_pretrained = lambda folder, state_dict: saved.update({folder: state_dict})
    saved = {}
    found = processes.whole(model)
    found.save_pretrained("here")
    assert set(saved["here"]) == {"weight", "running_mean", "running_var", "num_batches_tracked"}
    assert found.num_features == 2, "in all else it is the model"


def test_elements_are_those_of_the_whole_parameter():
    shard = torch.nn.Parameter(torch.empty(0))
    assert processes.num_elements(shard) == 0
    shard.ds_numel = 12
    assert processes.num_elements(shard) == 12
