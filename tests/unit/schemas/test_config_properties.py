"""What holds for every duration, every text with variables, and every file."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.config import Config
from schemas.config_file import load_config
from schemas.documents.interpolation import interpolate
from schemas.documents.nodes import plain_value
from schemas.durations import duration_text, milliseconds
from schemas.errors import ConfigError, Problem
from tests.unit.schemas.configs import DETECTORS
from tests.unit.schemas.test_config_file import EXAMPLE

THOUSAND_YEARS = milliseconds("1000y")
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


@given(st.integers(0, THOUSAND_YEARS))
def test_a_duration_survives_being_written_and_read(ms: int) -> None:
    assert milliseconds(duration_text(ms)) == ms


@given(st.text(max_size=12) | st.from_regex(r"([0-9]{1,3}(ms|[smhdwy])){1,3}", fullmatch=True) | st.integers() | st.floats() | st.none())
@example("1s1m")  # the larger unit comes first
@example("1m1m")
@example("")
@example("١s")  # a digit, but not one of ours
@example("1s\n")
@example("999999999999999y")
def test_text_is_a_duration_or_a_value_error(text: object) -> None:
    with suppress(ValueError):
        ms = milliseconds(text)  # type: ignore[arg-type]
        assert isinstance(text, str)
        assert 0 <= ms <= THOUSAND_YEARS
        assert re.fullmatch(r"([0-9]+(y|w|d|h|m|s|ms))+", text)


@given(st.text())
def test_a_dollar_written_twice_is_a_dollar(text: str) -> None:
    filled = interpolate(text.replace("$", "$$"), {})
    assert (filled.text, filled.used, filled.problems) == (text, False, ())


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="$")), NAMES, st.text(max_size=5))))
def test_variables_are_filled_in_and_nothing_else_changes(parts: list[tuple[str, str, str]]) -> None:
    env = {name: value for _, name, value in parts}
    filled = interpolate("".join(f"{before}${{{name}}}" for before, name, _ in parts), env)
    assert filled.problems == ()
    assert filled.text == "".join(before + env[name] for before, name, _ in parts)


@given(NAMES, st.text(st.characters(exclude_characters="${}")), st.text(min_size=1))
def test_defaults_are_for_what_is_not_set_or_empty(name: str, default: str, value: str) -> None:
    text = f"<${{{name}:-{default}}}>"
    assert [interpolate(text, env).text for env in ({}, {name: ""}, {name: value})] == [f"<{default}>", f"<{default}>", f"<{value}>"]


@given(NAMES, NAMES, st.text(min_size=1))
def test_a_default_may_be_a_variable(name: str, other: str, value: str) -> None:
    assert interpolate(f"${{{name}:-${{{other}:-z}}}}", {other: value}).text == value
    assert interpolate(f"${{{name}:-${{{other}:-z}}}}", {}).text == "z"


@given(st.text())
@example("${" * 100_000)
@example("${A:-" * 1_000 + "}" * 1_000)
def test_any_text_is_filled_in_or_complained_about(text: str) -> None:
    assert isinstance(interpolate(text, {}).text, str)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_as_they_are_written(number: float) -> None:
    assert plain_value(repr(number)) == number


#: Pieces that YAML files are made of, so that arbitrary files get past the first line now and then.
PIECES = st.sampled_from(
    [
        *"\n \t-:?[]{},#&*!|>'\"%@`<~.$0\x00\x85\u2028\ufeff\ud7ffé",
        *("\n  ", "\n    - ", ": ", " #", "---\n", "<<: *a", "&a ", "!!str ", "|\n  ", '"\\U0011', "%YAML 1.1\n"),
        *("${X}", "${", "null", "true", "1e400", "0x", "properties: ", "sasl.password: "),
        *sorted(set(re.findall(r"[\w.-]+: ?", EXAMPLE))),
    ]
)
YAML_ISH = st.lists(PIECES, max_size=60).map("".join)


@st.composite
def damaged_examples(draw: st.DrawFn) -> str:
    """The example with a stretch of it replaced."""
    start = draw(st.integers(0, len(EXAMPLE)))
    return EXAMPLE[:start] + draw(YAML_ISH) + EXAMPLE[start + draw(st.integers(0, 40)) :]


@contextmanager
def file_of(content: bytes, suffix: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "driftsonde" + suffix)
        path.write_bytes(content)
        yield path


@pytest.mark.parametrize("suffix", [".yaml", ".json", ".toml"])
@given(
    st.binary()
    | (st.text() | YAML_ISH | damaged_examples() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps)).map(str.encode)
)
@example(b"\xff\xfe")
@example(b'version: "\\U00110000"')
@example(b'version: "\\ud800"')
@example(b"version: 1\nmodels: [{name: m, sources: {features: {topic: t, fields: {id: i, features: .}}}}]")
@settings(max_examples=150, deadline=None)
def test_any_file_is_a_configuration_or_a_configuration_error(suffix: str, content: bytes) -> None:
    with file_of(content, suffix) as path:
        problems: tuple[Problem, ...] = ()
        try:
            config = load_config(path, env={"X": "x"}, detectors=DETECTORS)
        except ConfigError as refused:
            config, problems = None, refused.problems
        assert isinstance(config, Config) or problems
        assert all(problem.where.startswith(str(path)) and problem.message for problem in problems)
