import re

import pytest

from tests.meta.repository import ROOT, tracked, tracked_text

SOURCES = sorted(str(path.relative_to(ROOT)) for path in tracked() if path.suffix == ".py")


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_file_is_one_idea(name: str) -> None:
    lines = (ROOT / name).read_text().count("\n")
    assert lines <= 330, f"{name} has {lines} lines; above 330 it is time to ask whether it is two ideas"


def test_no_file_names_a_home_directory_or_a_package_registry() -> None:
    home = r"/home/\w|/Users/\w|/root/"
    registry = r"(pypi|npmjs|pythonhosted|maven\.org|artifactory|nexus)[\w.-]*/|--(extra-)?index-url|index-url\s*="
    forbidden = re.compile(f"{home}|{registry}")
    this_file = "tests/meta/test_files.py"
    found = [f"{name}: {hit.group()}" for name, text in tracked_text() if name != this_file for hit in forbidden.finditer(text)]
    assert not found
