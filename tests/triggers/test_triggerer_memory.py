"""A triggerer meets thousands of token pairs in its life. Airflow's masker forgets nothing, so it gets none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from masking import number_of_secrets
from trigger_runs import new_hash, payload_of, trigger_on

from airflow_provider_alloincognito.hooks.shared import forget_shared
from airflow_provider_alloincognito.sandbox import Sandbox


def test_pairs_leave_no_secrets_behind(connected_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = connected_sandbox()
    request_hash = new_hash()
    forget_shared()  # the hook's process is another one

    async def poll_with_pairs(count: int) -> int:
        for _ in range(count):
            sandbox.expire_pair()
            assert (await payload_of(trigger_on(request_hash)))["status"] == "ready"
        return number_of_secrets()

    async def poll() -> tuple[int, int]:
        return await poll_with_pairs(1), await poll_with_pairs(5)

    before = len(sandbox.tokens_ever_issued)
    first, last = asyncio.run(poll())
    assert len(sandbox.tokens_ever_issued) >= before + 12
    assert first == last
