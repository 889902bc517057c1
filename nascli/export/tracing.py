"""A network as the list of its operations, by `torch.fx`."""

from __future__ import annotations

import copy
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from nascli.export.spelling import spelled

ROOT = "network"
FREED = re.compile(r";  (?:\w+ = )+None$", re.MULTILINE)
OPEN = ("torch", "torchvision", "math", "builtins", "operator", "_operator")
TAKING = ("call_module", "get_attr")
TAKEN = frozenset(dir(nn.Module())) | {"x"}


class Untraceable(Exception):
    """The operations cannot be listed, or not be written down without code of others."""


@dataclass(frozen=True)
class Traced:
    """What a network does.

    Args:
        forward: the method in Python, of `self` and `x`.
        imports: lines that it needs, beside `import torch`.
        modules: attribute → the module of torch that it is, and the expression that makes one.
        tensors: attribute → a weight, buffer or constant that `forward` takes by itself.
    """

    forward: str
    imports: list[str]
    modules: dict[str, tuple[nn.Module, str]]
    tensors: dict[str, Tensor]


def traced(network: nn.Module, x: Tensor) -> Traced:
    """List the operations of a network in evaluation mode on inputs like `x` (N, C, H, W).

    Modules that can be written as one call stay as they are, others are looked into.

    Raises:
        Untraceable: its control flow depends on values, or it calls functions that are not torch's.
    """
    try:
        with torch.no_grad():
            return _traced(_Called(copy.deepcopy(network).eval()), x)
    except Untraceable:
        raise
    except Exception as error:  # whatever a forward does with a tensor that is not there
        raise Untraceable(f"{type(error).__name__}: {error}".splitlines()[0]) from error


def _traced(root: nn.Module, x: Tensor) -> Traced:
    leaves = spelled(root)
    tracer, graph = _graph(root, leaves, x)
    members = tracer.members(graph)
    graph = fx.GraphModule(members, graph).graph
    graph.eliminate_dead_code(_has_effect)
    used = {str(node.target): members[node.target] for node in graph.nodes if node.op in TAKING}
    modules = {name: (it, leaves[it]) for name, it in used.items() if isinstance(it, nn.Module)}
    tensors = {name: it for name, it in used.items() if isinstance(it, Tensor)}
    code = graph.python_code("self")
    return Traced(FREED.sub("", code.src).strip(), _imports(code), modules, tensors)


def _has_effect(node: fx.Node) -> bool:
    return node.is_impure() or (node.op == "call_method" and str(node.target).endswith("_"))


class _Called(nn.Module):
    """Calls the network with one argument, whatever others its forward may take."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:
        return self.network(x)


class _Asked(Exception):
    """The forward wants to know what a node is, which only running the operations so far can tell."""


def _graph(root: nn.Module, leaves: Mapping[nn.Module, str], x: Tensor) -> tuple[_Tracer, fx.Graph]:
    """Trace, and begin again with each answer."""
    answers: dict[str, Any] = {}
    while True:
        tracer = _Tracer(leaves, answers)
        try:
            return tracer, tracer.trace(root)
        except _Asked as asked:
            name = str(asked)
            if name in answers:
                raise
            answers[name] = _value(tracer, name, x)


def _value(tracer: _Tracer, name: str, x: Tensor) -> Any:
    """What a node is on one input."""
    so_far, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    so_far.graph_copy(tracer.graph, copies)
    so_far.output(next(copy for node, copy in copies.items() if node.name == name))
    return fx.Interpreter(tracer.root, graph=so_far).run(x.clone())


class _Tracer(fx.Tracer):
    """Some modules stay one call; forwards may loop over tuples and ask for dimensions.

    Args:
        leaves: the modules that stay, and the expressions that make them.
        answers: name of a node → what it is on one input.
    """

    def __init__(self, leaves: Mapping[nn.Module, str], answers: Mapping[str, Any]) -> None:
        super().__init__()
        self._leaves, self._answers = leaves, answers
        self._names: dict[str, str] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether it stays one call."""
        return m in self._leaves

    def create_node(
        self, kind: str, target: Any, args: Any, kwargs: Any, name: str | None = None, type_expr: Any = None
    ) -> fx.Node:
        """Variables are named as the modules they come from."""
        name = self.name(target) if kind in TAKING else name
        return super().create_node(kind, target, args, kwargs, name, type_expr)

    def name(self, target: str) -> str:
        """The attribute for a dotted name; two never share one."""
        if target not in self._names:
            name = re.sub(r"\W", "_", target.removeprefix(ROOT).removeprefix(".")) or "layers"
            name = f"layer_{name}" if not name[0].isalpha() else name
            while name in TAKEN or keyword.iskeyword(name) or name in self._names.values():
                name += "_"
            self._names[target] = name
        return self._names[target]

    def members(self, graph: fx.Graph) -> dict[str, nn.Module | Tensor]:
        """The modules and tensors that the operations take, by the attributes that the graph then names them by."""
        found: dict[str, nn.Module | Tensor] = {}
        for node in graph.nodes:
            node.type = None  # annotations name what only the network's own file imports
            if node.op in TAKING:
                path, _, own = str(node.target).rpartition(".")
                node.target = self.name(node.target)
                found[node.target] = getattr(self.root.get_submodule(path), own)
        return found

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        """The members of a tuple; their number is the same for every input."""
        try:
            return super().iter(obj)
        except fx.proxy.TraceError:
            found = self._asked(obj)
            if not isinstance(found, tuple | list):
                raise
            members: list[Any] = [obj[i] for i in range(len(found))]  # type: ignore[index]
            return iter(members)

    def to_bool(self, obj: fx.Proxy) -> bool:
        """What is said of a shape; nothing is known of values."""
        found = self._asked(obj)
        return found if isinstance(found, bool) else super().to_bool(obj)

    def _asked(self, obj: fx.Proxy) -> Any:
        if obj.node.name not in self._answers:
            raise _Asked(obj.node.name)
        return self._answers[obj.node.name]


def _imports(code: Any) -> list[str]:
    """The lines that give the names of a method their meaning."""
    lines = []
    for name, value in code.globals.items():
        if name == "torch" or not re.search(rf"(?<![\w.]){re.escape(name)}\b", code.src):
            continue
        if isinstance(value, float):
            lines.append(f"from math import {name}")
            continue
        module, own = getattr(value, "__module__", None) or "", getattr(value, "__qualname__", "")
        if module.partition(".")[0] not in OPEN or not own.isidentifier():
            raise Untraceable(f"it calls {module}.{own}")
        lines.append(f"from {module} import {own}" + (f" as {name}" if own != name else ""))
    return sorted(lines)
