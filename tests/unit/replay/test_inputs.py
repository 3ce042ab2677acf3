from __future__ import annotations

from pathlib import Path

import pytest

from schemas.config import Config
from schemas.errors import DataError
from streams.replay.inputs import files_by_topic
from tests.unit.replay.configs import FEATURES, PREDICTIONS, config

BOTH_IN_ONE = {"topic": "f", "fields": {**FEATURES["fields"], "prediction": "label"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").touch()
    return tmp_path / "a.jsonl"


def two_models() -> Config:
    one = config().models[0]
    other = one.model_copy(update={"name": "churn", "sources": config(features={**FEATURES, "topic": "c"}).models[0].sources})
    return Config(version=1, models=[one, other])


def test_a_role_names_its_topic(path: Path) -> None:
    assert files_by_topic(config(), [f"features={path}"]) == {"f": path}


def test_a_model_may_be_named(path: Path) -> None:
    assert files_by_topic(two_models(), [f"churn/features={path}"]) == {"c": path}


def test_a_role_of_several_models_must_name_one(path: Path) -> None:
    with pytest.raises(ValueError, match="expected one of churn/features, fraud/features"):
        files_by_topic(two_models(), [f"features={path}"])


def test_one_file_serves_both_roles_of_a_topic(path: Path) -> None:
    shared = config(predictions=BOTH_IN_ONE)
    assert files_by_topic(shared, [f"features={path}", f"predictions={path}"]) == {"f": path}


def test_two_files_for_one_topic_are_an_error(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="both stand for topic 'f'"):
        files_by_topic(config(predictions=BOTH_IN_ONE), [f"features={path}", f"predictions={tmp_path / 'b.jsonl'}"])


@pytest.mark.parametrize("text", ["features", "features=", "labels=a.jsonl", "other/features=a.jsonl"])
def test_what_is_no_input_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        files_by_topic(config(predictions=PREDICTIONS), [text])


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        files_by_topic(config(), [f"features={tmp_path / 'none.jsonl'}"])
    with pytest.raises(DataError, match="a directory; expected a file"):
        files_by_topic(config(), [f"features={tmp_path}"])
