from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nascli.cost.model import CostModel, Factor, Metric
from nascli.errors import ArtifactError, UsageError

from .helpers import REAL, WHOLE, chain, everything, metric, nested, space, tables

torch.set_num_threads(1)


@given(tables(WHOLE), st.integers(0, 100))
def test_total_is_the_base_plus_a_cell_a_decision(costs, base):
    model = chain({"macs": costs}, base)
    archs = everything(model.space)
    expected = [base + sum(costs[i][j] for i, j in enumerate(arch)) for arch in archs]
    assert model["macs"].total(archs).tolist() == expected


def test_whole_costs_give_int64_totals():
    assert metric("macs", [[1, 2], [3, 4]], 5).total(np.array([[0, 1]])).dtype == np.int64


@pytest.mark.parametrize(("base", "cell"), [(1, 0.5), (0.5, 1)])
def test_one_real_cost_makes_totals_float64(base, cell):
    assert metric("latency_ms", [[cell, 2]], base).total(np.array([[0]])).dtype == np.float64


@given(tables(REAL))
def test_total_of_an_architecture_does_not_depend_on_the_rows_beside_it(costs):
    model = chain({"latency_ms": costs}, 0.1)
    archs = everything(model.space)
    alone = [model["latency_ms"].total(arch[None])[0] for arch in archs[:20]]
    assert model["latency_ms"].total(archs)[:20].tolist() == alone


def test_totals_beyond_float_precision_stay_whole():
    model = chain({"macs": [[0, 1], [2**60, 2**60]]})
    assert model.total("macs", np.array([1, 0])).tolist() == [2**60 + 1]


def test_model_totals_are_over_the_canonical_architecture():
    model = nested()
    assert model.total("macs", np.array([[0, 1, 3, 0]])) == model.total("macs", np.array([[0, 1, 0, 0]]))


def test_merged_models_have_the_metrics_of_both():
    macs, latency = chain({"macs": [[1, 2], [3, 4]]}, 5), chain({"latency_ms": [[0.5, 1], [2, 3]]})
    merged = macs.merged(latency)
    archs = everything(merged.space)
    assert [merged.total(name, archs).tolist() for name in ("macs", "latency_ms")] == [
        macs.total("macs", archs).tolist(),
        latency.total("latency_ms", archs).tolist(),
    ]


def test_models_with_one_metric_do_not_merge():
    model = chain({"macs": [[1, 2]], "params": [[3, 4]]})
    with pytest.raises(UsageError, match="both cost models have the metric macs"):
        model.merged(chain({"macs": [[1, 2]]}))


def test_models_of_two_spaces_do_not_merge():
    with pytest.raises(UsageError, match="costs of two search spaces"):
        chain({"macs": [[1, 2]]}).merged(chain({"params": [[1, 2, 3]]}))


def test_expected_of_one_hots_equals_the_total():
    model = nested()
    for arch in everything(model.space):
        sizes = zip(model.space.sizes, arch, strict=True)
        hots = [torch.eye(size, dtype=torch.float64)[i] for size, i in sizes]
        assert model["macs"].expected(hots).item() == model["macs"].total(arch[None])[0]


def test_expected_is_the_mean_over_independent_decisions():
    model = chain({"macs": [[0, 10], [1, 2, 6]]}, 5)
    probabilities = [torch.tensor([0.25, 0.75]), torch.tensor([0.5, 0.25, 0.25])]
    assert model["macs"].expected(probabilities).item() == 5 + 7.5 + 2.5


def test_expected_over_joint_factors_has_the_right_gradient():
    model = nested()
    logits = [torch.randn(size, dtype=torch.float64, requires_grad=True) for size in model.space.sizes]
    assert torch.autograd.gradcheck(lambda *x: model["macs"].expected([v.softmax(0) for v in x]), logits)


def test_expected_has_the_dtype_of_the_probabilities():
    assert metric("macs", [[1, 2]]).expected([torch.tensor([0.5, 0.5], dtype=torch.float64)]).dtype == torch.float64


