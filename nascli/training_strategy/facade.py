"""What a sampler sees of the supernet: it sets what to run, and nothing runs yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import pad

from nascli.errors import ArtifactError, UsageError
from nascli.space import Archs, Forward, Space
from nascli.supernet.mixtures import MIXTURES, gumbel

STATES = ("single", *MIXTURES)

INITIAL = 1e-3  # standard deviation


class SupernetFacade:
    """Stands for a supernet where a sampler expects one: it remembers what is set, until something else is.

    Architecture parameters have a row for each decision, as long as the most indices that one has; entries that a
    decision does not have are -inf, and ignored where they are set.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.parameters: dict[str, Parameter] = {}
        self.started = False
        """Whether training may have begun: architecture parameters are initialised before."""
        self._state: str | None = None
        self._tau = 1.0
        self._architecture: Archs | None = None
        self._param: Tensor | None = None

    def set_forward_state(self, state: str, tau: float = 1.0) -> None:
        """What each decision runs.

        Args:
            state: "single", one index each, see `set_activate_architecture`; or all candidates, weighted by the
                architecture parameters themselves ("sum"), their softmax, or their softmax with Gumbel noise.
            tau: the temperature of "gumbel_softmax".

        Raises:
            UsageError: another state, or a temperature that is not positive.
        """
        if state not in STATES:
            raise UsageError(f"no forward state is called '{state}'", hint=f"there are: {', '.join(STATES)}")
        if not tau > 0:
            raise UsageError(f"the temperature of '{state}' is positive, found {tau}")
        self._state, self._tau = state, float(tau)

    def set_activate_architecture(self, architecture: npt.ArrayLike | Tensor) -> None:
        """The indices that "single" runs, one for each decision.

        Raises:
            UsageError: this is no architecture of the space.
        """
        found = torch.as_tensor(architecture).reshape(-1).cpu().numpy()
        try:
            if found.dtype.kind in "iu" and len(found) == len(self.space.sizes):
                found = self.space.canonical(found)  # which any vector has, where some are none
            (arch,) = self.space.check(found)
        except ArtifactError as error:
            hint = "self.model.space.sizes has the number of indices of each decision"
            raise UsageError(f"set_activate_architecture: {error.what}", why=error.why, hint=hint) from None
        self._architecture = arch

    def initialize_arch_param(self, device: torch.device | str | None = None) -> None:
        """Make trainable architecture parameters, near 0; the constructor of a sampler calls it.

        Raises:
            UsageError: training has begun, and its optimiser does not know them.
        """
        if self.started:
            raise UsageError("initialize_arch_param is too late in step()", hint="call it in the sampler's __init__")
        rows = zip(self.space.decisions, self.space.sizes, strict=True)
        self.parameters = {d.label: Parameter(INITIAL * torch.randn(size, device=device)) for d, size in rows}
        self._param = None

    def set_arch_param(self, arch_param: npt.ArrayLike | Tensor) -> None:
        """Architecture parameters that are not trained, instead of those that are.

        Args:
            arch_param: (decisions, most indices), or anything with as many values.

        Raises:
            UsageError: another number of values.
        """
        values, shape = torch.as_tensor(arch_param).detach(), (len(self.space.sizes), max(self.space.sizes))
        if values.numel() != shape[0] * shape[1]:
            raise UsageError(f"set_arch_param takes values of shape {shape}, found {tuple(values.shape)}")
        self._param = values.reshape(shape)

    def get_arch_param(self) -> tuple[Tensor, list[Tensor]]:
        """All architecture parameters, (decisions, most indices), and those of each decision, (size,)."""
        rows, most = self._rows(), max(self.space.sizes)
        return torch.stack([pad(row, (0, most - len(row)), value=-torch.inf) for row in rows]), rows

    def get_best_arch_param(self) -> npt.NDArray[np.int64]:
        """The index of the greatest parameter of each decision, (decisions,)."""
        return np.array([int(row.argmax()) for row in self._rows()], dtype=np.int64)

    def _rows(self) -> list[Tensor]:
        if self._param is not None:
            return [row[:size] for row, size in zip(self._param, self.space.sizes, strict=True)]
        if not self.parameters:
            raise UsageError(
                "there are no architecture parameters",
                hint="call self.model.initialize_arch_param() in the sampler's __init__, or set_arch_param(…)",
            )
        return list(self.parameters.values())

    @property
    def in_use(self) -> bool:
        """Whether what is set depends on the trainable architecture parameters."""
        return bool(self.parameters) and self._param is None and self._state not in (None, "single")

    def forward(self, seed: int) -> Forward:
        """What is set, with Gumbel noise from this seed.

        Raises:
            UsageError: something that it needs was not set.
        """
        if self._state is None:
            raise UsageError(
                "the sampler's step() has set no forward state", hint="call self.model.set_forward_state(…)"
            )
        if self._state != "single":
            rows = self._rows()
            noise = gumbel(rows, torch.Generator().manual_seed(seed))
            return MIXTURES[self._state](self.space, rows, noise, self._tau)
        if self._architecture is None:
            raise UsageError(
                "the sampler's step() has set the forward state 'single', but no architecture",
                hint="call self.model.set_activate_architecture(…)",
            )
        return self.space.forward(self._architecture)

    def state_dict(self) -> dict[str, Any]:
        """What is set, but for the trainable parameters."""
        arch = None if self._architecture is None else self._architecture.tolist()
        return {"state": self._state, "tau": self._tau, "architecture": arch, "arch_param": self._param}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`."""
        arch = state["architecture"]
        self._state, self._tau, self._param = state["state"], state["tau"], state["arch_param"]
        self._architecture = None if arch is None else np.array(arch, dtype=np.int64)
