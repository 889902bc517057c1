"""Spaces whose supernet is any `nn.Module` with choices inside."""

from __future__ import annotations

import hashlib
import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, create_model

from nascli.cost.blocks import Blocks
from nascli.errors import NascliError, UsageError
from nascli.search_space.base import SearchSpace
from nascli.search_space.network_options import options_of
from nascli.search_space.randomness import own_randomness
from nascli.space import Space

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascli.search_space.recording import Recording
    from nascli.supernet.base import Supernet

SHAPE_OPTIONS = ("input_shape", "classes")


class ModuleSpace(SearchSpace):
    """A space written as an ordinary network with `LayerChoice`, `InputChoice` and `Repeat` in it.

    Everything follows from `network`: the decisions, the costs (by running it once with all candidates), the decoded
    models.
    """

    @abstractmethod
    def network(self) -> nn.Module:
        """A new network with fresh weights and open choices; called several times, equal but for its weights."""

    def describe(self) -> Space:
        """The decisions of the network, after one run of all candidates.

        Raises:
            UsageError: nothing to search, a candidate that fails, candidates of one choice with different outputs,
                another number of outputs than classes.
        """
        from nascli.search_space.module_costs import tied_of
        from nascli.supernet.choices import decisions_of
        from nascli.supernet.mutables import InputChoice

        network, config = self._recording.network, self.config
        inputs = {choice.label or "" for choice in network.modules() if isinstance(choice, InputChoice)}
        details = {
            "network": type(network).__qualname__,
            "options": {
                name: value for name, value in config.model_dump(mode="json").items() if name not in SHAPE_OPTIONS
            },
            "tensors": _tensors_digest(network),
            "inputs": sorted(inputs),
        }
        shape, tied = config.input_shape, tied_of(self._recording)
        space = Space(type(self).__name__, decisions_of(network), shape, config.classes, details, tied=tied)
        self._check_decoded(space)
        return space

    def _check_decoded(self, space: Space) -> None:
        """A second network is like the first, and its forward only calls the choices: others may take their place."""
        import torch

        with own_randomness(), torch.no_grad():
            network = self._named()
            if _tensors_digest(network) != space.details["tensors"]:
                raise UsageError(f"{space.name} is another network each time that it is made")
            decoded = _decoded(network, space, [0] * len(space.decisions)).eval()
            try:
                decoded(torch.zeros(1, *space.input_shape))
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
                hint = "a forward may call choices, but not look into them"
                raise UsageError(f"{space.name} fails without its choices", why=why, hint=hint) from error

    @cached_property
    def _recording(self) -> Recording:
        from nascli.search_space.linking import check_links
        from nascli.search_space.recording import record

        with own_randomness():
            recording = record(self._network(), self.config.input_shape)
            check_links(recording)
        output = recording.first[0].output
        if not hasattr(output, "shape"):
            raise UsageError(f"{type(recording.network).__name__} gives a {type(output).__name__}, not a tensor")
        shape: tuple[int, ...] = output.shape
        if len(shape) == 2 and shape[-1] != self.config.classes:
            name = type(recording.network).__name__
            raise UsageError(f"{name} has {shape[-1]} outputs for {self.config.classes} classes")
        return recording

    def _network(self) -> nn.Module:
        """What `network` made, checked."""
        from torch import nn

        try:
            network = self.network()
        except NascliError:
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise UsageError(f"{type(self).__name__} cannot be built", why=why) from error
        if not isinstance(network, nn.Module):
            raise UsageError(f"{type(self).__name__} gives a {type(network).__name__}, not an nn.Module")
        if any(map(nn.parameter.is_lazy, network.parameters())):
            raise UsageError(f"{type(self).__name__} has lazy modules, whose weights have no shape yet")
        return network

    def _named(self) -> nn.Module:
        """A new network whose choices all have labels."""
        from nascli.supernet.choices import choices_of

        network = self._network()
        choices_of(network)
        return network

    def supernet(self) -> Supernet:
        """The network, called with what to run."""
        from nascli.supernet.base import Supernet

        return Supernet(self._named())

    def model(self, arch: Sequence[int]) -> nn.Module:
        """The network with every choice replaced by what it chose."""
        return _decoded(self._named(), self.space, arch)

    def inherit(self, state: Mapping[str, Tensor], arch: Sequence[int]) -> dict[str, Tensor]:
        """Decoding keeps the modules and changes their names alone."""
        with own_randomness():
            network = self._named()
        names = {module: name for name, module in network.named_modules(prefix="network")}
        decoded, inherited = _decoded(network, self.space, arch), dict[str, Any]()
        for name in decoded.state_dict():
            path, _, own = name.rpartition(".")
            inherited[name] = state[f"{names[decoded.get_submodule(path)]}.{own}"]
        return inherited

    def cost_blocks(self, counts_modules: bool = False) -> Blocks:
        """Each candidate on what reached it in one run of the network; equal ones once."""
        from nascli.search_space.module_costs import Costing

        return Costing(self.space, self._recording, counts_modules).blocks()


@cache
def wrap(made_by: Callable[..., Any]) -> type[ModuleSpace]:
    """The search space of a network class, or of a function that makes a network; its arguments are its options.

    Defaults of its own for `input_shape` and `classes` are kept.

    Raises:
        ComponentError: an argument that no option can fill.
    """
    fields, arguments = options_of(made_by, SHAPE_OPTIONS), inspect.signature(made_by).parameters
    shaped = [name for name in SHAPE_OPTIONS if name in arguments]
    own = {name: arguments[name].default for name in shaped if arguments[name].default is not inspect.Parameter.empty}
    usual: dict[str, Any] = {name: _with_default(name, default) for name, default in own.items()}

    def network(self: ModuleSpace) -> nn.Module:
        made: nn.Module = made_by(**{name: deepcopy(getattr(self.config, name)) for name in (*fields, *shaped)})
        return made

    config = create_model("Config", __base__=ModuleSpace.Config, **fields, **usual)
    members = {"Config": config, "network": network, "__doc__": made_by.__doc__, "__module__": made_by.__module__}
    return type(made_by.__name__, (ModuleSpace,), members)


def _with_default(name: str, default: Any) -> tuple[Any, Any]:
    """An option that every space has, with another default."""
    usual = ModuleSpace.Config.model_fields[name]
    return Annotated[(usual.annotation, *usual.metadata, "")], Field(default, description=usual.description)


def _decoded(network: nn.Module, space: Space, arch: Sequence[int]) -> nn.Module:
    from nascli.supernet.decoded import decode

    vector = space.canonical(np.asarray(arch))
    chosen = zip(space.decisions, vector.tolist(), space.exists(vector).tolist(), strict=True)
    return decode(network, {d.label: index if exists else None for d, index, exists in chosen})


def _tensors_digest(network: nn.Module) -> str:
    """Names and shapes of all weights and buffers."""
    rows = [f"{name} {tuple(tensor.shape)}" for name, tensor in network.state_dict().items()]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
