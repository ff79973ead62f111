"""Fields that rows must have, since something behind the file counts on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_provider_alloincognito.api.errors import AlloincognitoFieldError
from airflow_provider_alloincognito.api.rows import RowBatch
from airflow_provider_alloincognito.api.scrubbing import scrub


def with_fields(batches: Iterable[RowBatch], required: Iterable[str] | str) -> Iterator[RowBatch]:
    """
    Pass rows on, and look for the fields on the way. No more rows are decoded than it takes to see each field once.

    :param batches: the rows.
    :param required: names of fields, or one name.
    :raises AlloincognitoFieldError: at the end, if there were rows and none had one of the fields.
    """
    missing = {required} if isinstance(required, str) else set(required)
    names: set[str] = set()
    for batch in batches:
        for fields in batch.fields() if missing else ():
            names |= fields.keys()
            missing -= names
            if not missing:
                break
        yield batch
    if missing and names:
        raise AlloincognitoFieldError(
            f"No row has the fields {sorted(missing)}; the rows have {scrub(str(sorted(names)))}. Name the fields that "
            "the stand's rows have in the DAG's mapping of field names (FIELDS in the example DAGs), or leave out what "
            "it does not have."
        )
