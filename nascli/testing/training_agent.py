"""What every training agent keeps."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from nascli.testing.randomness import no_global_randomness
from nascli.training_agent.base import TrainingAgent

if TYPE_CHECKING:
    from torch import Tensor

IMAGES, CLASSES = 8, 4


class TrainingAgentContract:
    """Tests to inherit; `make = MyAgent` is all they need for a task with one class an image.

    Other tasks override `examples`, and `classes` where there are not four.
    """

    classes: tuple[str, ...] = tuple(f"class_{i}" for i in range(CLASSES))

    def make(self) -> TrainingAgent:
        """A new agent; called several times a test."""
        raise NotImplementedError("set `make` to the class of the training agent")

    def examples(self) -> tuple[Tensor, Tensor]:
        """Outputs float (n, …) and labels (n, …) of an even number of images."""
        import torch

        outputs = torch.randn(IMAGES, CLASSES, generator=torch.Generator().manual_seed(0))
        return outputs, torch.arange(IMAGES) % CLASSES

    def test_every_image_has_a_score_and_a_loss(self) -> None:
        outputs, labels = self.examples()
        for given in (outputs, outputs.bfloat16()):
            scores, losses = self.make().judge(given, labels)
            for name, values in (("scores", scores), ("losses", losses)):
                assert values.shape == (len(labels),), f"{name} of {len(labels)} images have shape {values.shape}"
                assert values.is_floating_point(), f"{name} are {values.dtype}"
                assert values.isfinite().all(), f"{name} are not finite"
            assert ((scores >= 0) & (scores <= 1)).all(), "scores lie in 0 to 1"

    def test_the_loss_has_a_gradient(self) -> None:
        outputs, labels = self.examples()
        outputs.requires_grad_()
        self.make().judge(outputs, labels)[1].sum().backward()
        assert outputs.grad is not None, "the loss does not hang on the outputs"
        assert outputs.grad.isfinite().all(), "the gradient is not finite"

    def test_a_validation_does_not_hang_on_its_batches(self) -> None:
        outputs, labels = self.examples()
        agent, half = self.make(), len(labels) // 2
        whole, parts = agent.judged(), agent.judged()
        whole.add(outputs, labels)
        for part in (slice(half), slice(half, None)):
            parts.add(outputs[part], labels[part])
        first, second = whole.score(), parts.score()
        assert first.images == second.images == len(labels), f"{first.images} images are counted, not {len(labels)}"
        assert 0 <= first.accuracy <= 1, f"the score {first.accuracy} does not lie in 0 to 1"
        for name, one, other in (("score", first.accuracy, second.accuracy), ("loss", first.loss, second.loss)):
            assert math.isclose(one, other, rel_tol=1e-5), f"{name} {one:g}, in two batches {other:g}"

    def test_a_student_moves_towards_its_teacher(self) -> None:
        import torch

        student, _ = self.examples()
        teacher = student.flip(0).clone().requires_grad_()
        student.requires_grad_()
        loss = self.make().imitate(student, teacher.detach())
        assert loss.shape == (), f"`imitate` is a scalar, found shape {tuple(loss.shape)}"
        loss.backward()
        assert student.grad is not None, "`imitate` does not hang on the outputs"
        with torch.no_grad():
            closer = self.make().imitate(student - 0.1 * student.grad, teacher)
        assert closer < loss, "a step along the gradient of `imitate` makes it larger"

    def test_its_report_is_plain_json_and_repeats_itself(self) -> None:
        outputs, labels = self.examples()
        texts = [json.dumps(self.make().report(outputs, labels, self.classes), allow_nan=False) for _ in range(2)]
        assert texts[0] == texts[1], "a second report says something else"

    def test_it_changes_nothing_that_it_is_given(self) -> None:
        outputs, labels = self.examples()
        before = outputs.clone(), labels.clone()
        agent = self.make()
        with no_global_randomness():
            agent.judge(outputs, labels)
            agent.imitate(outputs, outputs.flip(0))
            agent.report(outputs, labels, self.classes)
        assert outputs.equal(before[0]), "it writes into the outputs"
        assert labels.equal(before[1]), "it writes into the labels"
