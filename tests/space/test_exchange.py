"""Search spaces and architectures in the JSON of NNI."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from nascli.errors import ArtifactError, UsageError
from nascli.space import Decision, Space
from nascli.space.exchange import from_nni, read_answer, to_answer, to_nni, wrong_form

from .helpers import chained, everything, places, small, space

GUIDE = """{
    "key_name": {"_type": "layer_choice", "_value": ["op1_repr", "op2_repr", "op3_repr"]},
    "other_key": {
        "_type": "input_choice",
        "_value": {"candidates": ["in1_key", "in2_key", "in3_key"], "n_chosen": 1}
    }
}"""
GUIDE_ANSWER = """{
    "key_name": {"_value": "op1_repr", "_idx": 0},
    "other_key": {"_value": ["in2_key"], "_idex": [1]}
}"""


def both() -> Space:
    """One of three layers, two of three inputs, any of two inputs."""
    pair = Decision("pair", ("in1", "in2", "in3"), n_chosen=2)
    return space(Decision("op", ("conv", "pool", "skip")), pair, Decision("some", ("x", "y"), n_chosen=None))


ANSWER: dict[str, Any] = {
    "op": {"_value": "pool", "_idx": 1},
    "pair": {"_value": ["in1", "in3"], "_idx": [0, 2]},
    "some": {"_value": ["y"], "_idx": [1]},
}


def refused(answer: Any, of: Space | None = None) -> str:
    with pytest.raises(ArtifactError) as caught:
        read_answer(of or both(), answer)
    return str(caught.value)


def test_the_search_space_of_the_guide_is_read() -> None:
    found = from_nni(json.loads(GUIDE))
    ops, inputs = ("op1_repr", "op2_repr", "op3_repr"), ("in1_key", "in2_key", "in3_key")
    assert found.decisions == (Decision("key_name", ops), Decision("other_key", inputs))
    assert (found.input_shape, found.classes) == ((), 0)
    assert to_nni(found) == json.loads(GUIDE)


def test_the_guide_with_one_name_for_both_keys_is_what_json_makes_of_it() -> None:
    found = from_nni(json.loads(GUIDE.replace("other_key", "key_name")))
    assert [decision.candidates[0] for decision in found.decisions] == ["in1_key"]
    answer = json.loads(GUIDE_ANSWER.replace("other_key", "key_name"))
    assert read_answer(found, answer).tolist() == [1]


def test_the_answer_of_the_guide_is_read() -> None:
    assert read_answer(from_nni(json.loads(GUIDE)), json.loads(GUIDE_ANSWER)).tolist() == [0, 1]


def test_choices_are_written_with_their_types() -> None:
    assert to_nni(both()) == {
        "op": {"_type": "layer_choice", "_value": ["conv", "pool", "skip"]},
        "pair": {"_type": "input_choice", "_value": {"candidates": ["in1", "in2", "in3"], "n_chosen": 2}},
        "some": {"_type": "input_choice", "_value": {"candidates": ["x", "y"], "n_chosen": None}},
    }


def test_a_decision_of_one_input_is_an_input_choice_where_the_space_says_so() -> None:
    single = space(Decision("op", ("a", "b")), Decision("input", ("a", "b")), details={"inputs": ["input"]})
    assert [entry["_type"] for entry in to_nni(single).values()] == ["layer_choice", "input_choice"]
    assert to_answer(single, [1, 1])["input"] == {"_value": ["b"], "_idx": [1]}


@given(small())
def test_a_space_without_conditions_survives_the_round_trip(of: Space) -> None:
    written = json.loads(json.dumps(to_nni(of)))
    again = from_nni(written)
    assert [(d.label, d.candidates, d.n_chosen) for d in again.decisions] == [
        (d.label, d.candidates, d.n_chosen) for d in of.decisions
    ]
    assert to_nni(again) == written


@given(small(60))
def test_every_architecture_survives_the_round_trip(of: Space) -> None:
    archs = everything(of)
    for arch, canonical in zip(archs, of.canonical(archs), strict=True):
        answer = json.loads(json.dumps(to_answer(of, arch)))
        assert read_answer(of, answer).tolist() == canonical.tolist()


def test_an_answer_has_the_decisions_that_exist() -> None:
    assert list(to_answer(chained(), [0, 1, 0, 2])) == ["op", "tail"]
    assert list(to_answer(chained(), [1, 1, 0, 2])) == ["op", "width", "tail", "act"]


def test_a_decision_that_does_not_exist_may_be_answered() -> None:
    answer = {"op": {"_idx": 0}, "width": {"_idx": 1}, "tail": {"_idx": 1}, "act": {"_idx": 2}}
    assert read_answer(chained(), answer).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    "entry",
    [{"_value": "pool"}, {"_idx": 1}, {"_idex": 1}, {"_value": ["pool"]}, {"_idx": [1]},
     {"_value": "pool", "_idex": [1]}, {"_value": ["pool"], "_idx": 1, "_idex": 1}],
)  # fmt: skip
def test_a_candidate_is_named_by_value_or_index_alone_or_in_a_list(entry: dict[str, Any]) -> None:
    assert read_answer(both(), ANSWER | {"op": entry}).tolist() == [1, 1, 1]


def test_the_order_of_several_candidates_does_not_matter() -> None:
    pair = {"_value": ["in3", "in1"], "_idx": [0, 2]}
    assert read_answer(both(), ANSWER | {"pair": pair}).tolist() == read_answer(both(), ANSWER).tolist()


def test_any_number_of_inputs_can_be_chosen() -> None:
    assert read_answer(both(), ANSWER | {"some": {"_value": ["y", "x"]}}).tolist() == [1, 1, 2]


@pytest.mark.parametrize(
    ("key", "entry", "expected"),
    [
        ("op", {"_value": "pol"}, "key 'op': _value names no candidate: 'pol'\nits candidates: conv, pool, skip"),
        ("op", {"_value": 1}, "_value names no candidate: 1"),
        ("op", {"_value": None, "_idx": 1}, "_value names no candidate: None"),
        ("op", {"_idx": 3}, "key 'op': _idx takes 0 to 2, found 3"),
        ("op", {"_idex": -1}, "key 'op': _idex takes 0 to 2, found -1"),
        ("op", {"_idx": True}, "_idx takes 0 to 2, found True"),
        ("op", {"_idx": 1.0}, "_idx takes 0 to 2, found 1.0"),
        ("op", {"_idx": [0, 1]}, r"key 'op': _idx takes 1 of its candidates, each once, found [0, 1]"),
        ("op", {"_value": "conv", "_idx": 1}, "key 'op': _value and _idx disagree\n_value is 'conv', _idx is 1"),
        ("op", {"_idx": 1, "_idex": 2}, "key 'op': _idx and _idex disagree"),
        ("op", {}, "key 'op': expected {\"_value\": …, \"_idx\": …}, found {}"),
        ("op", 1, "key 'op': expected"),
        ("op", {"_value": "conv", "_index": 1}, "key 'op': expected"),
        ("pair", {"_idx": [0]}, "key 'pair': _idx takes 2 of its candidates"),
        ("pair", {"_value": ["in1", "in1"]}, "key 'pair': _value takes 2 of its candidates, each once"),
        ("pair", {"_value": ["in1", "in4"]}, "key 'pair': _value names no candidate: 'in4'"),
        ("some", {"_idx": []}, "key 'some': _idx takes at least 1 of its candidates"),
        ("ops", {"_idx": 0}, "key 'ops' is no decision of 'test'; did you mean 'op'?"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_refused_with_its_key(key: str, entry: Any, expected: str) -> None:
    assert expected in refused(ANSWER | {key: entry})


@pytest.mark.parametrize("answer", [[], {}, "0,2,1", None])
def test_what_is_no_mapping_of_keys_is_no_answer(answer: Any) -> None:
    assert "an answer maps keys to what is chosen" in refused(answer)
    assert wrong_form(answer)


def test_a_missing_key_is_named() -> None:
    assert refused({"op": {"_idx": 0}, "some": {"_idx": 0}}) == "key 'pair' is missing\nit is a decision of 'test'"


def test_a_nested_key_is_missing_only_where_it_exists() -> None:
    answer: dict[str, Any] = {"op": {"_idx": 2}, "tail": {"_idx": 0}, "width": {"_idx": 1}}
    assert "key 'act' is missing" in refused(answer, chained())
    assert read_answer(chained(), answer | {"width": {"_idx": 0}}).tolist() == [2, 0, 0, 0]


def test_too_few_unordered_places_are_refused() -> None:
    answer = to_answer(places(3), [0, 0, 2, 2])
    assert "1 of them are not empty" in refused(answer, places(3, at_least=2))


@pytest.mark.parametrize(
    ("search_space", "expected"),
    [
        ([], "a search space maps keys to choices"),
        ({}, "no decision to search"),
        ({1: {"_type": "layer_choice", "_value": ["a"]}}, "key '1': is no text"),
        ({"k": ["a"]}, "key 'k': expected {\"_type\": …, \"_value\": …}"),
        ({"k": {"_type": "layer_choice"}}, "key 'k': expected"),
        ({"k": {"_type": "choice", "_value": ["a"]}}, "_type is 'layer_choice' or 'input_choice', found 'choice'"),
        ({"k": {"_type": "layer_choice", "_value": "ab"}}, "key 'k': expected a list of candidates, found 'ab'"),
        ({"k": {"_type": "layer_choice", "_value": ["a", 1]}}, "key 'k': a candidate is a name, found 1"),
        ({"k": {"_type": "layer_choice", "_value": ["a", "a"]}}, "'k' names a candidate twice"),
        ({"k": {"_type": "layer_choice", "_value": []}}, "'k' has no candidates"),
        ({"k": {"_type": "input_choice", "_value": ["a"]}}, "key 'k': expected {\"candidates\": …, \"n_chosen\": …}"),
        ({"k": {"_type": "input_choice", "_value": {"candidates": ["a"], "n_chosen": True}}}, "n_chosen is a whole"),
        ({"k": {"_type": "input_choice", "_value": {"candidates": ["a"], "n_chosen": 2}}}, "'k' chooses 2 of 1"),
    ],
)  # fmt: skip
def test_a_wrong_search_space_is_refused_with_its_key(search_space: Any, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_nni(search_space)
    assert expected in str(caught.value)


def test_an_answer_of_numpy_indices_is_plain_json() -> None:
    arch = np.array([2, 1, 0], dtype=np.int64)
    assert json.loads(json.dumps(to_answer(both(), arch)))["pair"] == {"_value": ["in1", "in3"], "_idx": [0, 2]}
