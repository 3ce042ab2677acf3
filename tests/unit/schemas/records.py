"""Models, records and a view of blocks cell by cell, for tests of the codec."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from schemas.codec import Decoded, Decoder, Raw
from schemas.config import Model
from schemas.events import Block, Fault

NOW = 1_767_608_591_000


def model(name: str = "fraud", *, task: str = "none", segments: Sequence[str] = (), **sources: dict[str, Any]) -> Model:
    """A model whose sources are given as ``role={path name: path}``, on the topic "events" unless a ``topic`` is among them."""
    mapped = {
        role: {"topic": paths.get("topic", "events"), "fields": {"id": "id"} | {key: path for key, path in paths.items() if key != "topic"}}
        for role, paths in sources.items()
    }
    return Model.model_validate({"name": name, "task": task, "segments": list(segments), "sources": mapped})


FRAUD = model(features={"time": "ts", "version": "model.version", "features": "payload.features"}, segments=["country", "site.region"])


def decoder(*models: Model, **options: Any) -> Decoder:
    """A decoder of the topic "events" for models that use it in all their roles."""
    return Decoder(
        "events", [(m, role, source) for m in models for role, source in m.sources.items() if source.topic == "events"], **options
    )


def raws(values: Iterable[bytes | dict[str, Any] | None], *, stamp: int = NOW) -> list[Raw]:
    """Records at offsets 0, 1, …; a dict is written as JSON, NaN and all."""
    return [Raw(i, stamp, json.dumps(v).encode() if isinstance(v, dict) else v) for i, v in enumerate(values)]


def decode(records: Sequence[Raw], *models: Model, now_ms: int | None = None, **options: Any) -> Decoded:
    """Decode all records as one batch of partition 0."""
    return decoder(*(models or (FRAUD,)), **options).decode(0, records, start=0, end=len(records), now_ms=now_ms)


def fraud(id: Any = "a", **features: Any) -> dict[str, Any]:
    """A record that FRAUD can use."""
    return {"id": id, "ts": NOW, "model": {"version": "3"}, "payload": {"features": features}}


def rows(block: Block) -> list[dict[str, Any]]:
    """What each row says; a subject that is not among the cells of a row is absent."""
    out = []
    for i in range(len(block)):
        cells: dict[str, Any] = {}
        for name, column in zip(block.number_names, block.numbers.tolist(), strict=True):
            if column[i] == column[i]:
                cells[name] = column[i]
        for name, codes in zip(block.category_names, block.categories, strict=True):
            if (text := codes.at(i)) is not None:
                assert name not in cells
                cells[name] = text
        out.append(
            {
                "model": block.model,
                "offset": int(block.offsets[i]),
                "stamp": int(block.stamps[i]),
                "time": int(block.times[i]),
                "id": block.ids[i],
                "version": block.versions.at(i),
                "segments": tuple(s.at(i) for s in block.segments),
                "cells": cells,
            }
        )
    faults = block.faults
    for column, row, reason in zip(faults.column.tolist(), faults.row.tolist(), faults.reason.tolist(), strict=True):
        cells = out[row]["cells"]
        assert faults.subjects[column] not in cells
        if reason != Fault.ABSENT:
            cells[faults.subjects[column]] = Fault(reason)
    return out


def absent(block: Block) -> set[tuple[str, int]]:
    """Cells that the block itself calls absent, as (subject, row)."""
    faults = zip(block.faults.column.tolist(), block.faults.row.tolist(), block.faults.reason.tolist(), strict=True)
    return {(block.faults.subjects[column], row) for column, row, reason in faults if reason == Fault.ABSENT}
