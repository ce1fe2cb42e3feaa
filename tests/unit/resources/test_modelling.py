from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from stunnergw.resources.modelling import (
    EMPTY_MAP,
    FrozenMap,
    Many,
    RawJson,
    StringMap,
    canonical,
    model,
    stored,
)


@model
class Part:
    name: str
    port_number: int = 1


@model
class Whole:
    labels: StringMap = EMPTY_MAP
    parts: Many[Part] = ()
    words: Many[str] = ()
    extra: RawJson | None = None
    from_: str = Field(default="Same", alias="from")
    version: str = stored("")
    status: RawJson | None = stored()


ADAPTER = TypeAdapter(Whole)


def read(value: Any) -> Whole:
    return ADAPTER.validate_python(value)


def read_json(text: str) -> Whole:
    return ADAPTER.validate_json(text, strict=True)


# Models -------------------------------------------------------------------------------------------------------


def test_names_are_camel_case_unless_told_otherwise() -> None:
    whole = read_json('{"parts": [{"name": "a", "portNumber": 2}], "from": "All"}')
    assert whole.parts == (Part(name="a", port_number=2),)
    assert whole.from_ == "All"


def test_models_are_frozen_slotted_and_keyword_only() -> None:
    part = Part(name="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.name = "b"  # type: ignore[misc]
    assert not hasattr(part, "__dict__")
    with pytest.raises(ValidationError):
        Part("a")  # type: ignore[call-arg]


def test_fields_that_nobody_reads_are_dropped() -> None:
    assert read_json('{"fromTheFuture": 1}') == Whole()


def test_stored_fields_take_no_part_in_comparisons_and_are_not_shown() -> None:
    one, other = read({"version": "1", "status": {"a": 1}}), read({"version": "2"})
    assert one == other
    assert hash(one) == hash(other)
    assert (one.version, other.version) == ("1", "2")
    assert repr(one) == repr(other)


def test_errors_do_not_quote_what_was_given() -> None:
    with pytest.raises(ValidationError) as caught:
        read_json('{"parts": [{"name": "a", "portNumber": "hunter2"}], "words": "hunter2"}')
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["{}", '{"parts": null, "labels": null}', '{"parts": [], "labels": {}}'])
def test_null_is_an_empty_list_and_an_empty_map(text: str) -> None:
    whole = read_json(text)
    assert whole.parts == ()
    assert whole.labels is EMPTY_MAP


@pytest.mark.parametrize("text", ['{"parts": {}}', '{"words": "abc"}', '{"words": [null]}', '{"words": 0}'])
def test_other_things_are_no_lists(text: str) -> None:
    with pytest.raises(ValidationError):
        read_json(text)


# Maps ---------------------------------------------------------------------------------------------------------

maps = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=6)


@given(maps)
def test_maps_are_sorted_whatever_the_order(items: dict[str, str]) -> None:
    one, other = FrozenMap(items), FrozenMap(dict(reversed(items.items())))
    assert list(one.items()) == list(other.items()) == sorted(items.items())
    assert one == other == items
    assert hash(one) == hash(other)


@given(maps)
def test_maps_survive_copying_and_pickling(items: dict[str, str]) -> None:
    frozen = FrozenMap(items)
    assert copy.deepcopy(frozen) == frozen
    assert pickle.loads(pickle.dumps(frozen)) == frozen


def test_maps_are_read_only_and_apart_from_their_source() -> None:
    source = {"a": "1"}
    labels = read({"labels": source}).labels
    source["b"] = "2"
    assert dict(labels) == {"a": "1"}
    with pytest.raises(TypeError):
        labels["b"] = "2"  # type: ignore[index]


def test_maps_compare_by_content() -> None:
    assert FrozenMap({"a": "1"}) != FrozenMap({"a": "2"})
    assert FrozenMap() == EMPTY_MAP == {}
    assert FrozenMap({"a": "1"}) != [("a", "1")]


@pytest.mark.parametrize("value", [[], "text", 0, False, [["a", "b"]]])
def test_what_is_no_map_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="should be a map of strings"):
        read({"labels": value})


@pytest.mark.parametrize("value", [1, True, None, {"b": "c"}])
def test_what_is_no_text_in_a_map_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(ValidationError, match="'app' should be a string: put it in quotes"):
        read({"labels": {"app": value}})


# JSON passed on unread ----------------------------------------------------------------------------------------


def test_raw_json_is_the_same_bytes_for_equal_values() -> None:
    one = read_json('{"extra": {"b": [1, 2.5], "a": {"d": null, "c": "ü"}}}')
    other = read_json('{"extra": {"a": {"c": "ü", "d": null}, "b": [1, 2.5]}}')
    assert one.extra == other.extra == '{"a":{"c":"ü","d":null},"b":[1,2.5]}'.encode()


def test_raw_json_differs_where_order_means_something() -> None:
    assert canonical([1, 2]) != canonical([2, 1])


def test_raw_json_null_is_absent() -> None:
    assert read_json('{"extra": null}').extra is None
    assert read_json('{"extra": {}}').extra == b"{}"


def test_models_go_back_to_json() -> None:
    text = '{"labels": {"a": "1"}, "parts": [{"name": "x"}], "extra": {"k": [1]}}'
    dumped = ADAPTER.dump_python(read_json(text), by_alias=True, exclude_defaults=True)
    assert dumped == {"labels": {"a": "1"}, "parts": ({"name": "x"},), "extra": {"k": [1]}}
