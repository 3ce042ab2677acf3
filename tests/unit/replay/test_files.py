from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import DataError
from schemas.events import Announcement, Block, End, Source
from streams.replay import files
from streams.replay.files import FileSource
from streams.replay.source import Read
from tests.unit.replay.configs import FEATURES, PREDICTIONS, START, config, row, write_lines


def read_all(source: FileSource) -> list[Read]:
    return list(source.read())


def blocks(reads: list[Read]) -> list[Block]:
    return [m for read in reads for m in read.messages if isinstance(m, Block)]


def letters(source: FileSource) -> list[tuple[str, str]]:
    return [(source.place(letter), letter.reason) for read in source.read() for letter in read.dead_letters]


@pytest.mark.parametrize("name", ["features.jsonl", "features.jsonl.gz"])
def test_lines_are_records_of_the_configured_topic(tmp_path: Path, name: str) -> None:
    path = write_lines(tmp_path / name, [row(0, amount=1.5), row(1, amount=2)])
    reads = read_all(FileSource(config(), {"f": path}))
    assert reads[0].messages == (Announcement("fraud", (Source("f", 0),)),)
    (block,) = blocks(reads)
    assert block.source == Source("f", 0)
    assert block.offsets.tolist() == [0, 1]
    assert block.numbers.tolist() == [[1.5, 2.0]]
    assert block.stamps.tolist() == block.times.tolist() == [START, START + 1000]
    assert reads[-1].messages == (End("fraud", Source("f", 0)),)


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    source = FileSource(config(), {"f": write_lines(tmp_path / "f.jsonl", [row(0, a=1)])})
    assert [read.records for read in source.read()] == [read.records for read in source.read()]


def test_progress_ends_at_the_size(tmp_path: Path) -> None:
    source = FileSource(config(), {"f": write_lines(tmp_path / "f.jsonl.gz", [row(i, a=i) for i in range(1000)])})
    assert read_all(source)[-1].done == source.size > 0


def test_blocks_cover_the_file_without_gaps_though_lines_are_empty_or_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 2)
    bad = b'{"id": "x", "ts": '
    path = write_lines(tmp_path / "f.jsonl", [row(0, a=1), b"", bad, bad, b"   ", row(5, a=1), row(6, a=1), bad, row(8, a=2)])
    source = FileSource(config(), {"f": path})
    ranges = [(b.start, b.end) for b in blocks(read_all(source))]
    assert ranges[0][0] == 0
    assert ranges[-1][1] == 9
    assert all(end == start for (_, end), (start, _) in pairwise(ranges))
    assert letters(source) == [(f"{path}:3", "undecodable"), (f"{path}:4", "undecodable"), (f"{path}:8", "undecodable")]


def test_the_file_that_is_furthest_behind_is_read_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 10)
    features = write_lines(tmp_path / "f.jsonl", [row(i, a=1) for i in range(100)])
    predictions = write_lines(tmp_path / "p.jsonl", [{**row(i * 10), "label": "ok", "score": 0.5} for i in range(10)])
    source = FileSource(config(predictions=PREDICTIONS), {"f": features, "p": predictions})
    clock = {"f": 0, "p": 0}
    for block in blocks(read_all(source)):
        others = [c for topic, c in clock.items() if topic != block.source.topic]
        assert clock[block.source.topic] <= max(others)
        clock[block.source.topic] = int(block.stamps.max())


def test_a_line_that_is_no_record_is_told_with_its_place(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "f.jsonl", [row(0, a=1), b"[1]", {"ts": START, "x": {}}, {**row(3), "ts": "soon"}])
    source = FileSource(config(), {"f": path})
    assert letters(source) == [(f"{path}:2", "not_an_object"), (f"{path}:3", "missing_id"), (f"{path}:4", "bad_time")]


def test_events_timed_by_kafka_need_a_time_in_each_line(tmp_path: Path) -> None:
    by_kafka = config(features={"topic": "f", "fields": {"id": "id", "features": "."}})
    path = write_lines(tmp_path / "f.jsonl", [{"id": 1, "a": 1.0, "$timestamp": START}, {"id": 2, "a": 2.0}])
    source = FileSource(by_kafka, {"f": path})
    (block,) = blocks(read_all(source))
    assert block.times.tolist() == [START]
    assert block.number_names == ("a",)
    assert letters(source) == [(f"{path}:2", "bad_time")]


def test_events_timed_by_kafka_without_a_time_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    by_kafka = config(features={"topic": "f", "fields": {"id": "id", "features": "."}})
    jsonl = write_lines(tmp_path / "f.jsonl", [{"id": 1, "a": 1.0}])
    csv = tmp_path / "f.csv"
    csv.write_text("id,a\n1,2\n")
    for path in (jsonl, csv):
        with pytest.raises(DataError, match=rf"{path.name}:1: .*\$timestamp.*fields\.time"):
            read_all(FileSource(by_kafka, {"f": path}))


