from __future__ import annotations

from hashlib import blake2b
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.join.keys import keys_of

UUID_TEXT = "0188a1c2-0000-7000-8000-00000000002a"


def naive(text: str) -> bytes:
    try:
        if str(UUID(text)) == text:
            return UUID(text).bytes
    except ValueError:
        pass
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def found(ids: list[str]) -> list[bytes]:
    return [key.tobytes() for key in keys_of(ids)]


@given(st.lists(st.one_of(st.uuids().map(str), st.text(), st.text("0123456789abcdef-", min_size=36, max_size=36))))
def test_a_key_is_the_uuid_else_a_hash(ids: list[str]) -> None:
    assert found(ids) == [naive(text) for text in ids]


@pytest.mark.parametrize(
    "text",
    [
        UUID_TEXT.upper(),
        UUID_TEXT.replace("-", ""),
        "{" + UUID_TEXT[1:-1] + "}",
        UUID_TEXT[:-1] + "g",
        UUID_TEXT[:-1] + "é",
        UUID_TEXT[:-1] + "\u0662",  # a digit, elsewhere
        UUID_TEXT[:-1] + "\ud800",  # half of a character
        UUID_TEXT.replace("-", "_"),
        "0188a1c-20000-7000-8000-00000000002a",
        " " * 36,
        "",
    ],
)
def test_what_only_looks_like_a_uuid_is_another_id(text: str) -> None:
    assert found([UUID_TEXT, text]) == [UUID(UUID_TEXT).bytes, naive(text)]
    assert found([text])[0] != UUID(UUID_TEXT).bytes


def test_no_ids_have_no_keys() -> None:
    assert keys_of([]).shape == (0, 2)
    assert keys_of([]).dtype == np.uint64
