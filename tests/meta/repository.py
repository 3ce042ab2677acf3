"""What the meta tests look at: the files of the repository."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@cache
def tracked() -> list[Path]:
    """Every file that git knows and that is there."""
    listing = ["git", "-c", "safe.directory=*", "ls-files", "-z"]  # a clone may belong to another user
    out = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in out.split("\0") if name and (path := ROOT / name).is_file()]


def tracked_text() -> list[tuple[str, str]]:
    """Name and content of every tracked file."""
    return [(str(path.relative_to(ROOT)), path.read_text()) for path in tracked()]
