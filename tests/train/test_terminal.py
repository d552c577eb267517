"""What a training says in the terminal: a bar, or a line a report."""

import pytest

from emovlm.train import terminal


class State:
    is_world_process_zero, global_step, max_steps = True, 10, 30


def test_the_bar_shows_loss_and_uar_and_nothing_else():
    shown = []

    class Onto:
        set_postfix_str = staticmethod(shown.append)

    bar = terminal.Bar()
    bar.training_bar = Onto
    bar.on_log(None, State, None, logs={"ledger/most_repeated": 3})
    bar.on_log(None, State, None, logs={"loss": 0.51234, "loss/fear": 1.0})
    bar.on_log(None, State, None, logs={"validation_uar": 0.25, "validation_war": 0.5})
    assert shown == ["loss 0.5123", "loss 0.5123, validation UAR 0.250"]


def test_without_a_terminal_a_report_is_a_line_with_the_time_left(capsys, monkeypatch):
    now_s = iter([100.0, 105.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(now_s))
    lines = terminal.Lines.__new__(terminal.Lines)
    lines.latest, lines.first_step = terminal.Latest(), 0
    lines.on_train_begin(None, type("Begun", (), {"global_step": 0}), None)
    lines.on_log(None, State, None, logs={"recall/fear": 1.0})
    lines.on_log(None, State, None, logs={"loss": 0.51234, "loss/fear": 1.0})
    assert capsys.readouterr().out == "step 10/30, 0:00:10 left: loss 0.5123\n", "10 steps in 5 s, 20 to go"


@pytest.mark.parametrize(("is_terminal", "job", "bar"), [(True, None, True), (True, "7", False), (False, None, False)])
def test_a_bar_only_on_a_terminal_and_not_under_slurm(monkeypatch, is_terminal, job, bar):
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal, raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    if job:
        monkeypatch.setenv("SLURM_JOB_ID", job)
    assert terminal.has_bar() is bar
