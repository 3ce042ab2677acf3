import importlib
import pkgutil

import pytest

import detectors
import schemas
import streams

MODULES = sorted(
    module.name
    for package in (schemas, detectors, streams)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_exports_is_there(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert [missing for missing in exported if not hasattr(module, missing)] == []
    assert len(exported) == len(set(exported))
