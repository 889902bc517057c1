from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from nascli.errors import UsageError
from nascli.search_space.recording import MOST_RUNS, Call, Recording, record
from nascli.supernet.choices import choices_of
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat

from .networks import SHAPE, Again, Net, Nested, Repeats, conv, kernels


def recorded(network: nn.Module) -> Recording:
    return record(network, SHAPE)


def calls(recording: Recording, label: str) -> list[Call]:
    """The calls of the parts of one choice in the first run."""
    return [call for call in recording.first if call.conditions and call.conditions[-1][0] == label]


def inputs(call: Call) -> tuple[int, ...]:
    return tuple(call.args[0].shape)


def test_every_candidate_is_called_wherever_its_choice_is() -> None:
    found = calls(recorded(Again()), "cell.edge")
    assert [inputs(call) for call in found] == [(1, 4, 6, 5)] * 6 + [(1, 4, 3, 2)] * 6
    assert [call.conditions[-1][1] for call in found] == [(0,), (1,), (2,)] * 4


def test_a_call_knows_the_candidates_around_it() -> None:
    found = {call.conditions for call in calls(recorded(Nested()), "deepest")}
    assert found == {(("outer", (0,)), ("middle", (1,)), ("deepest", (i,))) for i in (0, 1)}


def test_deeper_blocks_get_what_the_shallower_give() -> None:
    class Growing(Net):
        def build(self) -> None:
            self.blocks = Repeat([conv(4, 6), conv(6, 6, 3), conv(6, 6)], (1, 3), label="depth")
            self.last = conv(6, 4)

        def body(self, x: Tensor) -> Tensor:
            return self.last(self.blocks(x))

    found = calls(recorded(Growing()), "depth")
    assert [inputs(call)[1] for call in found] == [4, 6, 6]
    assert [call.conditions[-1][1] for call in found] == [(0, 1, 2), (1, 2), (2,)]


def test_a_block_that_all_depths_run_is_no_condition_of_what_is_inside() -> None:
    class Least(Net):
        def build(self) -> None:
            self.blocks = Repeat(lambda i: kernels(f"kernel_{i}"), (1, 2), label="depth")

        def body(self, x: Tensor) -> Tensor:
            return self.blocks(x)

    recording = recorded(Least())
    assert {call.conditions[:-1] for call in calls(recording, "kernel_0")} == {()}
    assert {call.conditions[:-1] for call in calls(recording, "kernel_1")} == {(("depth", (1,)),)}


def test_networks_run_in_evaluation_mode() -> None:
    class Vector(Net):
        """BatchNorm of one image of one pixel fails in training."""

        def build(self) -> None:
            self.norm, self.choice = nn.BatchNorm2d(4), LayerChoice([nn.BatchNorm2d(4), nn.Identity()])

        def body(self, x: Tensor) -> Tensor:
            return self.choice(self.norm(x.mean((2, 3), keepdim=True)))

    network = Vector()
    recorded(network)
    assert network.norm.num_batches_tracked == 0


def test_a_recording_holds_no_graph() -> None:
    assert not any(call.output.requires_grad for call in recorded(Nested()).first)


def test_the_shapes_of_one_architecture_need_one_run() -> None:
    recording = recorded(Repeats())
    assert (list(recording.runs), recording.shifters, recording.complete) == ([()], {}, True)


class Wide(Net):
    """The channels behind a concatenation of any subset of `n` tensors."""

    n = 3

    def build(self) -> None:
        self.width = InputChoice(self.n, reduction="concat", label="width")
        self.block = LayerChoice([nn.Identity(), nn.ReLU()], label="block")

    def body(self, x: Tensor) -> Tensor:
        return self.block(self.width([x] * self.n)).unflatten(1, (-1, 4)).mean(1)


def test_shapes_that_depend_on_a_subset_are_recorded_for_each() -> None:
    recording = recorded(Wide())
    widths = [[inputs(call)[1] for call in run if call.conditions][0] for run in recording.runs.values()]
    assert recording.shifters == {"width": 7}
    assert widths == [4, 4, 4, 8, 8, 8, 12]


