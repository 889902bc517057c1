from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nascli.errors import UsageError
from nascli.space import Forward, Selection
from nascli.supernet.base import Supernet
from nascli.training_agent.classification import Classification
from nascli.training_agent.updates import frozen
from nascli.training_strategy.base import Pass, Update

from .helpers import ARCH, OTHER, batch, fresh, gradients, state_of, tiny, updater

SPACE = tiny().space
LAST = "network.last.1.2.weight"
ONE, TWO = SPACE.forward(ARCH), SPACE.forward(OTHER)
BATCH = batch()


@pytest.fixture
def supernet() -> Supernet:
    module: Supernet = fresh(tiny().supernet)
    return module


def on_path(name: str, arch: Any) -> bool:
    """Whether a weight or buffer of the supernet takes part in an architecture."""
    chosen = zip(SPACE.decisions, arch, strict=True)
    parts = (f"network.layers.{d.label}.{d.candidates[int(choice)]}." for d, choice in chosen)
    return name.startswith(("network.first.", "network.last.", *parts))


def mixture(values: torch.Tensor) -> Forward:
    """All candidates of every layer, weighted by the softmax of `values`, (6, 5)."""
    weights = values.softmax(1)
    return {d.label: Selection(tuple(range(5)), row) for d, row in zip(SPACE.decisions, weights, strict=True)}


def close(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_what_a_step_does_not_touch_stays_bit_for_bit_what_it_was(optimizer: str, supernet: Supernet) -> None:
    runner = updater(supernet, optimizer=optimizer, weight_decay=0.3, momentum=0.9, learning_rate=0.01)
    for arch in np.random.default_rng(0).integers(0, 5, (12, 6)):
        before = state_of(supernet)
        runner.run(Update([Pass(SPACE.forward(arch))]), BATCH)
        moved = {name for name, value in supernet.state_dict().items() if not torch.equal(value, before[name])}
        assert {name for name in moved if not on_path(name, arch)} == set()
        weights = [name for name, p in supernet.named_parameters() if p.dim() > 1 and on_path(name, arch)]
        assert set(weights) <= moved


def test_passes_of_one_update_add_their_gradients(supernet: Supernet) -> None:
    apart = []
    for forward in (ONE, TWO):
        module = deepcopy(supernet)
        updater(module).run(Update([Pass(forward)]), BATCH)
        apart.append(gradients(module))
    updater(supernet).run(Update([Pass(ONE), Pass(TWO)]), BATCH)
    names = apart[0].keys() | apart[1].keys()
    parts = {name: [gradient[name] for gradient in apart if name in gradient] for name in names}
    close(gradients(supernet), {name: torch.stack(part).sum(0) for name, part in parts.items()})


def test_passes_of_one_update_are_one_optimiser_step(supernet: Supernet) -> None:
    before = state_of(supernet)
    updater(supernet, learning_rate=0.5, momentum=0.0, weight_decay=0.0).run(Update([Pass(ONE), Pass(TWO)]), BATCH)
    expected = {name: before[name] - 0.5 * value for name, value in gradients(supernet).items()}
    close({name: supernet.state_dict()[name] for name in expected}, expected)


def test_gradients_do_not_pile_up_over_updates(supernet: Supernet) -> None:
    once, twice = supernet, deepcopy(supernet)
    updater(once, learning_rate=1e-30).run(Update([Pass(ONE)]), BATCH)
    runner = updater(twice, learning_rate=1e-30)
    for forward in (TWO, ONE):
        runner.run(Update([Pass(forward)]), BATCH)
    close(gradients(twice), gradients(once))


def test_scale_multiplies_the_gradient_and_not_the_reported_loss(supernet: Supernet) -> None:
    scaled = deepcopy(supernet)
    whole = updater(supernet).run(Update([Pass(ONE)]), BATCH)
    part = updater(scaled).run(Update([Pass(ONE, scale=0.25)]), BATCH)
    close(gradients(scaled), {name: 0.25 * value for name, value in gradients(supernet).items()})
    assert part.losses[0] == whole.losses[0]


def test_a_number_as_target_imitates_the_detached_output_of_that_pass(supernet: Supernet) -> None:
    by_hand = deepcopy(supernet)
    first, second, third = (by_hand(BATCH.images, f) for f in (ONE, TWO, SPACE.forward([4] * 6)))
    teacher = second.detach()
    loss = cross_entropy(first, BATCH.labels) + cross_entropy(second, BATCH.labels)
    (loss + 0.5 * Classification().imitate(third, teacher)).backward()
    update = Update([Pass(ONE), Pass(TWO), Pass(SPACE.forward([4] * 6), target=1, scale=0.5)])
    losses = updater(supernet).run(update, BATCH)
    close(gradients(supernet), gradients(by_hand))
    torch.testing.assert_close(losses.losses[2], cross_entropy(third, teacher.softmax(1)).detach())


def test_losses_and_accuracies_are_detached_and_of_each_pass(supernet: Supernet) -> None:
    expected = [deepcopy(supernet)(BATCH.images, forward) for forward in (ONE, TWO)]
    losses = updater(supernet).run(Update([Pass(ONE), Pass(TWO)]), BATCH)
    assert not any(value.requires_grad for value in (*losses.losses, *losses.accuracies))
    for found, output in zip(losses.losses, expected, strict=True):
        torch.testing.assert_close(found, cross_entropy(output, BATCH.labels).detach())
    right = [(output.argmax(1) == BATCH.labels).float().mean() for output in expected]
    assert list(losses.accuracies) == right


def test_no_params_writes_neither_gradients_nor_buffers(supernet: Supernet) -> None:
    before = state_of(supernet)
    losses = updater(supernet).run(Update([Pass(ONE), Pass(TWO, target=0)], params=None), BATCH)
    assert gradients(supernet) == {}
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())
    assert all(loss.isfinite() for loss in losses.losses)


