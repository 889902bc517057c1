from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from nascli.search_space.recording import MOST_RUNS, Call, Recording, record
from nascli.supernet.choices import choices_of
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat

from .networks import SHAPE, Net, conv, kernels
from .small_networks import Again, Nested, Repeats


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
    widths = [next(inputs(call)[1] for call in run if call.conditions) for run in recording.runs.values()]
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


def test_a_module_that_is_part_of_several_candidates_may_hold_a_choice() -> None:
    class Parts(Net):
        def build(self) -> None:
            part = nn.Sequential(conv(), kernels("kernel"))
            self.outer = LayerChoice([part, nn.Identity(), nn.Sequential(part, conv())], label="outer")

        def body(self, x: Tensor) -> Tensor:
            return self.outer(x)

    recording = recorded(Parts())
    around = {call.conditions[0] for call in calls(recording, "kernel")}
    assert around == {("outer", (0,)), ("outer", (2,))}
    assert len(choices_of(recording.network)["kernel"]) == 2
