import subprocess
import sys
import zipfile
from pathlib import Path

from tests.meta.repository import ROOT, tracked

PACKAGES = ("schemas", "detectors", "streams")


def test_the_wheel_holds_the_packages_with_their_data_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("driftsonde-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = {name.partition("/")[2] for name in archive.namelist() if ".dist-info/" in name}
    expected = {str(path.relative_to(ROOT)) for path in tracked() if path.relative_to(ROOT).parts[0] in PACKAGES}
    assert expected - names == set()
    assert {name.partition("/")[0] for name in names} == set(PACKAGES)
    assert {"entry_points.txt", "licenses/LICENSE"} <= metadata
