"""Every open question about the API, answered in every way, alone and together."""

from __future__ import annotations

from pathlib import Path

import pytest
from dialect_runs import Dialect, run
from switches import SWITCHES, Answer, Switch

ALONE = [
    pytest.param(answer, id=f"{switch.name}-{number}-{answer.name.strip('`')}"[:60])
    for switch in SWITCHES
    for number, answer in enumerate(switch.answers)
]


@pytest.mark.parametrize("answer", ALONE)
def test_each_answer_alone(answer: Answer, tmp_path: Path) -> None:
    outcome = run(Dialect((answer,)), tmp_path)
    assert not outcome.wrong
    if answer.final:
        assert outcome.errors
    else:
        assert not outcome.errors