def test_no_params_gives_the_losses_of_training(supernet: Supernet) -> None:
    looked = updater(deepcopy(supernet)).run(Update([Pass(ONE)], params=None), BATCH)
    trained = updater(supernet).run(Update([Pass(ONE)]), BATCH)
    assert looked.losses[0] == trained.losses[0]


def test_an_arch_update_moves_the_architecture_parameter_alone(supernet: Supernet) -> None:
    alpha, before = nn.Parameter(torch.zeros(6, 5)), state_of(supernet)
    updater(supernet, [alpha]).run(Update([Pass(mixture(alpha))], "arch", "arch"), BATCH)
    assert (alpha.detach().abs() > 0).all()
    assert gradients(supernet) == {}
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())
    assert all(p.requires_grad for p in supernet.parameters())


def test_the_gradient_of_an_architecture_parameter_is_that_of_the_loss_on_batch_statistics(supernet: Supernet) -> None:
    alpha, by_hand = (nn.Parameter(torch.linspace(-1, 1, 30).view(6, 5)) for _ in range(2))
    cross_entropy(deepcopy(supernet)(BATCH.images, mixture(by_hand)), BATCH.labels).backward()
    updater(supernet, [alpha]).run(Update([Pass(mixture(alpha))], "arch", "arch"), BATCH)
    torch.testing.assert_close(alpha.grad, by_hand.grad)


def test_an_arch_update_keeps_what_was_frozen_frozen(supernet: Supernet) -> None:
    alpha = nn.Parameter(torch.zeros(6, 5))
    supernet.network.first.requires_grad_(False)  # type: ignore[union-attr, operator]
    updater(supernet, [alpha]).run(Update([Pass(mixture(alpha))], "arch", "arch"), BATCH)
    assert {p.requires_grad for p in supernet.network.first.parameters()} == {False}  # type: ignore[union-attr]
    assert {p.requires_grad for p in supernet.network.last.parameters()} == {True}  # type: ignore[union-attr]


def test_a_failure_leaves_nothing_frozen(supernet: Supernet) -> None:
    def fail() -> None:
        with frozen(supernet.parameters()):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert all(p.requires_grad for p in supernet.parameters())


def test_a_weights_update_detaches_the_weights_of_selections(supernet: Supernet) -> None:
    alpha = nn.Parameter(torch.zeros(6, 5))
    updater(supernet, [alpha]).run(Update([Pass(mixture(alpha))]), BATCH)
    assert alpha.grad is None
    assert torch.equal(alpha.detach(), torch.zeros(6, 5))
    assert gradients(supernet).keys() == dict(supernet.named_parameters()).keys()


def test_a_penalty_alone_is_an_update_of_the_weights(supernet: Supernet) -> None:
    weight = supernet.get_parameter(LAST)
    before = weight.detach().clone()
    losses = updater(supernet).run(Update([], penalty=lambda: weight.square().sum()), BATCH)
    close(gradients(supernet), {LAST: 2 * before})
    assert not torch.equal(weight, before)
    assert (losses.losses, losses.accuracies) == ([], [])


def test_a_penalty_alone_is_an_update_of_the_architecture(supernet: Supernet) -> None:
    alpha, before = nn.Parameter(torch.ones(6, 5)), state_of(supernet)
    updater(supernet, [alpha]).run(Update([], "arch", "arch", penalty=lambda: alpha.square().sum()), BATCH)
    assert torch.equal(alpha.grad, torch.full((6, 5), 2.0))
    torch.testing.assert_close(alpha.detach(), torch.full((6, 5), 0.9))
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())


def test_a_penalty_adds_to_the_passes(supernet: Supernet) -> None:
    plain = deepcopy(supernet)
    updater(plain).run(Update([Pass(ONE)]), BATCH)
    weight = supernet.get_parameter(LAST)
    expected = gradients(plain) | {LAST: gradients(plain)[LAST] + 6 * weight.detach()}
    updater(supernet).run(Update([Pass(ONE)], penalty=lambda: 3 * weight.square().sum()), BATCH)
    close(gradients(supernet), expected)


def test_an_arch_update_without_architecture_parameters_is_refused(supernet: Supernet) -> None:
    with pytest.raises(UsageError, match="arch_parameters"):
        updater(supernet).run(Update([Pass(ONE)], params="arch"), BATCH)


def test_a_pass_without_a_forward_runs_the_module_as_it_stands() -> None:
    module = fresh(lambda: tiny().model(ARCH))
    output = deepcopy(module)(BATCH.images)
    losses = updater(module).run(Update([Pass(None)]), BATCH)
    torch.testing.assert_close(losses.losses[0], cross_entropy(output, BATCH.labels).detach())


def test_gradients_are_clipped_by_their_common_norm(supernet: Supernet) -> None:
    unclipped = deepcopy(supernet)
    updater(unclipped).run(Update([Pass(ONE)]), BATCH)
    updater(supernet, clip_grad=0.01).run(Update([Pass(ONE)]), BATCH)
    norm = torch.stack([value.norm() for value in gradients(unclipped).values()]).norm()
    assert norm > 0.01
    close(gradients(supernet), {name: value * 0.01 / norm for name, value in gradients(unclipped).items()})
