"""The sensor on a ``requestHash``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, conf

from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.final import final_errors

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class AlloincognitoRequestResultSensor(BaseSensorOperator):
    """
    Wait until the result of an earlier request is ready.

    :param request_hash: ``requestHash`` of any answer, raw.
    :param deferrable: wait without holding a worker.
    :param alloincognito_conn_id: Connection of the type ``alloincognito``.
    :raises AlloincognitoApiError: if the hash is unknown or has expired; ``soft_fail`` skips on a time-out only.
    :raises AlloincognitoAuthError: if the authorization token is not accepted. Not retried.
    """

    template_fields: Sequence[str] = ("alloincognito_conn_id", "request_hash")
    ui_color = "#e8f0d8"

    def __init__(
        self,
        *,
        request_hash: str,
        alloincognito_conn_id: str = AlloincognitoHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request_hash = request_hash
        self.alloincognito_conn_id = alloincognito_conn_id
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> AlloincognitoHook:
        """The hook, made when the task runs."""
        return AlloincognitoHook(self.alloincognito_conn_id)

    def execute(self, context: Context) -> Any:
        """Poke until ready."""
        # Outside of the base class' own handling, which with soft_fail would turn a final error into a skip.
        with final_errors():
            return super().execute(context)

    def poke(self, context: Context) -> bool:
        """Ask once; no more of the answer is read than its head."""
        with self.hook.get_request_result(self.request_hash) as result:
            self.log.info("Result %s is %s", self.request_hash, "not ready yet" if result.is_pending else "ready")
            return not result.is_pending
