"""What every criterion keeps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nascli.criterion.base import Criterion
from nascli.testing.randomness import no_global_randomness, seeded

if TYPE_CHECKING:
    from torch import Tensor, nn

IMAGES, CLASSES = 8, 4


class CriterionContract:
    """Tests to inherit; `make = MyCriterion` is all they need where there is one class an image.

    Other tasks override `examples`. `mixes` says that class probabilities are targets too, which mixup and cutmix
    need; `is_mean` that the loss is a mean over images, each by itself.
    """

    mixes = True
    is_mean = True

    def make(self) -> Criterion:
        """A new criterion; called several times a test."""
        raise NotImplementedError("set `make` to the class of the criterion")

    def examples(self) -> tuple[Tensor, Tensor]:
        """Outputs float (n, …) and targets (n, …)."""
        import torch

        outputs = torch.randn(IMAGES, CLASSES, generator=torch.Generator().manual_seed(0))
        return outputs, torch.arange(IMAGES) % CLASSES

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What a new module of the criterion makes of them."""
        return seeded(lambda: self.module(outputs)(outputs, targets))  # type: ignore[no-any-return]

    def module(self, outputs: Tensor, seed: int = 0) -> nn.Module:
        """A new module for such outputs."""
        sized = self.make().sized
        return seeded(lambda: sized(outputs.shape[1], CLASSES), seed=seed)

    def test_it_is_a_finite_scalar_with_a_gradient(self) -> None:
        outputs, targets = self.examples()
        outputs.requires_grad_()
        loss = self.loss(outputs, targets)
        assert loss.shape == (), f"a loss is a scalar, found shape {tuple(loss.shape)}"
        assert loss.isfinite(), f"the loss is {loss.item()}"
        loss.backward()
        assert outputs.grad is not None, "the loss does not hang on the outputs"
        assert outputs.grad.any(), "no gradient reaches the outputs"
        assert outputs.grad.isfinite().all(), "the gradient is not finite"

    def test_it_is_a_function_of_outputs_targets_and_torchs_seed(self) -> None:
        outputs, targets = self.examples()
        assert self.loss(outputs, targets).equal(self.loss(outputs, targets)), "the same again, another loss"

    def test_steps_along_its_gradient_lower_it(self) -> None:
        import torch

        outputs, targets = self.examples()
        module = self.module(outputs)
        given = outputs.requires_grad_()
        first = module(given, targets)
        (gradient,) = torch.autograd.grad(first, given)
        with torch.no_grad():
            later = module(given - 0.1 * gradient / gradient.norm(), targets)
        assert later < first, "a step along the gradient makes the loss larger"

    def test_it_is_a_mean_over_the_batch(self) -> None:
        import torch

        if self.is_mean:
            outputs, targets = self.examples()
            twice = self.loss(torch.cat([outputs, outputs]), torch.cat([targets, targets]))
            once = self.loss(outputs, targets)
            assert torch.isclose(twice, once, rtol=1e-4), f"a batch costs {once:.4f}, twice the batch {twice:.4f}"

    def test_it_takes_the_targets_of_mixed_images(self) -> None:
        from torch.nn.functional import one_hot

        outputs, targets = self.examples()
        if self.mixes and targets.dim() == 1:
            hot = one_hot(targets, outputs.shape[1]).float()
            mixed = self.loss(outputs, 0.5 * hot + 0.5 * hot.flip(0))
            assert mixed.shape == (), "class probabilities (n, classes) are targets too"
            assert mixed.isfinite(), f"the loss of class probabilities is {mixed.item()}"

    def test_it_changes_nothing_that_it_is_given(self) -> None:
        outputs, targets = self.examples()
        before = outputs.clone(), targets.clone()
        with no_global_randomness(torch_too=False):
            self.loss(outputs, targets)
        assert outputs.equal(before[0]), "it writes into the outputs"
        assert targets.equal(before[1]), "it writes into the targets"

    def test_its_weights_survive_a_checkpoint(self) -> None:
        outputs, targets = self.examples()
        first, second = self.module(outputs), self.module(outputs, seed=1)
        second.load_state_dict(first.state_dict())
        before, after = (seeded(partial(module, outputs, targets)) for module in (first, second))
        assert before.equal(after), "`state_dict` leaves something out"
