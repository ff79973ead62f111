"""Waiting in a worker for a result that is not ready."""

from __future__ import annotations

import logging
import time

from airflow_provider_alloincognito.api.errors import AlloincognitoResponseError, AlloincognitoWaitTimeout
from airflow_provider_alloincognito.api.query import CallListQuery
from airflow_provider_alloincognito.api.results import CallList, RecordFile
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook

log = logging.getLogger(__name__)


def ready_result(
    hook: AlloincognitoHook,
    first: CallList | RecordFile,
    *,
    poll_interval: float,
    wait_timeout: float,
    query: CallListQuery | None = None,
) -> CallList | RecordFile:
    """
    Give the result itself, asked for by its hash until it is ready.

    :param hook: to ask with.
    :param first: the answer in hand.
    :param poll_interval: seconds between two polls.
    :param wait_timeout: seconds after which to give up.
    :param query: what rows are cut to.
    :raises AlloincognitoWaitTimeout: if it is not ready in time.
    """
    result = first
    deadline = time.monotonic() + wait_timeout
    request_hash = result.request_hash
    while result.is_pending:
        result.__exit__(None, None, None)
        request_hash = result.request_hash or request_hash
        if request_hash is None:
            raise AlloincognitoResponseError("The answer holds neither a result nor a requestHash to ask for it by.")
        if time.monotonic() + poll_interval > deadline:
            raise AlloincognitoWaitTimeout(
                f"The result of request {request_hash} was not ready within {wait_timeout:.0f} s (wait_timeout). Give "
                "it more time, or wait with AlloincognitoRequestResultSensor."
            )
        log.info("Result %s is not ready; asking again in %.0f s", request_hash, poll_interval)
        time.sleep(poll_interval)
        result = hook.get_request_result(request_hash, query)
    return result
