"""From nodes to what a pydantic model is made of: the model says, key by key, how each piece of text is to be read.

The walk goes along the model's annotations. So it knows the keys of every section (and what a wrong one was meant to be),
reads ``1.10`` as text where text belongs and as a number elsewhere, and finds out before pydantic does where a list, a mapping
or a single value was expected: pydantic's findings about unions are hard to read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.documents.annotations import Annotation, Form, all_keys, fields_of
from schemas.documents.guessing import nearest, suggestion
from schemas.documents.interpolation import Interpolated, interpolate
from schemas.documents.masking import quoted
from schemas.documents.nodes import Broken, Entry, ListNode, MapNode, Mistake, Node, Scalar, plain_value
from schemas.documents.wording import found_words, wording
from schemas.hints import KeyPath, Misfit, dotted

__all__ = ["Shaper", "Spot"]

M = TypeVar("M", bound=BaseModel)
#: Stands for a value that was reported. pydantic refuses it too, so nothing is concluded from its absence.
_UNUSABLE: Final = object()


class Spot(NamedTuple):
    """A place in the file.

    Parameters
    ----------
    path : KeyPath
        As written in the file, misspelt keys and all.
    node : Node
        What stands there.
    offset : int or None
        Where its key is (of an item of a list: where it begins).
    annotation : Annotation
        What may stand there.
    """

    path: KeyPath
    node: Node
    offset: int | None
    annotation: Annotation


class Shaper:
    """One walk over one file.

    Parameters
    ----------
    env : mapping
        Values of variables.
    kinds : mapping or None
        Parameters of each kind of detector; None leaves kinds and parameters unchecked.

    Attributes
    ----------
    mistakes : list of Mistake
        What was wrong, in the order found.
    spots : dict
        Place of every value that the model got, by its path in the model.
    """

    def __init__(self, env: Mapping[str, str], kinds: Mapping[str, type[BaseModel]] | None) -> None:
        self.mistakes: list[Mistake] = []
        self.spots: dict[KeyPath, Spot] = {}
        self._env = env
        self._kinds = kinds
        self._reported: list[KeyPath] = []

    def build(self, model: type[M], root: Node) -> M | None:
        """Make the model of a file's content; None when there were mistakes that don't allow it."""
        return self._validate(model, self._shape(Spot((), root, root.offset, Annotation((model,))), ()), ())

    # From here on: `at` is a path in the model, `spot.path` the same in the file.

    def _shape(self, spot: Spot, at: KeyPath) -> Any:
        self.spots[at] = spot
        if isinstance(spot.node, Broken):
            self._reported.append(at)
            return _UNUSABLE
        if spot.annotation.kinded:
            return self._of_kind(spot, spot.annotation.kinded.noun, at)
        if isinstance(spot.node, Scalar):
            return self._scalar(spot, spot.node, at)
        form: Form = "list" if isinstance(spot.node, ListNode) else "mapping"
        if not spot.annotation.takes(form):
            return self._report(at, f"found {found_words(spot.node, spot.path)}; expected {spot.annotation.expected}")
        if isinstance(spot.node, ListNode):
            items = enumerate(spot.node.items)
            return [self._shape(Spot((*spot.path, i), item, item.offset, spot.annotation.item(i)), (*at, i)) for i, item in items]
        if spot.annotation.section:
            return self._section(spot.annotation.section, spot, spot.node.entries, at)
        return {entry.key: self._entry(spot, entry, spot.annotation.values, (*at, entry.key)) for entry in spot.node.entries}

    def _entry(self, spot: Spot, entry: Entry, annotation: Annotation, at: KeyPath) -> Any:
        return self._shape(Spot((*spot.path, entry.key), entry.value, entry.offset, annotation), at)

    def _scalar(self, spot: Spot, node: Scalar, at: KeyPath) -> Any:
        filled = interpolate(node.text, self._env)
        if filled.problems:
            return self._report(at, *filled.problems)
        annotation = spot.annotation
        value = _value(node, filled, annotation)
        if value is None:
            return None if annotation.takes("nothing") else self._report(at, f"found nothing; expected {annotation.expected}")
        if annotation.takes("single value") and (annotation.takes_truth or not isinstance(value, bool)):
            return value
        example = f", such as [{node.text}]" if annotation.takes("list") and node.text.isidentifier() else ""
        return self._report(at, f"found {found_words(node, spot.path, value)}; expected {annotation.expected}{example}")

    def _section(self, section: type[BaseModel], spot: Spot, entries: Sequence[Entry], at: KeyPath) -> dict[str, Any]:
        fields = fields_of(section)
        absent = [key for key in fields if key not in {entry.key for entry in entries}]
        shaped: dict[str, Any] = {}
        for entry in entries:
            key = entry.key
            if key not in fields:
                meant = nearest(key, absent)
                expected = f"expected one of: {', '.join(fields)}" if fields else "expected none"
                hint = f"did you mean {meant!r}?" if meant else self._home(key) or expected
                self.mistakes.append(Mistake(entry.offset, (*spot.path, key), f"unknown key {quoted(key)}; {hint}"))
                if meant is None:
                    continue
                # Go on as if it had been spelt right, so that mistakes below are found in the same run.
                absent.remove(meant)
                key = meant
            shaped[key] = self._entry(spot, entry, fields[key], (*at, key))
        return shaped

    def _home(self, key: str) -> str:
        """Say where a key belongs that is unknown where it stands; nothing when that is nowhere, or in many places."""
        root = self.spots[()].annotation.section
        homes = {path[:-1] for path in all_keys(root) if path[-1] == key} if root else set()
        if not 1 <= len(homes) <= 2:
            return ""
        return "it belongs " + " or ".join(f"under {dotted(home)!r}" if home else "at the top level" for home in sorted(homes, key=dotted))

    def _of_kind(self, spot: Spot, noun: str, at: KeyPath) -> Any:
        if isinstance(spot.node, Scalar):
            kind = self._scalar(spot, spot.node, at)
            usable = kind is not _UNUSABLE and self._parameters(kind, noun, spot, (), at, kind_at=at) is not None
            return kind if usable else _UNUSABLE
        entries = {entry.key: entry for entry in spot.node.entries} if isinstance(spot.node, MapNode) else {}
        named = entries.pop("kind", None)
        if named is None:
            found = "required key 'kind' is missing" if entries else f"found {found_words(spot.node, spot.path)}"
            return self._report(at, f"{found}; expected {spot.annotation.expected}")
        kind = self._entry(spot, named, Annotation((str,)), (*at, "kind"))
        if kind is _UNUSABLE:
            self._reported.append(at)
            return _UNUSABLE
        parameters = self._parameters(kind, noun, spot, tuple(entries.values()), at, kind_at=(*at, "kind"))
        return _UNUSABLE if parameters is None else {"kind": kind, **parameters}

    def _parameters(
        self, kind: str, noun: str, spot: Spot, entries: Sequence[Entry], at: KeyPath, *, kind_at: KeyPath
    ) -> dict[str, Any] | None:
        """Read the parameters of a kind; None when there is no such kind."""
        if self._kinds is None:
            return {entry.key: self._entry(spot, entry, Annotation((Any,)), (*at, entry.key)) for entry in entries}
        if kind not in self._kinds:
            hint = suggestion(kind, self._kinds) or f"; expected one of: {', '.join(self._kinds)}"
            self._report(kind_at, f"unknown {noun} {quoted(kind)}{hint}")
            self._reported.append(at)
            return None
        parameters = self._section(self._kinds[kind], spot, entries, at)
        self._validate(self._kinds[kind], parameters, at)
        return parameters

    def _validate(self, model: type[M], shaped: Any, at: KeyPath) -> M | None:
        try:
            return model.model_validate(shaped)
        except ValidationError as error:
            known = tuple(self._reported)
            for details in error.errors(include_url=False):
                self._place(details, at, known)
            return None

    def _place(self, details: ErrorDetails, at: KeyPath, known: Sequence[KeyPath]) -> None:
        """Report a finding of pydantic, unless something at that place has been reported before."""
        here = self._deepest(at, details["loc"])
        if details["type"] == "default_factory_not_called":
            return  # it follows from a key that is reported itself
        if any(here[: len(path)] == path for path in known):
            return
        spot = self.spots[here]
        if spot.annotation.is_union and here in self._reported:
            return  # pydantic has a finding for each member of a union; the first says all
        error = details.get("ctx", {}).get("error")
        if isinstance(error, Misfit):
            for below, message in error.found:
                self._report(self._deepest(here, below), message)
        elif error is not None and details["loc"][-1] == "[key]":
            self.mistakes.append(Mistake(spot.offset, spot.path, str(error)))
        else:
            self._report(here, wording(details, spot.node, spot.annotation, spot.path))

    def _deepest(self, at: KeyPath, below: KeyPath) -> KeyPath:
        """Follow a path as far as the file goes; what it doesn't have is a missing key, or pydantic's label of a union's member."""
        for part in below:
            if (*at, part) in self.spots:
                at = (*at, part)
        return at

    def _report(self, at: KeyPath, *messages: str) -> object:
        spot = self.spots[at]
        # The place of a list or a mapping is its key: that is where one looks for it.
        offset = spot.node.offset if isinstance(spot.node, Scalar) and spot.node.text else spot.offset
        self.mistakes.extend(Mistake(offset, spot.path, message) for message in messages)
        self._reported.append(at)
        return _UNUSABLE


def _value(node: Scalar, filled: Interpolated, annotation: Annotation) -> str | int | float | bool | None:
    """Read a scalar as the annotation wants it: text as it was written, anything else as YAML reads it."""
    if filled.used and annotation.takes_text:
        return filled.text or (None if annotation.takes("nothing") else "")
    value = plain_value(filled.text) if node.plain or filled.used else filled.text
    return value if value is None or not annotation.takes_text else filled.text
