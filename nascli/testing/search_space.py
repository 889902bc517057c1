"""What every search space keeps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from nascli.component import Component
from nascli.cost.feasible import FeasibleSet
from nascli.cost.macs import Macs
from nascli.cost.meter import Meter
from nascli.cost.model import CostModel
from nascli.cost.params import Params
from nascli.search_space.base import SearchSpace
from nascli.space import Archs, Space
from nascli.testing.randomness import no_global_randomness, seeded

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascli.supernet.base import Supernet

IMAGES = 2
CLOSE = 1e-9  # of numbers in float64


class SearchSpaceContract:
    """Tests to inherit; `make = MySpace` is all they need: a search space, or a network with choices inside.

    `archs` is how many architectures are tried, `meters` what they are measured by.
    """

    archs = 3
    meters: tuple[type[Meter], ...] = (Macs, Params)

    def make(self) -> SearchSpace:
        """A new search space; called once or twice a test."""
        raise NotImplementedError("set `make` to the class of the search space, or of the network")

    def space(self) -> SearchSpace:
        """What `make` makes; a network's class becomes the space of its choices."""
        made: Any = getattr(type(self), "make", None)
        if isinstance(made, type) and not issubclass(made, Component):
            return SearchSpace.adapt(made)()  # type: ignore[no-any-return]
        return self.make()

    def test_it_describes_itself_alike_each_time(self) -> None:
        with no_global_randomness():
            first, again = self.space().space, self.space().space
        assert first.fingerprint == again.fingerprint, "a second one is another space"
        read = Space.from_description(json.loads(json.dumps(first.describe())))
        assert read.fingerprint == first.fingerprint, "its description is not plain JSON"

    def test_its_weights_are_a_function_of_torchs_seed(self) -> None:
        space = self.space()
        for make in (space.supernet, lambda: space.model(sampled(space, 1)[0])):
            states = [seeded(make).state_dict() for _ in range(2)]
            assert states[0].keys() == states[1].keys(), "a second network has other weights"
            assert all(states[0][name].equal(states[1][name]) for name in states[0]), "equal seeds, other weights"

    def test_a_path_of_the_supernet_is_the_network_that_inherits_it(self) -> None:
        import torch

        space = self.space()
        supernet, x = seeded(space.supernet).double().eval(), images(space)
        for arch in sampled(space, self.archs):
            model = decoded(space, supernet, arch).double().eval()
            with torch.no_grad():
                path, alone = supernet(x, space.space.forward(arch)), model(x)
            assert alone.shape[0] == IMAGES, f"{arch.tolist()}: {IMAGES} images, output {tuple(alone.shape)}"
            assert path.shape == alone.shape, f"{arch.tolist()}: {tuple(path.shape)} and {tuple(alone.shape)}"
            far = (path - alone).abs().max().item()
            assert far <= CLOSE, f"{arch.tolist()}: with inherited weights, `model` differs by {far:g}"

    def test_a_network_has_no_search_machinery_in_it(self) -> None:
        from nascli.supernet.mutable import Mutable

        space = self.space()
        for arch in sampled(space, self.archs):
            left = [name for name, module in space.model(arch).named_modules() if isinstance(module, Mutable)]
            assert not left, f"`model` leaves choices in the network: {', '.join(left)}"

    def test_exact_costs_are_those_of_the_network(self) -> None:
        space = self.space()
        with no_global_randomness():
            costs = space.lookup_table([meter() for meter in self.meters])
        for arch in sampled(space, self.archs):
            for meter in self.meters:
                metric = costs.metrics[meter.metric]
                total = float(costs.total(meter.metric, arch[None])[0])
                assert np.isfinite(total), f"{arch.tolist()} costs {total} {meter.metric}"
                if metric.exact:
                    alone = meter().measure(space.model(arch).eval(), space.space.input_shape)
                    assert total == alone, f"{arch.tolist()}: {total:g} {meter.metric}, its network has {alone:g}"

    def test_a_step_touches_the_weights_of_its_path_alone(self) -> None:
        import torch

        space = self.space()
        supernet, x = seeded(space.supernet).train(), images(space).float()
        for arch in sampled(space, self.archs):
            supernet.zero_grad(set_to_none=True)
            with torch.random.fork_rng(devices=[]):
                supernet(x, space.space.forward(arch)).square().mean().backward()
            gradients = [p.grad for p in supernet.parameters() if p.grad is not None]
            assert gradients, f"{arch.tolist()}: no weight has a gradient"
            assert all(g.isfinite().all() for g in gradients), f"{arch.tolist()}: a gradient is not finite"
            touched = sum(int(g.count_nonzero()) for g in gradients)
            most = sum(p.numel() for p in space.model(arch).parameters())
            assert touched <= most, f"{arch.tolist()}: a step changes {touched:,} weights of {most:,} in its network"

    def test_a_step_keeps_no_more_memory_than_its_network(self) -> None:
        from nascli.training_agent.memory import activation_bytes

        space = self.space()
        supernet, shape = seeded(space.supernet).train(), space.space.input_shape
        for arch in sampled(space, self.archs):
            path = activation_bytes(supernet, space.space.forward(arch), shape, IMAGES)
            alone = activation_bytes(space.model(arch).train(), None, shape, IMAGES)
            assert path <= 1.1 * alone, f"{arch.tolist()}: a path keeps {path:,} bytes, its network {alone:,}"


def sampled(space: SearchSpace, n: int) -> Archs:
    """Architectures int64 (n, d) of a space, whatever they cost."""
    return FeasibleSet(CostModel(space.space, {})).sample(n, np.random.default_rng(0))


def images(space: SearchSpace) -> Tensor:
    """Random images in float64."""
    import torch

    generator = torch.Generator().manual_seed(7)
    return torch.rand(IMAGES, *space.space.input_shape, dtype=torch.float64, generator=generator)


def decoded(space: SearchSpace, supernet: Supernet, arch: Archs) -> nn.Module:
    """The network of an architecture with the weights that it inherits."""
    chosen = arch.tolist()
    model = seeded(lambda: space.model(chosen))
    model.load_state_dict(space.inherit(supernet.state_dict(), chosen))
    return model
