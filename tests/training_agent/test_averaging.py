from __future__ import annotations

import torch
from torch import nn

from nascli.training_agent.averaging import MovingAverage


def pair() -> nn.Module:
    return nn.ModuleDict({"a": nn.Linear(2, 2, bias=False), "b": nn.Linear(2, 2, bias=False)})


def stepped(module: nn.Module, average: MovingAverage, value: float, *touched: str) -> None:
    for name, p in module.named_parameters():
        p.grad = torch.ones_like(p) if name.startswith(touched) else None
        if p.grad is not None:
            nn.init.constant_(p, value)
    average.update(module)


def test_what_a_step_does_not_touch_keeps_its_average_and_its_count() -> None:
    module = pair()
    average = MovingAverage(module, 0.9)
    before = average.module["b"].weight.clone()
    stepped(module, average, 1.0, "a")
    assert torch.equal(average.module["b"].weight, before)
    assert average.counts == [1, 0]


def test_each_weight_is_averaged_over_its_own_updates() -> None:
    module = pair()
    average = MovingAverage(module, 0.9)
    for value in (1.0, 2.0, 3.0):
        stepped(module, average, value, "a")
    stepped(module, average, 5.0, "b")
    expected = 1.0
    for count, value in ((2, 2.0), (3, 3.0)):
        decay = min(0.9, count / (9 + count))
        expected = decay * expected + (1 - decay) * value
    torch.testing.assert_close(average.module["a"].weight, torch.full((2, 2), expected))
    torch.testing.assert_close(average.module["b"].weight, torch.full((2, 2), 5.0))


def test_a_state_is_gone_on_from() -> None:
    module = pair()
    first, second = MovingAverage(module, 0.5), MovingAverage(pair(), 0.5)
    stepped(module, first, 1.0, "a")
    second.load_state_dict(first.state_dict())
    for average in (first, second):
        stepped(module, average, 7.0, "a", "b")
    assert first.counts == second.counts == [2, 1]
    assert all(torch.equal(x, second.module.state_dict()[name]) for name, x in first.module.state_dict().items())


def test_a_first_update_replaces_what_the_weight_was_before() -> None:
    module = pair()
    average = MovingAverage(module, 0.9)
    stepped(module, average, 4.0, "b")
    assert torch.equal(average.module["b"].weight, module["b"].weight)


def test_the_average_of_a_weight_that_rests_stays_bit_for_bit() -> None:
    module = pair()
    average = MovingAverage(module, 0.9)
    for value in (0.3, 0.7):
        stepped(module, average, value, "b")
    before = average.module["b"].weight.clone()
    for value in (1.1, 1.3):
        stepped(module, average, value, "a")
    assert not torch.equal(before, module["b"].weight)
    assert torch.equal(average.module["b"].weight, before)
    assert average.counts == [2, 2]
