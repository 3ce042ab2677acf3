"""pydantic's findings in plain words: what was found, what was expected, did you mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from schemas.documents.annotations import Annotation
from schemas.documents.guessing import suggestion
from schemas.documents.masking import MASK, holds_secret, quoted
from schemas.documents.nodes import ListNode, MapNode, Node, Scalar
from schemas.hints import Expected, KeyPath

__all__ = ["found_words", "wording"]

#: What is expected when pydantic's finding begins like this.
_EXPECTED = {
    "int_": "a whole number",
    "float_": "a number",
    "finite_number": "a finite number",
    "bool_": "true or false",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "{min_length} or more entries",
    "too_long": "at most {max_length} entries",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_unicode": "text without broken characters",
}


def wording(error: ErrorDetails, node: Node, annotation: Annotation, path: KeyPath) -> str:
    """Say what pydantic found, in plain words.

    Parameters
    ----------
    error : ErrorDetails
        The finding.
    node : Node
        What stands in the file at that place.
    annotation : Annotation
        What may stand there.
    path : KeyPath
        Where that is; values of secret keys do not show.
    """
    context: dict[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return f"required key {error['loc'][-1]!r} is missing"
        case "value_error" | "assertion_error":
            return str(context["error"])
        case "literal_error" | "enum":
            hint = suggestion(node.text, annotation.choices) if isinstance(node, Scalar) else ""
            return f"found {found_words(node, path, error['input'])}; expected {annotation.expected}{hint}"
    return f"found {found_words(node, path, error['input'])}; expected {_expected(error, context, annotation)}"


def _expected(error: ErrorDetails, context: Mapping[str, Any], annotation: Annotation) -> str:
    if annotation.is_union or any(isinstance(mark, Expected) for mark in annotation.marks):
        return annotation.expected
    for beginning, words in _EXPECTED.items():
        if error["type"].startswith(beginning):
            return words.format_map(context)
    return error["msg"].removeprefix("Input should be ").removeprefix("Value should be ")


def found_words(node: Node, path: KeyPath, value: object = None) -> str:
    """Name what stands in the file; `value` is what it became, shown when variables were filled in."""
    match node:
        case MapNode():
            return "a mapping" if node.entries else "an empty mapping"
        case ListNode():
            return "a list" if node.items else "an empty list"
        case Scalar() if holds_secret(path):
            return MASK
        case Scalar() if "${" in node.text and isinstance(value, str | int | float):
            return quoted(str(value))
        case Scalar():
            return node.text if node.plain else quoted(node.text)
    return "nothing readable"
