"""What the operators tell Airflow of what they have landed: events of assets, lineage, links."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.assets import landed_asset
from airflow_provider_alloincognito.compat import (
    DAG_TEST_TAKES_ASSETS,
    Asset,
    AssetAlias,
    BaseOperator,
    add_hook_lineage,
    add_partitions,
    store_link,
)
from airflow_provider_alloincognito.landing.stores.targets import plain_uri
from airflow_provider_alloincognito.links import ApiDocumentationLink, LandedFileLink, StoredLink, console_url
from airflow_provider_alloincognito.scrubbing import scrub

if TYPE_CHECKING:
    from airflow_provider_alloincognito.compat import Context
    from airflow_provider_alloincognito.operators.outcome import Outcome


class AnnouncingOperator(BaseOperator):
    """An operator that tells Airflow what it has landed."""

    operator_extra_links = (ApiDocumentationLink(), LandedFileLink())

    hook: Any
    _passed: Mapping[str, bool]
    outcome: Outcome | None = None
    urls: Mapping[str, str] = MappingProxyType({})
    """The URLs of the links, by the links' ``xcom_key``."""

    def add_own_outlet(self) -> None:
        """Have Airflow emit an event of the task's own asset, unless the DAG names other outlets for it."""
        has_dag = self.has_dag()  # type: ignore[no-untyped-call]
        # A mapped task is made anew when it runs: Airflow would not know an outlet that is added then.
        is_told = self.outlets or "outlets" in self._passed
        if DAG_TEST_TAKES_ASSETS and has_dag and self.dag.task_dict.get(self.task_id) is self and not is_told:
            self.add_outlets([landed_asset(self.dag_id, self.task_id)])

    def pre_execute(self, context: Context) -> None:
        """Make the link to the server's documentation, which helps where the task fails, too."""
        super().pre_execute(context)
        try:
            server = self.hook.settings.server
        except Exception:  # noqa: BLE001 - execute meets the same error, and explains it
            return
        self._add_link(context, ApiDocumentationLink(), f"{server}/docs")

    def announce(self, context: Context, outcome: Outcome, *, by_day: bool = False) -> None:
        """
        Tell Airflow what has landed. ``execute`` calls it at its end.

        :param by_day: emit an event for each day of the period, with the day as its partition key; of a period that
            is not whole days one event, with the period's name.
        """
        self.outcome = outcome
        try:
            for outlet in self.outlets:
                self._fill_event(context, outlet, outcome, by_day)
            add_hook_lineage(self.hook, "output", plain_uri(outcome.path))
            if url := console_url(outcome.file):
                self._add_link(context, LandedFileLink(), url)
        except Exception as error:  # noqa: BLE001 - what has landed has landed: another try could not do better
            self.log.warning(
                "Asset event, lineage or link are missing (%s): %s", type(error).__name__, scrub(str(error))
            )

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return an ``OperatorLineage`` of what has landed, or None. OpenLineage's provider calls it if installed."""
        from airflow_provider_alloincognito.operators.lineage import operator_lineage

        return operator_lineage(self.hook.settings.server, self.outcome) if self.outcome else None

    def _fill_event(self, context: Context, outlet: Any, outcome: Outcome, by_day: bool) -> None:
        events: Any = context.get("outlet_events")
        if events is None:  # execute was called without Airflow, by somebody's test
            return
        if isinstance(outlet, AssetAlias):
            events[outlet].add(landed_asset(self.dag_id, self.task_id), extra=outcome.extra)
        elif isinstance(outlet, Asset):
            events[outlet].extra.update(outcome.extra)
            if by_day and not outcome.partition_keys:
                self.log.warning(
                    "The period of what has landed is not known, so the asset's event has no partition key and starts "
                    "no DAG that is scheduled by partitions. Give calls=calls.output, of the call-list operator"
                )
            elif by_day and not add_partitions(events[outlet], outcome.partition_keys):
                self.log.info("This version of Airflow has no partition keys for tasks, so the event has none")

    def _add_link(self, context: Context, link: StoredLink, url: str) -> None:
        self.urls = {**self.urls, link.xcom_key: url}
        store_link(context, link.xcom_key, url)
