"""The fuzzer's corpus, which holds all that it ever found, through the targets of ``make fuzz``, without the fuzzer."""

from __future__ import annotations

from pathlib import Path

import pytest

import fuzz
from fuzz.targets import TARGETS

CORPUS = sorted(Path(fuzz.__file__).parent.glob("corpus/*/*"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_an_input_of_the_fuzzer_is_read_or_refused(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus() -> None:
    assert {path.parent.name for path in CORPUS} == set(TARGETS)
