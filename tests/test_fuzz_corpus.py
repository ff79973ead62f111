"""The fuzzer's corpus, which holds all that it ever found, through the targets of ``make fuzz``, without the fuzzer."""

from __future__ import annotations

from pathlib import Path

import pytest

import fuzz
from fuzz.targets import TARGETS

CORPUS = sorted(Path(fuzz.__file__).parent.glob("corpus/*/*"))

NOT_YET = {
    "expiry-deep": "RecursionError from read_pair and jwt_expiry",
    "expiry-not_utf_8": "UnicodeDecodeError from read_pair",
    "head-idna": "UnicodeError: a declared charset that cannot replace what it cannot decode",
    "head-two_encodings": "which of two encodings is taken depends on the chunks",
    "head-utf_16_without_mark": "UnicodeError: UTF-16 is declared, but the body has no byte order mark",
}


@pytest.fixture(autouse=True)
def _not_yet(request: pytest.FixtureRequest) -> None:
    for name, reason in NOT_YET.items():
        if f"[{name}]" in request.node.name:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_an_input_of_the_fuzzer_is_read_or_refused(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus() -> None:
    assert {path.parent.name for path in CORPUS} == set(TARGETS)
