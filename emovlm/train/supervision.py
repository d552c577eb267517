"""What the training rows are taught: targets, the loss over classes if there is one, and how it goes class by class.

N training rows, B samples of a batch, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate.utils import gather_object

from emovlm import UserError, lookup, processes
from emovlm.longtail.targets import distributions

if TYPE_CHECKING:
    import datasets

    from emovlm.longtail.plan import Plan
    from emovlm.prompts.answers import Answers
    from emovlm.recipe import Recipe


@dataclass
class Supervision:
    """class_loss: `(scores_BC, targets_BC, prior_C) -> losses_B`, or None for the likelihood of the answer.

    names: token ids of each class name. targets_NC: a distribution a row, one-hot for a hard label.
    labelled: False where the rows teach free answers, which have no class.
    """

    class_loss: Callable[..., torch.Tensor] | None
    names: list[list[int]]
    targets_NC: torch.Tensor
    prior_C: torch.Tensor
    weights_C: torch.Tensor
    weights_from: float
    labelled: bool

    def weights_of(self, rows_B: torch.Tensor, progress: float) -> torch.Tensor:
        """The class weight of each row; a soft row has the mean of its classes'. Ones before `weights_from`."""
        if progress < self.weights_from or not self.labelled:
            return torch.ones(len(rows_B), device=rows_B.device)
        return (self.targets_NC[rows_B.cpu()] @ self.weights_C).to(rows_B.device)


def supervision(recipe: Recipe, rows: datasets.Dataset, plan: Plan, answers: Answers, labelled: bool) -> Supervision:
    """Raises UserError for soft labels without a loss that can use them."""
    classes = rows.features["label"].names
    soft_NC = soft_labels(rows)
    name = recipe.loss.over_classes
    if name is None and soft_NC is not None and labelled:
        raise UserError("loss.over_classes: the rows have soft labels, which need one, such as cross_entropy")
    if name is not None and not labelled:
        raise UserError("loss.over_classes: the rows teach free answers, which have no class; leave it out")
    targets_NC = soft_NC if soft_NC is not None else np.eye(len(classes))[np.maximum(plan.labels_N, 0)]
    return Supervision(
        class_loss=partial(lookup.resolve(lookup.CLASS_LOSS, name), **recipe.loss.args) if name else None,
        names=[answers.ids(label) for label in classes],
        targets_NC=torch.tensor(targets_NC, dtype=torch.float32),
        prior_C=torch.tensor(plan.prior_C, dtype=torch.float32),
        weights_C=torch.tensor(plan.weights_C, dtype=torch.float32),
        weights_from=recipe.loss.weights_from,
        labelled=labelled,
    )


def soft_labels(rows: datasets.Dataset) -> np.ndarray | None:
    """soft_NC where the set has soft labels, else None."""
    if "soft_label" not in rows.column_names:
        return None
    return distributions(rows["soft_label"], rows["label"], len(rows.features["label"].names))


@dataclass
class ClassMeter:
    """Loss and recall of each class since the last report, over all processes.

    A sample counts as recalled where the class with the largest score is its own; without class scores, where the model
    would have written the whole answer greedily.
    """

    classes: list[str]
    sums_3C: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.sums_3C = np.zeros((3, len(self.classes)))

    def add(self, targets_BC: torch.Tensor, losses_B: torch.Tensor, hits_B: torch.Tensor) -> None:
        own_B = targets_BC.argmax(-1).cpu().numpy()
        for k, values_B in enumerate((torch.ones_like(losses_B), losses_B, hits_B.float())):
            np.add.at(self.sums_3C[k], own_B, values_B.detach().float().cpu().numpy())

    def report(self) -> dict[str, float]:
        """{loss/<class>, recall/<class>} for the classes that were drawn; starts anew. Every process must call it."""
        sums_3C = self.sums_3C
        if processes.state().num_processes > 1:
            sums_3C = np.sum(gather_object([sums_3C]), axis=0)
        self.sums_3C = np.zeros_like(self.sums_3C)
        found: dict[str, float] = {}
        for name, (count, loss, hits) in zip(self.classes, sums_3C.T, strict=True):
            if count:
                found |= {f"loss/{name}": loss / count, f"recall/{name}": hits / count}
        return found


def greedy_hits(logits_BAV: torch.Tensor, answers_BA: torch.Tensor, ignored: int) -> torch.Tensor:
    """Whether greedy decoding would write the whole answer: (B,) bool."""
    return ((logits_BAV.argmax(-1) == answers_BA) | (answers_BA == ignored)).all(-1)


def warn_of_both(recipe: Recipe, plan: Plan, classes: list[str]) -> str | None:
    """One line where sampler and class weights both rebalance: what the loss sees together."""
    if recipe.loss.class_weights == "none" or recipe.sampler.strategy == "natural":
        return None
    shares: dict[str, Any] = dict(zip(classes, plan.prior_C, strict=True))
    seen = ", ".join(f"{name} {share:.3f}" for name, share in shares.items())
    return f"sampler and class weights both rebalance; together the loss sees: {seen}"
