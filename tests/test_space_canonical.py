from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given

from nascli.space import Archs, Decision, Space

from .test_space import A, nested, space, spaces


def everything(of: Space) -> Archs:
    return np.array(list(product(*map(range, of.sizes))), dtype=np.int64)


# --- canonical form --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        ([0, 1, 1, 2], [0, 0, 1, 0]),
        ([1, 0, 0, 2], [1, 0, 0, 0]),
        ([2, 1, 1, 2], [2, 1, 1, 2]),
        ([0, 0, 0, 1], [0, 0, 0, 0]),
    ],
)
def test_what_does_not_exist_is_index_0(arch: list[int], expected: list[int]) -> None:
    assert nested().canonical(np.array(arch)).tolist() == expected


def test_what_hangs_on_index_0_of_what_does_not_exist_does_not_exist() -> None:
    of = space(Decision("a", A), Decision("b", A, active_if=("a", (1,))), Decision("c", A, active_if=("b", (0,))))
    assert of.canonical(np.array([[0, 0, 2], [1, 0, 2], [1, 1, 2]])).tolist() == [[0, 0, 0], [1, 0, 2], [1, 1, 0]]


@given(spaces())
def test_an_index_is_kept_where_all_decisions_above_lead_to_it(of: Space) -> None:
    for arch, canonical in zip(everything(of), of.canonical(everything(of)), strict=True):
        chosen: dict[str, int] = {}
        for decision, index, found in zip(of.decisions, arch, canonical, strict=True):
            parent, indices = decision.active_if or ("", ())
            exists = decision.active_if is None or chosen.get(parent, -1) in indices
            assert found == (index if exists else 0)
            chosen |= {decision.label: index} if exists else {}


@given(spaces())
def test_the_canonical_form_of_a_canonical_form_is_itself(of: Space) -> None:
    once = of.canonical(everything(of))
    assert np.array_equal(of.canonical(once), once)


@given(spaces())
def test_the_count_is_the_number_of_distinct_canonical_vectors(of: Space) -> None:
    assert of.count == len(np.unique(of.canonical(everything(of)), axis=0))


@given(spaces())
def test_one_architecture_has_the_canonical_form_that_it_has_among_many(of: Space) -> None:
    archs = everything(of)[:50]
    assert np.array_equal(np.stack([of.canonical(arch) for arch in archs]), of.canonical(archs))


def test_the_canonical_form_leaves_its_argument_as_it_was() -> None:
    arch = np.array([0, 1, 1, 2])
    nested().canonical(arch)
    assert arch.tolist() == [0, 1, 1, 2]


def test_the_count_of_a_large_space_is_exact() -> None:
    of = space(*(Decision(f"d{i}", tuple(map(str, range(9)))) for i in range(40)))
    assert of.count == 9**40


# --- groups ----------------------------------------------------------------------------------------------------------


def test_nested_decisions_are_one_group_and_others_stand_alone() -> None:
    groups = nested().groups
    assert [group.decisions for group in groups] == [(0, 1, 3), (2,)]
    assert groups[1].states.tolist() == [[0], [1]]
    assert groups[0].states.tolist() == [
        [0, 0, 0],
        *([op, *rest] for op in (1, 2) for rest in ([0, 0], [1, 0], [1, 1], [1, 2])),
    ]


@given(spaces())
def test_the_products_of_group_states_are_the_canonical_architectures(of: Space) -> None:
    positions = [i for group in of.groups for i in group.decisions]
    assert sorted(positions) == list(range(len(of.decisions)))
    joint = np.array([np.concatenate(rows) for rows in product(*(group.states for group in of.groups))])
    archs = joint[:, np.argsort(positions)]
    assert np.array_equal(np.unique(archs, axis=0), np.unique(of.canonical(everything(of)), axis=0))