def test_too_many_subsets_are_not_tried() -> None:
    class Wider(Wide):
        n = MOST_RUNS.bit_length()

    recording = recorded(Wider())
    assert (list(recording.runs), recording.complete) == ([(0,)], False)
    assert recording.shifters == {"width": 2**7 - 1}


def test_an_input_choice_whose_tensors_differ_for_some_subsets_alone_is_found() -> None:
    class Late(Net):
        """Both tensors of `second` are alike where `first` takes the large map, with which the record starts."""

        def build(self) -> None:
            self.first = InputChoice(2, n_chosen=1, reduction="none", label="first")
            self.second = InputChoice(2, n_chosen=1, reduction="none", label="second")
            self.block = kernels("block")

        def body(self, x: Tensor) -> Tensor:
            (y,) = self.first([x, x[:, :, ::2]])
            (z,) = self.second([x, y])
            return adaptive_avg_pool2d(self.block(z), 1)

    recording = recorded(Late())
    assert recording.shifters == {"first": 2, "second": 2}
    heights = {index: inputs(run[1])[2] for index, run in recording.runs.items()}
    assert heights == {(0, 0): 6, (0, 1): 6, (1, 0): 6, (1, 1): 3}


def net(build: Callable[[Any], None], body: Callable[[Any, Tensor], Tensor]) -> nn.Module:
    """A network with these parts."""
    return type("Mine", (Net,), {"build": build, "body": body})()


def choice(*candidates: nn.Module, label: str = "layer") -> nn.Module:
    """A network with one choice."""

    def build(self: Any) -> None:
        self.layer = LayerChoice(candidates, label=label)

    return net(build, lambda self, x: self.layer(x))


def refused(network: nn.Module) -> UsageError:
    with pytest.raises(UsageError) as caught:
        recorded(network)
    assert caught.value.exit_code == 2
    return caught.value


def test_candidates_with_different_shapes_are_refused() -> None:
    error = refused(choice(conv(), conv(4, 6), conv(stride=2)))
    shapes = "0 (4, 6, 5), 1 (6, 6, 5), 2 (4, 3, 3)"
    assert error.what == f"the candidates of 'layer' give different shapes: {shapes}"


def test_candidates_one_of_which_gives_a_tuple_are_refused() -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    assert "'layer' give different shapes: 0 (4, 6, 5), 1 " in refused(choice(nn.Identity(), Pair())).what


def test_depths_with_different_shapes_are_refused() -> None:
    def build(self: Any) -> None:
        self.blocks = Repeat([conv(), conv(4, 6)], (1, 2), label="depth")

    error = refused(net(build, lambda self, x: self.blocks(x)))
    assert error.what == "the candidates of 'depth' give different shapes: 1 (4, 6, 5), 2 (6, 6, 5)"


def test_tensors_of_different_shapes_have_no_sum() -> None:
    def build(self: Any) -> None:
        self.take = InputChoice(choose_from=["large", "small"], n_chosen=1, label="take")

    error = refused(net(build, lambda self, x: self.take([x, x[:, :, 1:]])))
    assert error.what == "the candidates of 'take' give different shapes: large (4, 6, 5), small (4, 5, 5)"


def test_a_candidate_that_fails_is_named_with_its_input() -> None:
    error = refused(choice(nn.Identity(), conv(8, 4)))
    assert error.what == "candidate '1' of 'layer' fails on input (4, 6, 5)"
    assert "expected input" in error.why
    assert "8 channels" in error.why


def test_a_nested_candidate_that_fails_is_named_itself() -> None:
    inner = LayerChoice({"good": nn.Identity(), "bad": conv(8, 4)}, label="inner")
    error = refused(choice(nn.Identity(), nn.Sequential(conv(4, 6), inner)))
    assert error.what == "candidate 'bad' of 'inner' fails on input (6, 6, 5)"


def test_a_block_of_a_depth_that_fails_is_named_with_its_position() -> None:
    def build(self: Any) -> None:
        self.blocks = Repeat([conv(), conv(8, 4)], (0, 2), label="depth")

    assert refused(net(build, lambda self, x: self.blocks(x))).what.startswith("candidate 'blocks.1' of 'depth' fails")


