"""JSON Schema of the configuration file, for editors: completion, documentation, red lines under mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from schemas.config import Config
from schemas.durations import DURATION_PATTERN, duration_text

__all__ = ["config_json_schema"]

JsonSchema: TypeAlias = dict[str, Any]

#: What may stand wherever something narrower than text is expected: it is filled in before it is read.
_VARIABLE: JsonSchema = {"type": "string", "pattern": r"\$\{"}
#: Keywords whose value is a schema, a list of schemas, or schemas by name.
_ONE, _SEVERAL, _NAMED = ("items", "additionalProperties"), ("anyOf", "oneOf", "allOf", "prefixItems"), ("properties", "$defs")
#: Keywords that explain and do not restrict.
_REMARKS = ("description", "default", "examples", "deprecated")


def config_json_schema(detector_schemas: Mapping[str, Mapping[str, Any]]) -> JsonSchema:
    """Return the JSON Schema (2020-12) of the configuration file.

    Parameters
    ----------
    detector_schemas : mapping
        For each kind of detector the JSON Schema of its parameters:
        ``{kind: config.model_json_schema() for kind, config in detectors.available().items()}``.

    Examples
    --------
    >>> schema = config_json_schema({"psi": {"type": "object", "properties": {"bins": {"type": "integer"}}}})
    >>> schema["$defs"]["Monitor"]["properties"]["detectors"]["anyOf"][0]["items"]
    {'$ref': '#/$defs/Detector'}
    >>> schema["$defs"]["Detector"]["oneOf"][1]["properties"]["bins"]
    {'anyOf': [{'type': 'integer'}, {'type': 'string', 'pattern': '\\\\$\\\\{'}]}
    """
    schema: JsonSchema = _with_variables(Config.model_json_schema())
    definitions: JsonSchema = schema["$defs"]
    for key in ("detectors", "evidence"):
        definitions["Monitor"]["properties"][key]["anyOf"][0]["items"] = {"$ref": "#/$defs/Detector"}
    bare: JsonSchema = {"enum": [kind for kind, parameters in detector_schemas.items() if not parameters.get("required")]}
    detectors = [bare]
    for kind, parameters in detector_schemas.items():
        relaxed = _with_variables(parameters)
        definitions.update(relaxed.pop("$defs", {}))
        relaxed["properties"] = {"kind": {"const": kind}, **relaxed.get("properties", {})}
        detectors.append({**relaxed, "type": "object", "required": ["kind", *relaxed.get("required", [])], "additionalProperties": False})
    definitions["Detector"] = {"description": "A detector: its kind, or its kind and parameters.", "oneOf": detectors}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:driftsonde:config:1", **schema}


def _with_variables(schema: Mapping[str, Any]) -> JsonSchema:
    """Allow ``${…}`` beside everything narrower than text, write defaults of durations as durations, drop titles that repeat the key."""
    relaxed: JsonSchema = {key: value for key, value in schema.items() if key != "title"}
    for key in _ONE:
        if isinstance(relaxed.get(key), dict):
            relaxed[key] = _with_variables(relaxed[key])
    for key in _SEVERAL:
        if key in relaxed:
            relaxed[key] = [_with_variables(option) for option in relaxed[key]]
    for key in _NAMED:
        if key in relaxed:
            relaxed[key] = {name: _with_variables(named) for name, named in relaxed[key].items()}
    is_duration = any(option.get("pattern") == DURATION_PATTERN for option in (schema, *schema.get("anyOf", ())))
    if is_duration and "default" in relaxed:
        relaxed["default"] = _durations(relaxed["default"])
    if relaxed.get("type") in ("integer", "number", "boolean") or not relaxed.keys().isdisjoint(("enum", "const", "pattern")):
        remarks = {key: relaxed.pop(key) for key in _REMARKS if key in relaxed}
        return {**remarks, "anyOf": [relaxed, _VARIABLE]}
    return relaxed


def _durations(ms: int | Sequence[int]) -> str | list[str]:
    """Write a default as a user would: one duration, or a list of several."""
    if isinstance(ms, int):
        return duration_text(ms)
    return [duration_text(each) for each in ms] if len(ms) > 1 else duration_text(ms[0])