def test_expected_takes_read_only_costs():
    values = np.array([1.0, 2.0])
    values.flags.writeable = False
    assert Metric("a", "1", 0, (Factor((0,), values),), False).expected([torch.tensor([0.0, 1.0])]).item() == 2


def test_shares_add_up_to_the_total():
    model = nested()
    for arch in everything(model.space):
        base, shares = model.shares("macs", arch)
        assert base + sum(shares) == model["macs"].total(arch[None])[0]


def test_a_joint_factor_counts_for_its_first_decision():
    assert nested().shares("macs", np.array([2, 1, 3, 1])) == (10, [18, 2, 0, 1])


def test_unknown_metric_names_the_closest():
    with pytest.raises(UsageError, match="no costs for the metric 'mac'; did you mean 'macs'") as caught:
        chain({"macs": [[1]]})["mac"]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("latency_ms", "meters=[macs, params, latency_ms]"),
        ("latency_ms@phone", "import-measurements FILE --metric latency_ms --device phone"),
        ("flops", "multiply-accumulates are called macs"),
    ],
)
def test_unknown_metric_says_how_to_get_it(name, hint):
    with pytest.raises(UsageError) as caught:
        chain({"macs": [[1]]})[name]
    assert hint in caught.value.hint


def test_unknown_metric_lists_the_known_when_none_is_close():
    with pytest.raises(UsageError, match="known: latency_ms, macs"):
        chain({"macs": [[1]], "latency_ms": [[1.0]]})["energy"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_a_bad_cell_names_metric_decision_candidate_and_value(bad):
    with pytest.raises(ArtifactError) as caught:
        chain({"latency_ms": [[1.0, 2.0], [3.0, bad]]})
    assert f"'latency_ms' has 1 wrong cost: layer_1=op1 is {bad}" in str(caught.value)


def test_a_bad_joint_cell_names_all_its_decisions():
    factor = Factor((0, 1), np.array([[0, 1], [2, -7]]))
    with pytest.raises(ArtifactError, match="layer_0=op1 layer_1=op1 is -7"):
        CostModel(space([2, 2]), {"macs": Metric("macs", "MAC", 0, (factor,), True)})


def test_many_bad_cells_show_five_and_the_number():
    with pytest.raises(ArtifactError, match=r"has 8 wrong costs: .*layer_1=op0 is -5, and 3 more") as caught:
        chain({"macs": [[-1, -2, -3, -4], [-5, -6, -7, -8]]})
    assert caught.value.what.count(" is ") == 5


@pytest.mark.parametrize("base", [-1, float("nan"), float("inf")])
def test_a_bad_base_is_refused(base):
    with pytest.raises(ArtifactError, match="the base is"):
        chain({"macs": [[1]]}, base)


@pytest.mark.parametrize("decisions", [(2,), (-1,), (), (0, 0)])
def test_a_factor_over_no_such_decision_is_refused(decisions):
    with pytest.raises(ArtifactError, match="a factor over the decisions"):
        CostModel(space([2, 2]), {"m": Metric("m", "1", 0, (Factor(decisions, np.zeros((2, 2))),), True)})


def test_a_factor_of_another_shape_is_refused():
    with pytest.raises(ArtifactError, match=r"costs of layer_0 have shape \(3,\), not \(2,\)"):
        CostModel(space([2]), {"m": metric("m", [[1, 2, 3]])})


def test_a_factor_that_is_not_numbers_is_refused():
    with pytest.raises(ArtifactError, match="costs of layer_0 are <U1, not int64 or float64"):
        CostModel(space([2]), {"m": metric("m", [["a", "b"]])})


def test_whole_numbers_that_do_not_fit_are_refused():
    unsigned = Metric("m", "1", 0, (Factor((0,), np.array([1, 2**63], dtype=np.uint64)),), True)
    with pytest.raises(ArtifactError, match="are uint64, not int64 or float64"):
        CostModel(space([2]), {"m": unsigned})
    with pytest.raises(ArtifactError, match=r"totals above 2\*\*62"):
        chain({"m": [[0, 2**62], [0, 2**62]]})
