"""The references that a configuration names, read from their files."""

from __future__ import annotations

from pathlib import Path

from schemas.config import Config, Model
from schemas.errors import DataError
from schemas.reference import Reference

__all__ = ["load_references", "read_reference"]


def load_references(config: Config, directory: Path) -> dict[tuple[str, str], Reference]:
    """Read every reference file that the configuration names.

    Parameters
    ----------
    config : Config
        The configuration.
    directory : Path
        That of the configuration file; relative paths start there.

    Returns
    -------
    dict
        By (model, version); version "default" serves versions that have none of their own.

    Raises
    ------
    DataError
        Files that are missing, are no references, or are another model's or version's; all of them at once.
    """
    found: dict[tuple[str, str], Reference] = {}
    problems: list[str] = []
    for model in config.models:
        for version, given in model.references.items():
            if isinstance(given, str):
                try:
                    found[model.name, version] = _load(model, version, directory / given)
                except DataError as error:
                    problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))
    return found


def read_reference(path: Path) -> Reference:
    """Read one reference file.

    Raises
    ------
    DataError
        It can't be read, or is no reference.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; expected a file written by 'driftsonde reference build'") from None
    return Reference.from_json(content, where=str(path))


def _load(model: Model, version: str, path: Path) -> Reference:
    if not path.exists():
        command = f"driftsonde reference build --model {model.name}" + ("" if version == "default" else f" --version {version}")
        raise DataError(f"{path}: no such file; it is named by references[{version!r}] of model {model.name!r}; build it with: {command}")
    reference = read_reference(path)
    if reference.model != model.name:
        raise DataError(f"{path}: is a reference of model {reference.model!r}; expected {model.name!r}")
    if version not in ("default", reference.version):
        raise DataError(f"{path}: is a reference of version {reference.version!r}; expected {version!r} of model {model.name!r}")
    return reference
