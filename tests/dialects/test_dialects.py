"""Every open question about the API, answered in every way, alone and together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from dialect_runs import Dialect, Outcome, run
from switches import SWITCHES, Answer

ALONE = [
    pytest.param(answer, id=f"{switch.name}-{number}-{answer.name.strip('`')}"[:60])
    for switch in SWITCHES
    for number, answer in enumerate(switch.answers)
]


UNTOLD = [one for one in ALONE if one.values[0].names or one.values[0].warns]


@pytest.mark.parametrize("answer", ALONE)
def test_the_truth_lands_from_each_answer(answer: Answer, tmp_path: Path) -> None:
    outcome = run(Dialect((answer,)), tmp_path)
    assert not outcome.wrong
    if answer.final:
        assert_named(outcome, answer.names)
    else:
        assert not outcome.errors


@pytest.mark.parametrize("answer", UNTOLD)
def test_a_wrong_guess_is_an_error_that_names_the_setting(answer: Answer, tmp_path: Path) -> None:
    outcome = run(Dialect((answer,), told=False), tmp_path)
    if answer.warns:
        assert any(name in text for name in answer.warns for text in outcome.warnings), outcome.warnings
    else:
        assert not outcome.wrong
        assert_named(outcome, answer.names)


def assert_named(outcome: Outcome, names: Sequence[str]) -> None:
    """Each error names one of the settings, and there is one."""
    assert outcome.errors
    for step, error in outcome.errors.items():
        assert any(name in str(error) for name in names), f"{step}: {error}"
