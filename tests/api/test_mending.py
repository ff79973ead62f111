"""What is mended in JSON that no parser accepts: ``api/answer/mending.py``. In rows: ``test_rows.py``."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given, strategies as st

from airflow_provider_alloincognito.api.answer.mending import TextMender, field_of_fault, mend

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text('\\"\\\\/\\n\\t\\x00\\x1b{}[]:,aя😀', max_size=9)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
sizes = st.integers(1, 40)


def raw(value: Any) -> bytes:
    """Write ``value`` with control characters as they are."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(
        r"\\(?:u00([01].)|([nrtbf])|(.))",
        lambda found: chr(int(found[1], 16)) if found[1] else json.loads(f'"{found[0]}"') if found[2] else found[0],
        text,
    ).encode()


def mended_in_pieces(text: bytes, size: int) -> bytes:
    mender = TextMender()
    return b"".join(mender(text[at : at + size]) for at in range(0, len(text), size))


@given(values, sizes)
def test_json_is_not_changed(value: Any, size: int) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    assert mend(text) == mended_in_pieces(text, size) == text


@given(values, sizes)
def test_raw_control_characters_are_read_as_they_were_meant(value: Any, size: int) -> None:
    written = raw(value)
    expected = json.loads(written, strict=False)
    assert json.loads(mend(written)) == expected
    assert json.loads(mended_in_pieces(written, size)) == expected


@given(st.binary(), sizes)
def test_any_bytes_become_unicode(text: bytes, size: int) -> None:
    mend(text).decode()
    mended_in_pieces(text, size).decode()
    assert field_of_fault(text) is None or isinstance(field_of_fault(text), str)