def test_a_network_that_fails_is_named_with_its_input() -> None:
    error = refused(net(lambda self: setattr(self, "layer", kernels()), lambda self, x: self.layer(x).view(7, 7)))
    assert error.what == "Mine fails on input (2, 6, 5)"
    assert error.why.startswith("RuntimeError: shape '[7, 7]' is invalid")


def test_a_network_that_fails_for_one_subset_alone_is_refused() -> None:
    class Fixed(Wide):
        def body(self, x: Tensor) -> Tensor:
            joined = self.width([x] * 3)
            return self.block(joined)[:, :4] + (joined[:, 11:] if joined.shape[1] == 8 else 0)

    assert "size of tensor" in refused(Fixed()).why


def test_a_choice_that_is_never_called_is_refused() -> None:
    def build(self: Any) -> None:
        self.used, self.unused = kernels("used"), kernels("unused")

    error = refused(net(build, lambda self, x: self.used(x)))
    assert error.what == "choice 'unused' is never called by the network's forward"


def test_one_of_two_equal_labels_that_is_never_called_is_refused() -> None:
    def build(self: Any) -> None:
        self.used, self.unused = kernels("kernel"), kernels("kernel")

    assert "'kernel' is never called" in refused(net(build, lambda self, x: self.used(x))).what


def test_another_number_of_tensors_is_refused() -> None:
    def build(self: Any) -> None:
        self.take = InputChoice(3, label="take")

    assert "'take' has 3 candidates, found 2" in refused(net(build, lambda self, x: self.take([x, x]))).what


def test_a_network_without_choices_is_refused() -> None:
    assert "Conv2d has nothing to search" in refused(nn.Conv2d(2, 2, 1)).what


def test_a_label_with_two_sizes_is_refused() -> None:
    network = nn.Sequential(kernels("kernel"), LayerChoice([conv(), conv(), conv()], label="kernel"))
    assert "two choices are called 'kernel'" in refused(network).what


def test_a_choice_that_is_called_outside_of_its_candidate_is_refused() -> None:
    def build(self: Any) -> None:
        self.outer = LayerChoice([nn.Sequential(conv(), kernels("inner")), nn.Identity()], label="outer")

    error = refused(net(build, lambda self, x: self.outer.get_submodule("0.1")(self.outer(x))))
    assert error.what == "choice 'inner' stands inside 'outer' [0], but is called outside of other choices"


def test_a_choice_that_is_called_in_a_candidate_where_it_does_not_stand_is_refused() -> None:
    class Borrowing(nn.Module):
        def __init__(self, other: nn.Module) -> None:
            super().__init__()
            self.others = [other]

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.others[0](x)
            return out

    def build(self: Any) -> None:
        self.kernel = kernels("kernel")
        self.outer = LayerChoice([Borrowing(self.kernel), nn.Identity()], label="outer")

    error = refused(net(build, lambda self, x: self.outer(self.kernel(x))))
    assert error.what == "choice 'kernel' stands outside of other choices, but is called inside 'outer' [0]"


def test_a_choice_in_a_plain_list_is_refused() -> None:
    def build(self: Any) -> None:
        self.first, self.hidden = kernels("first"), [kernels("hidden")]

    error = refused(net(build, lambda self, x: self.hidden[0](self.first(x))))
    assert error.what == "choice 'hidden' is called, but it is no part of the network"
    assert "ModuleList" in error.hint


def test_a_module_that_is_part_of_several_candidates_may_hold_a_choice() -> None:
    def build(self: Any) -> None:
        part = nn.Sequential(conv(), kernels("kernel"))
        self.outer = LayerChoice([part, nn.Identity(), nn.Sequential(part, conv())], label="outer")

    recording = recorded(net(build, lambda self, x: self.outer(x)))
    around = {call.conditions[0] for call in calls(recording, "kernel")}
    assert around == {("outer", (0,)), ("outer", (2,))}
    assert len(choices_of(recording.network)["kernel"]) == 2
