"""Pydantic's errors in words. What users can cause stands in `bad_specs`; here is what a later model may bring."""

import pytest
from pydantic_core import PydanticCustomError, ValidationError

from controller.core.diagnostics import MOST_FINDINGS, Code
from controller.core.spec_errors import explain
from controller.core.yaml import read

TEXT = "metadata:\n  labels: {a: b}\nspec:\n  replicas: 5\n  reconcile:\n    dependsOn: [x, y]\n"


def told(*errors: dict):
    (document,) = read("f.yaml", TEXT.encode()).documents
    error = ValidationError.from_exception_data("DL1Service", [{"input": None, **one} for one in errors])
    return [(str(one.code), one.message, str(one.at), one.hint) for one in explain(error, document.root)]


def test_an_error_of_another_kind_keeps_pydantics_words():
    assert told({"type": "multiple_of", "loc": ("spec", "replicas"), "ctx": {"multiple_of": 2}}) == [
        ("out-of-range", "spec.replicas is the number 5: Input should be a multiple of 2", "f.yaml:4:13", None)
    ]
    assert told({"type": PydanticCustomError("odd", "it is odd"), "loc": ("spec", "replicas")}) == [
        ("out-of-range", "spec.replicas is the number 5: it is odd", "f.yaml:4:13", None)
    ]
    assert told({"type": "int_type", "loc": ("metadata", "labels", "a", "[key]")}) == [
        ("out-of-range", "`a` cannot be a key of metadata.labels: int_type", "f.yaml:2:12", None)
    ]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("spec", "reconcile", "dependsOn", 1), "f.yaml:6:20"),
        (("spec", "reconcile", "dependsOn", 7), "f.yaml:6:5"),
        (("spec", "reconcile", "mode"), "f.yaml:5:3"),
        (("spec", "gaudi", "cards"), "f.yaml:3:1"),
        (("kind",), "f.yaml:1:1"),
        ((), "f.yaml:1:1"),
    ],
)
def test_what_is_not_written_is_placed_at_what_would_hold_it(path, place):
    ((_, _, at, _),) = told({"type": "model_type", "loc": path, "ctx": {"class_name": "x"}})
    assert at == place


def test_a_form_that_has_no_words_is_another_form():
    ((code, _, _, hint),) = told(
        {"type": "string_pattern_mismatch", "loc": ("spec", "replicas"), "ctx": {"pattern": "^odd$"}}
    )
    assert (code, hint) == (str(Code.BAD_VALUE), "it is another form")


def test_as_many_are_explained_as_anybody_is_told():
    many = [{"type": "missing", "loc": ("spec", f"m{number}")} for number in range(MOST_FINDINGS + 100)]
    assert len(told(*many)) == MOST_FINDINGS + 1
