"""What a user reads about each mistake: whole messages, kept in ``complaints/``, so that a change of wording is a change of file.

A case is a configuration below ``======== name`` and what is said about it below ``-------- complains``.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from schemas.config_file import load_config
from schemas.errors import ConfigError
from tests.unit.schemas.configs import Folder, with_model

CASES = [
    pytest.param(*case.split("-------- complains\n"), id=f"{file.stem}: {name}")
    for file in sorted(Path(__file__).parent.joinpath("complaints").glob("*.txt"))
    for name, case in re.findall(r"^={8} (.+)\n((?:(?!={8}).*\n)+)", file.read_text(encoding="utf-8"), re.MULTILINE)
]


@pytest.mark.parametrize(("text", "complaint"), CASES)
def test_a_mistake_is_said_in_plain_words_where_it_is(folder: Folder, text: str, complaint: str) -> None:
    assert folder.complaint(text) == complaint.strip()


def test_all_mistakes_are_said_in_one_run_in_the_order_of_the_file(folder: Folder) -> None:
    models = "".join(f"  - name: m{number}\n    task: dance\n" for number in range(20))
    complaint = folder.complaint(f"version: 1\nkafka: {{rack: x}}\nmodels:\n{models}journal: {{partitions: none}}\n")
    lines = [int(line) for line in re.findall(r"^driftsonde\.yaml:(\d+)", complaint, re.MULTILINE)]
    assert lines == sorted(lines)
    assert len(lines) == 1 + 20 * 2 + 1  # an unknown key; of each model its task and its missing sources; a number


def test_a_file_that_cannot_be_read(folder: Folder) -> None:
    Path("folder.yaml").mkdir()
    Path("latin.yaml").write_bytes("owner: Jürgen".encode("latin-1"))
    for name, complaint in {
        "nowhere.yaml": "nowhere.yaml: no such file",
        "folder.yaml": "folder.yaml: a directory; expected a file",
        "latin.yaml": "latin.yaml: not UTF-8 text: byte 0xfc at offset 8",
    }.items():
        with pytest.raises(ConfigError) as refused:
            load_config(Path(name), env={})
        assert str(refused.value) == complaint


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[" * 2_000, "driftsonde.yaml: found too deep a nesting; expected at most 50 levels"),
        ("version: \x01", "found a control character (0x01); expected text"),
        ("version: &a [*a]", "found an alias within the value that it stands for"),
        (
            "a: &a [" + "1," * 20 + "]\n" + "".join(f"{name}: &{name} [{f'*{before},' * 20}]\n" for before, name in pairwise("abcdef")),
            "found more than 100000 values; an alias counts with all that it stands for",
        ),
    ],
    ids=["deep", "control character", "endless", "multiplied"],
)
def test_a_hostile_file(folder: Folder, text: str, complaint: str) -> None:
    assert complaint in folder.complaint(text)


def test_a_long_line_is_shown_around_the_place(folder: Folder) -> None:
    problem = folder.complaint(with_model(f"segments: [{'country, ' * 100}a..b]"))
    *_, line, caret = problem.splitlines()
    assert len(line) < 140
    assert line[caret.index("^") :].startswith("a..b]")
