from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import DataError
from schemas.reference import Reference
from streams.references import load_references
from tests.unit.replay.configs import config


def write(path: Path, *, model: str = "fraud", version: str = "3") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(Reference(model=model, version=version, origin="a test", rows=100, from_ms=0, to_ms=1, profiles={}).to_json())
    return path


def test_paths_start_at_the_configuration(tmp_path: Path) -> None:
    write(tmp_path / "references" / "3.json")
    loaded = load_references(config(references={"3": "references/3.json", "default": {"learn": 1000}}), tmp_path)
    assert loaded.keys() == {("fraud", "3")}


def test_the_default_may_be_of_any_version(tmp_path: Path) -> None:
    write(tmp_path / "r.json", version="7")
    assert load_references(config(references={"default": "r.json"}), tmp_path)["fraud", "default"].version == "7"


def test_a_missing_file_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json: no such file.*driftsonde reference build --model fraud --version 3"):
        load_references(config(references={"3": "none.json"}), tmp_path)


def test_a_reference_of_another_model_or_version_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.json", model="churn")
    write(tmp_path / "b.json", version="2")
    with pytest.raises(DataError) as caught:
        load_references(config(references={"3": "a.json", "4": "b.json"}), tmp_path)
    assert "of model 'churn'; expected 'fraud'" in str(caught.value)
    assert "of version '2'; expected '4'" in str(caught.value)


def test_a_file_that_is_no_reference_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(DataError, match=r"r\.json"):
        load_references(config(references={"3": "r.json"}), tmp_path)
