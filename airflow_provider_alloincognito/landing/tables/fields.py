"""Which fields rows have: those that must be there, and those that must not."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import count

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.errors import SAMPLE, AlloincognitoFieldError, AlloincognitoUnknownFieldError
from airflow_provider_alloincognito.scrubbing import scrub_names


def check_required_fields(
    batches: Iterable[RowBatch], required: Iterable[str] | str, argument: str = "required_fields"
) -> Iterator[RowBatch]:
    """
    Pass rows on and look for the fields on the way, decoding no more rows than that takes.

    :param batches: the rows.
    :param required: names of fields, or one name.
    :param argument: the one that names them, for the error.
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
            f"No row has the fields {sorted(missing)} of {argument}; the rows have {scrub_names(sorted(names))}. "
            "Use the names of your server's fields in the DAG's mapping (FIELDS in the example DAGs), and leave out "
            f"those it lacks. {SAMPLE}"
        )


def refuse_unknown_fields(batches: Iterable[RowBatch], known: Container[str]) -> Iterator[RowBatch]:
    """
    Pass rows on that have only known fields.

    :raises AlloincognitoUnknownFieldError: if a row has another.
    """
    numbers = count(1)
    for batch in batches:
        for fields, number in zip(batch.fields(), numbers, strict=False):
            for field in fields:
                if field not in known:
                    raise AlloincognitoUnknownFieldError(field, number)
        yield batch
