"""Reading a file into a pydantic model, with every mistake in it placed and said in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from schemas.documents.annotations import Annotation
from schemas.documents.json_reader import read_json
from schemas.documents.nodes import Mistake, Scalar, too_large
from schemas.documents.shaping import Shaper, Spot
from schemas.documents.source_text import SourceText
from schemas.documents.toml_reader import read_toml
from schemas.documents.yaml_reader import read_yaml
from schemas.errors import ConfigError, InvariantError, Problem
from schemas.hints import KeyPath

__all__ = ["Loaded", "load"]

M = TypeVar("M", bound=BaseModel)
_READERS = {".json": read_json, ".toml": read_toml}


@dataclass(frozen=True)
class Loaded(Generic[M]):
    """A file's content, and its places for whoever finds out more about it later.

    Parameters
    ----------
    value : pydantic model
        The content.
    """

    value: M
    _source: SourceText = field(repr=False)
    _spots: Mapping[KeyPath, Spot] = field(repr=False)

    def problem(self, path: KeyPath, message: str) -> Problem:
        """Place a message at a key, or, where the file leaves the key to its default, at the nearest section above."""
        there = path
        while there not in self._spots:
            there = there[:-1]
        spot = self._spots[there]
        offset = spot.node.offset if isinstance(spot.node, Scalar) else spot.offset
        return self._source.problem(Mistake(offset, path, message))


def load(path: Path, model: type[M], *, env: Mapping[str, str], kinds: Mapping[str, type[BaseModel]] | None = None) -> Loaded[M]:
    """Read a YAML, JSON (``.json``) or TOML (``.toml``) file into a model.

    Parameters
    ----------
    path : Path
        The file.
    model : type
        What its content is.
    env : mapping
        Values for ``${VAR}``.
    kinds : mapping, optional
        Parameters of each kind that values marked `Kinded` may name; without it these are not checked.

    Raises
    ------
    ConfigError
        All that is wrong, in the order of the file.
    """
    source = SourceText(str(path), _text(path))
    tree = _READERS.get(path.suffix.lower(), read_yaml)(source.text)
    mistakes = list(tree.mistakes)
    value: M | None = None
    shaper = Shaper(env, kinds)
    if tree.root is None:
        expected = Annotation((model,)).expected
        mistakes = mistakes or [Mistake(None, (), f"the file is empty; expected {expected}")]
    elif size := too_large(tree.root):
        mistakes.append(size)
    else:
        value = shaper.build(model, tree.root)
        mistakes += shaper.mistakes
    if mistakes:
        in_order = sorted(mistakes, key=lambda mistake: mistake.offset or 0)
        raise ConfigError([source.problem(mistake) for mistake in in_order])
    if value is None:
        raise InvariantError(f"{path}: refused, but nothing was found wrong")
    return Loaded(value, source, shaper.spots)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        message = "no such file"
    except IsADirectoryError:
        message = "a directory; expected a file"
    except OSError as error:
        message = f"can't be read: {error.strerror}"
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text: byte {error.object[error.start]:#04x} at offset {error.start}"
    raise ConfigError([Problem(str(path), "", message)])
