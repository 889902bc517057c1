from __future__ import annotations

import torch

from nascli.search_strategy.generator_network import GeneratorNetwork

SIZES = (3, 1, 4)


def network() -> GeneratorNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GeneratorNetwork(SIZES, width=8, layers=2)


def test_there_are_logits_for_every_index_of_every_decision() -> None:
    logits = network()(torch.rand(5), torch.zeros(5, 3, dtype=torch.int64))
    assert [tuple(rows.shape) for rows in logits] == [(5, 3), (5, 1), (5, 4)]


def test_an_untrained_network_repeats_its_priors() -> None:
    priors = torch.tensor([[2, 0, 1], [0, 0, 3]])
    logits = network()(torch.tensor([0.1, 0.9]), priors)
    assert torch.stack([rows.argmax(1) for rows in logits], dim=1).tolist() == priors.tolist()


def test_target_and_prior_both_count() -> None:
    made = network()
    torch.nn.init.normal_(made.last.weight, generator=torch.Generator().manual_seed(0))
    zeros = torch.zeros(2, 3, dtype=torch.int64)
    low, high = made(torch.tensor([0.2, 0.8]), zeros)[2]
    assert not torch.allclose(low, high)
    one = torch.tensor([[0, 0, 0], [1, 0, 0]])
    first, second = made(torch.tensor([0.5, 0.5]), one)[2]
    assert not torch.allclose(first, second)


def test_rows_do_not_depend_on_each_other() -> None:
    made, targets = network(), torch.rand(4)
    priors = torch.randint(0, 1, (4, 3))
    together = torch.cat(made(targets, priors), dim=1)
    alone = torch.cat(made(targets[2:3], priors[2:3]), dim=1)
    torch.testing.assert_close(together[2:3], alone)
