"""What OpenLineage learns of a task. Nothing of it is imported before OpenLineage's provider asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.compat import ObjectStoragePath
from airflow_provider_alloincognito.landing.stores.targets import location
from airflow_provider_alloincognito.scrubbing import scrub

if TYPE_CHECKING:
    from airflow_provider_alloincognito.operators.outcome import Outcome


def operator_lineage(server: str, outcome: Outcome) -> Any:
    """
    Return an ``OperatorLineage``: from the server's method, and the calls' file for recordings, to what has landed.

    :param server: scheme, host and port of the server.
    :param outcome: what has landed.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset, OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset, schema_dataset

    inputs = [Dataset(namespace=server, name=outcome.source)]
    if outcome.calls:
        inputs.append(Dataset(*dataset_name(outcome.calls)))
    facets: dict[str, Any] = {}
    if outcome.columns:
        fields = [
            schema_dataset.SchemaDatasetFacetFields(name=scrub(column), type=type_name)
            for column, type_name in outcome.columns.items()
        ]
        facets["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
    counts = outcome.counts
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=counts.get("rows"),
        size=counts["bytes"],
        fileCount=counts["fetched"] + counts["skipped"] if "fetched" in counts else 1,
    )
    output = OutputDataset(*dataset_name(outcome.path), facets=facets, outputFacets={"outputStatistics": statistics})
    return OperatorLineage(inputs=inputs, outputs=[output])


def dataset_name(path: str) -> tuple[str, str]:
    """
    Return a file's or folder's namespace and name, as OpenLineage's specification wants them.

    :param path: as an ``ObjectStoragePath`` takes it.
    """
    file = location(path)
    if file.scheme == "file":
        return "file", file.key
    if file.scheme in ("abfss", "wasbs"):
        account = getattr(ObjectStoragePath(path).fs, "account_name", None) or "unknown"
        return f"{file.scheme}://{file.bucket}@{account}.dfs.core.windows.net", file.key
    return f"{file.scheme}://{file.bucket}", file.key
