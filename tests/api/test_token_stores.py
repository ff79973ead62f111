"""Each step of the token logic is one call to the store, and a store is of one kind."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock, call

import pytest

from airflow_provider_alloincognito.api.tokens import steps
from airflow_provider_alloincognito.api.tokens.stores import (
    ClaimingTokenStore,
    LockingTokenStore,
    MemoryTokenStore,
    perform,
)

PAIR: Any = object()


def test_the_memory_store_has_a_lock_and_no_claims() -> None:
    assert isinstance(MemoryTokenStore(), LockingTokenStore)
    assert not isinstance(MemoryTokenStore(), ClaimingTokenStore)


@pytest.mark.parametrize(
    ("step", "made"),
    [
        (steps.Load(), call.load()),
        (steps.Save(PAIR), call.save(PAIR)),
        (steps.Lock(9.0, 1.0), call.lock(9.0, 1.0)),
        (steps.Extend(), call.extend()),
        (steps.Unlock(), call.unlock()),
        (steps.ReadClaim("id"), call.read_claim("id")),
        (steps.WriteClaim("id", "nonce"), call.write_claim("id", "nonce")),
        (steps.DropClaim("id"), call.drop_claim("id")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_step_is_one_call_and_its_outcome_comes_back(step: steps.StoreStep, made: Any) -> None:
    store = Mock()
    outcome = perform(store, step)
    assert store.mock_calls == [made]
    assert outcome is getattr(store, made[0]).return_value
