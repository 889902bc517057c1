"""What every candidate block keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nascli.testing.randomness import no_global_randomness, seeded

if TYPE_CHECKING:
    from torch import Tensor, nn

IMAGES = 2


class BlockContract:
    """Tests to inherit; `make = MyBlock`, or `staticmethod(my_block)`, is all they need.

    `places` are the (in_channels, out_channels, stride) that it is tried in, `sizes` the heights and widths.
    """

    places: tuple[tuple[int, int, int], ...] = ((8, 8, 1), (8, 12, 1), (8, 12, 2))
    sizes: tuple[tuple[int, int], ...] = ((8, 8), (7, 5))

    def make(self, in_channels: int, out_channels: int, stride: int) -> nn.Module:
        """A new block; called several times a test."""
        raise NotImplementedError("set `make` to the class or the function that makes the block")

    def block(self, place: tuple[int, int, int], seed: int = 0) -> nn.Module:
        """A new block with weights drawn from `seed`."""
        return seeded(lambda: self.make(*place), seed)

    def test_its_output_has_the_shape_of_its_place(self) -> None:
        for place in self.places:
            _, channels, stride = place
            for height, width in self.sizes:
                output = run(self.block(place).eval(), images(place, height, width))
                expected = (IMAGES, channels, -(-height // stride), -(-width // stride))
                found = tuple(output.shape)
                assert found == expected, f"{place} on {height} × {width}: output {found}, expected {expected}"
                assert output.isfinite().all(), f"{place}: the output is not finite"

    def test_it_learns(self) -> None:
        for place in self.places:
            block, x = self.block(place).train(), images(place, *self.sizes[0]).requires_grad_()
            run(block, x).square().mean().backward()
            unused = [name for name, p in block.named_parameters() if p.grad is None]
            assert not unused, f"{place}: no gradient reaches {', '.join(unused)}"
            gradients = [p.grad for p in (x, *block.parameters()) if p.grad is not None]
            assert all(g.isfinite().all() for g in gradients), f"{place}: a gradient is not finite"

    def test_its_weights_are_a_function_of_torchs_seed(self) -> None:
        for place in self.places:
            first, again = (self.block(place).state_dict() for _ in range(2))
            assert first.keys() == again.keys(), f"{place}: a second block has other weights"
            assert all(first[name].equal(again[name]) for name in first), f"{place}: equal seeds, other weights"

    def test_its_weights_survive_a_checkpoint(self) -> None:
        for place in self.places:
            first, second = self.block(place).eval(), self.block(place, seed=1).eval()
            second.load_state_dict(first.state_dict())
            x = images(place, *self.sizes[0])
            assert run(first, x).equal(run(second, x)), f"{place}: `state_dict` leaves something out"

    def test_an_image_is_seen_alone_in_evaluation(self) -> None:
        import torch

        for place in self.places:
            block, x = self.block(place).double().eval(), images(place, *self.sizes[0]).double()
            together, alone = run(block, x), torch.cat([run(block, one[None]) for one in x])
            assert (together - alone).abs().max() < 1e-9, f"{place}: an image changes what becomes of another"

    def test_it_leaves_the_global_random_states_alone(self) -> None:
        block, x = self.block(self.places[0]), images(self.places[0], *self.sizes[0])
        with no_global_randomness():
            run(block.eval(), x)


def images(place: tuple[int, int, int], height: int, width: int) -> Tensor:
    """Random inputs of a block."""
    import torch

    return torch.randn(IMAGES, place[0], height, width, generator=torch.Generator().manual_seed(7))


def run(block: Any, x: Tensor) -> Tensor:
    """The output of a block; what it draws in training comes from a seed."""
    return seeded(lambda: block(x))  # type: ignore[no-any-return]
