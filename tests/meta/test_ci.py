import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from tests.meta.repository import README, ROOT

CHECK = (ROOT / ".ci" / "run").read_text()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = [line for line in README.splitlines() if line.endswith("/pytest")]
    assert len(commands) == 1, "README.md should show one test command, a line of its own that ends in pytest"
    assert f"\n{commands[0]}\n" in CHECK


def test_the_workflow_is_the_script() -> None:
    workflow = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "ci.yml")
    steps = workflow["jobs"]["check"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]


def test_locked_versions_satisfy_the_ranges_of_the_project() -> None:
    lock = (ROOT / "deploy" / "requirements.lock").read_text()
    pinned: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE):
        pinned.setdefault(canonicalize_name(name), []).append(version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in map(Requirement, project["dependencies"]):
        versions = pinned.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not in deploy/requirements.lock"
        assert all(requirement.specifier.contains(version) for version in versions), f"{requirement} is locked at {versions}"
