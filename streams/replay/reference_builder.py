"""References from recorded history: the same rows, in the same order, as the engine would have seen them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np

from detectors.profiling import build_reference
from schemas.config import Config, Model
from schemas.errors import DataError
from schemas.events import RESERVED_SUBJECTS, Codes, Int64Array, Role
from schemas.reference import Profile, Reference
from streams.engine.rows import RoleRows, rows_of
from streams.engine.sequencer import Sequencer
from streams.replay.source import Read, ReplaySource
from streams.replay.tally import Tally

__all__ = ["ENOUGH_ROWS", "FEWEST_ROWS", "MOST_ROWS", "build_references"]

#: A reference of fewer rows is refused; one of fewer than `ENOUGH_ROWS` shows large shifts only.
FEWEST_ROWS, ENOUGH_ROWS = 100, 2_000
#: Rows of a model that are used at most: they are all held in memory.
MOST_ROWS = 2_000_000
_WATCHED: tuple[Role, ...] = ("features", "predictions")


def build_references(
    config: Config, source: ReplaySource, *, origin: str, tally: Tally, progress: Callable[[Read], None] | None = None
) -> dict[tuple[str, str], Reference]:
    """Build a reference for every model and version that `source` has rows of.

    Parameters
    ----------
    config : Config
        The configuration.
    source : ReplaySource
        Where history lies.
    origin : str
        Where the rows came from, for whoever reads the reference later.
    tally : Tally
        Takes note of what became of the records, and of models whose rows were more than can be used.

    Returns
    -------
    dict
        By (model, version).

    Raises
    ------
    DataError
        No version has 100 rows or more.
    """
    sequencers: dict[str, Sequencer] = {}
    for read in source.read():
        tally.add(read, source)
        for message in read.messages:
            if message.model not in sequencers:
                sequencers[message.model] = Sequencer(grace_ms=config.engine.grace, max_hold=sys.maxsize)
            sequencers[message.model].push(message)
        if progress is not None:
            progress(read)
        if sequencers and min(_rows_gone(sequencer) for sequencer in sequencers.values()) >= MOST_ROWS:
            tally.notes.append(f"the first {MOST_ROWS} records of each model were used, the rest was not read")
            break
    built: dict[tuple[str, str], Reference] = {}
    for name, sequencer in sorted(sequencers.items()):
        for reference in _references(config.model(name), sequencer, origin):
            if reference.rows >= FEWEST_ROWS:
                built[name, reference.version] = reference
                tally.notes += _lacking(config.model(name), reference)
            else:
                tally.notes.append(
                    f"version {reference.version!r} of model {name!r} is left out: {reference.rows} rows, expected {FEWEST_ROWS} at least"
                )
    if not built:
        raise DataError("\n".join([f"{origin}: not enough rows of features or predictions for a reference", *tally.remarks()]))
    return built


def _lacking(model: Model, reference: Reference) -> Iterator[str]:
    """Yield what the model has sources of and the reference nothing about."""
    held: dict[Role, bool] = {"features": bool(reference.profiles.keys() - set(RESERVED_SUBJECTS))}
    held["predictions"] = bool(reference.profiles.keys() & {"prediction", "score"})
    for role, source in model.sources.items():
        if not held.get(role, True):
            yield (
                f"nothing about {role} is in the reference of version {reference.version!r} of model {model.name!r}: "
                f"there were no such rows (topic {source.topic})"
            )


def _rows_gone(sequencer: Sequencer) -> int:
    return sum(source.rows for source in sequencer.progress())


def _references(model: Model, sequencer: Sequencer, origin: str) -> Iterator[Reference]:
    release = sequencer.release()
    if release is None:
        return
    by_version: dict[str, list[Reference]] = {}
    for role in _WATCHED:
        rows = rows_of(release, role)
        if rows is not None:
            for part in _of_role(model, rows, origin):
                by_version.setdefault(part.version, []).append(part)
    yield from (_merged(parts) for _, parts in sorted(by_version.items()))


def _of_role(model: Model, rows: RoleRows, origin: str) -> Iterator[Reference]:
    """Build a reference of the columns of one role, for each version."""
    names = tuple(rows.number_names())
    numbers, times, versions = rows.numbers(names), rows.times(), rows.versions()
    categories = {name: rows.category(name) for name in rows.category_names()}
    for code, version in enumerate(versions.values):
        mine = np.flatnonzero(versions.codes == code)
        if len(mine):
            # Another version's features are none of this one.
            filled = np.flatnonzero(np.isfinite(numbers[:, mine]).any(axis=1))
            strings = {name: Codes(c.values, c.codes[mine]) for name, c in categories.items() if (c.codes[mine] >= 0).any()}
            yield build_reference(
                model=model.name,
                version=version,
                origin=origin,
                times=times[mine],
                number_names=[names[i] for i in filled.tolist()],
                numbers=numbers[np.ix_(filled, mine)],
                category_names=list(strings),
                categories=list(strings.values()),
                segments=dict(_segments(model, rows, mine)),
            )


def _segments(model: Model, rows: RoleRows, mine: Int64Array) -> Iterator[tuple[str, Int64Array]]:
    """Yield the rows of each segment, as indices into `mine`; at most as many values of a field as are watched, most frequent first."""
    for index, field in enumerate(model.segments):
        column = rows.segment(index)
        codes = column.codes[mine]
        counts = np.bincount(codes[codes >= 0], minlength=len(column.values))
        for code in np.argsort(-counts, kind="stable")[: model.max_segments].tolist():
            yield f"{field}={column.values[code]}", np.flatnonzero(codes == code)


def _merged(parts: list[Reference]) -> Reference:
    """Put features and predictions of one version together."""
    first = parts[0]
    segments: dict[str, dict[str, Profile]] = {name: {} for part in parts for name in part.segments}
    for part in parts:
        for name, profiles in part.segments.items():
            segments[name] |= profiles
    return first.model_copy(
        update={
            "rows": max(part.rows for part in parts),
            "from_ms": min(part.from_ms for part in parts),
            "to_ms": max(part.to_ms for part in parts),
            "profiles": dict(sorted((name, p) for part in parts for name, p in part.profiles.items())),
            "segments": dict(sorted(segments.items())),
        }
    )