def test_a_damaged_gzip_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": 1}\n' * 1000)[:-20])
    with pytest.raises(DataError, match=r"f\.jsonl\.gz: damaged"):
        read_all(FileSource(config(), {"f": path}))
    path.write_bytes(b"not gzip at all")
    with pytest.raises(DataError, match=r"f\.jsonl\.gz: damaged"):
        read_all(FileSource(config(), {"f": path}))


def test_csv_rows_become_the_records_of_the_topic(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text('\ufeffid,ts,version,amount,country\n007,1767571200,3,1.5,DE\n008,1767571201,3,,"a, ""b"""\n', encoding="utf-8")
    (block,) = blocks(read_all(FileSource(config(), {"f": path})))
    assert block.ids == ("007", "008")
    assert block.times.tolist() == [START, START + 1000]
    assert block.versions.at(0) == "3"
    np.testing.assert_array_equal(block.numbers[block.number_names.index("amount")], [1.5, np.nan])
    assert block.categories[block.category_names.index("country")].values == ("DE", 'a, "b"')
    assert block.offsets.tolist() == [1, 2]


def test_csv_and_json_lines_of_the_same_rows_give_the_same_block(tmp_path: Path) -> None:
    nested = {"topic": "f", "fields": {"id": "id", "time": "ts", "version": "model.version", "features": "payload.features"}}
    rows = [
        {"id": f"a{i}", "ts": START + i, "model": {"version": "3"}, "payload": {"features": {"amount": i / 2, "c": "x"}}} for i in range(5)
    ]
    lines = write_lines(tmp_path / "f.jsonl", rows)
    csv = tmp_path / "f.csv.gz"
    text = "id,ts,version,payload.features.amount,payload.features.c\n" + "".join(f"a{i},{START + i},3,{i / 2},x\n" for i in range(5))
    csv.write_bytes(gzip.compress(text.encode()))
    (a,), (b,) = (blocks(read_all(FileSource(config(features=nested), {"f": path}))) for path in (lines, csv))
    assert (a.ids, a.number_names, a.category_names, a.versions.values) == (b.ids, b.number_names, b.category_names, b.versions.values)
    np.testing.assert_array_equal(a.numbers, b.numbers)
    np.testing.assert_array_equal(a.times, b.times)


def test_csv_rows_that_are_none_are_dead_letters(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"id,ts,a\n1,1767571200,1\n2,1767571200\n\n3,1767571200,\xff\n4,1767571200,1\n")
    source = FileSource(config(features={"topic": "f", "fields": {"id": "id", "time": "ts", "features": "."}}), {"f": path})
    assert letters(source) == [(f"{path}:3", "undecodable"), (f"{path}:5", "undecodable")]
    assert sum(len(b) for b in blocks(read_all(source))) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; expected a header"),
        ("id,amount\n1,2\n", "no column for 'time'"),
        ("id,ts,a,a\n1,2,3,4\n", "column 'a' stands twice"),
    ],
)
def test_a_header_that_does_not_fit_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "f.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_all(FileSource(config(), {"f": path}))


def test_a_column_that_says_when_rows_arrived_must_be_there(tmp_path: Path) -> None:
    features = {**FEATURES, "fields": {**FEATURES["fields"], "arrived": "seen.at"}}
    path = tmp_path / "f.csv"
    path.write_text("id,ts,version,a\n1,1767571200,3,1\n")
    with pytest.raises(DataError, match="no column for 'arrived'"):
        read_all(FileSource(config(features=features), {"f": path}))


def test_topics_without_a_file_are_not_waited_for(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "f.jsonl", [row(0, a=1)])
    reads = read_all(FileSource(config(features=FEATURES, predictions=PREDICTIONS), {"f": path}))
    assert reads[0].messages == (Announcement("fraud", (Source("f", 0),)),)


def test_a_gzip_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    packed = write_lines(tmp_path / "f.jsonl.gz", [row(0, a=1)]).rename(tmp_path / "f.jsonl")
    (block,) = blocks(read_all(FileSource(config(), {"f": packed})))
    assert len(block) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("f.jsonl", b"PAR1....PAR1", "Parquet; expected JSON lines or CSV"), ("f.csv", "id,ts\n1,2\n".encode("utf-16"), "f.csv:1: ")],
)
def test_a_file_of_another_format_is_an_error(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_all(FileSource(config(), {"f": path}))


def test_rows_that_are_not_in_the_order_of_time_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 2)
    path = write_lines(tmp_path / "f.jsonl", [row(i, a=1) for i in (0, 3, 1, 2, 3, 4)])
    notes = [note for read in FileSource(config(), {"f": path}).read() for note in read.notes]
    assert [note.partition(";")[0] for note in notes] == [f"{path}: 2 rows of model 'fraud' are older than a row before them"]
    in_order = FileSource(config(), {"f": write_lines(tmp_path / "g.jsonl", [row(i, a=1) for i in range(5)])})
    assert not any(read.notes for read in in_order.read())
