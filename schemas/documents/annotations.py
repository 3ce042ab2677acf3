"""Reading type annotations of pydantic models: what may stand at a key, and what to call it in a message."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from schemas.hints import Expected, KeyPath, Kinded, OneOrMore

__all__ = ["Annotation", "Form", "all_keys", "fields_of"]

#: What a value looks like in a file.
Form: TypeAlias = Literal["single value", "list", "mapping", "nothing"]

_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation taken apart.

    Parameters
    ----------
    options : tuple
        Members of the union, without ``Annotated`` around them.
    marks : tuple
        What ``Annotated`` said besides, at any level of the union.
    """

    options: tuple[Any, ...]
    marks: tuple[Any, ...] = ()

    @classmethod
    def of(cls, annotation: Any) -> Annotation:
        """Take an annotation apart.

        Examples
        --------
        >>> Annotation.of(Annotated[int | str, Expected("a size")] | None).expected
        'a size'
        >>> Annotation.of(dict[str, int] | None).expected
        'a mapping'
        """
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            inner = cls.of(arguments[0])
            return cls(inner.options, (*arguments[1:], *inner.marks))
        if origin in (Union, UnionType):
            parts = [cls.of(argument) for argument in arguments]
            return cls(tuple(o for part in parts for o in part.options), tuple(m for part in parts for m in part.marks))
        return cls((annotation,))

    def takes(self, form: Form) -> bool:
        """Whether something that looks like this may stand here."""
        if form == "single value" and any(isinstance(mark, OneOrMore) for mark in self.marks):
            return True
        return any(option is Any or _form(option) == form for option in self.options)

    @property
    def is_union(self) -> bool:
        """Whether there is a choice, besides leaving it out."""
        return sum(option is not NoneType for option in self.options) > 1

    @property
    def kinded(self) -> Kinded | None:
        """The mark of a value that names its kind."""
        return next((mark for mark in self.marks if isinstance(mark, Kinded)), None)

    @property
    def section(self) -> type[BaseModel] | None:
        """The pydantic model that a mapping here becomes."""
        return next((option for option in self.options if isinstance(option, type) and issubclass(option, BaseModel)), None)

    @property
    def values(self) -> Annotation:
        """What the values of a mapping without fixed keys are."""
        return Annotation.of(next((_arguments(option)[-1] for option in self.options if option is Any or _form(option) == "mapping"), Any))

    def item(self, index: int) -> Annotation:
        """What an item of a list is."""
        option = next((option for option in self.options if option is Any or _form(option) == "list"), Any)
        arguments = _arguments(option)
        fixed = get_origin(option) is tuple and arguments[-1] is not ...
        return Annotation.of(arguments[min(index, len(arguments) - 1) if fixed else 0])

    @property
    def choices(self) -> tuple[str, ...]:
        """Values that are listed one by one, as text."""
        return tuple(str(value) for option in self.options if get_origin(option) is Literal for value in get_args(option))

    @property
    def takes_text(self) -> bool:
        """Whether a single value here is text, whatever it looks like."""
        words = (value for option in self.options if get_origin(option) is Literal for value in get_args(option))
        return str in self.options or (any(isinstance(word, str) for word in words) and {int, float, bool}.isdisjoint(self.options))

    @property
    def takes_truth(self) -> bool:
        """Whether true and false may stand here; pydantic alone would take them for the numbers 1 and 0."""
        return bool in self.options or not (int in self.options or float in self.options)

    @property
    def expected(self) -> str:
        """What may stand here, in words."""
        for mark in self.marks:
            if isinstance(mark, Expected):
                return mark.text
        if self.kinded:
            return f"a {self.kinded.noun}: its kind, or a mapping with 'kind' and its parameters"
        return ", or ".join(dict.fromkeys(_words(option) for option in self.options if option is not NoneType))


@cache
def fields_of(section: type[BaseModel]) -> Mapping[str, Annotation]:
    """Keys of a section, and what may stand at each."""
    return {
        field.alias or name: Annotation.of(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)
        for name, field in section.model_fields.items()
    }


@cache
def all_keys(section: type[BaseModel]) -> tuple[KeyPath, ...]:
    """Paths of all keys of a section and of the sections in it; lists and free keys leave no trace in a path."""
    paths: list[KeyPath] = []
    for key, annotation in fields_of(section).items():
        paths.append((key,))
        inner = annotation.section or annotation.item(0).section or annotation.values.section
        paths += [(key, *path) for path in all_keys(inner)] if inner else []
    return tuple(paths)


def _form(option: Any) -> Form:
    cls = get_origin(option) or option
    if cls is NoneType:
        return "nothing"
    if isinstance(cls, type) and issubclass(cls, BaseModel | Mapping):
        return "mapping"
    if isinstance(cls, type) and issubclass(cls, Collection) and not issubclass(cls, str | bytes):
        return "list"
    return "single value"


def _arguments(option: Any) -> tuple[Any, ...]:
    return get_args(option) or (Any,)


def _words(option: Any) -> str:
    if option in _NAMES:
        return _NAMES[option]
    if get_origin(option) is Literal:
        *others, last = (str(value) for value in get_args(option))
        return f"{', '.join(others)} or {last}" if others else last
    if isinstance(option, type) and issubclass(option, BaseModel):
        return "a mapping with the keys " + ", ".join(fields_of(option))
    form = _form(option)
    return f"a {form}" if form != "single value" else "a value"
