"""What ``discover`` and ``sample`` propose to set, and ``cli/writing`` writes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Role = Literal["call_id", "started_at", "direction", "caller", "called", "talk_seconds", "record_file_id"]
ROLES: tuple[Role, ...] = get_args(Role)
"""The columns of the daily DAG's table, in their order."""
NEEDED: tuple[Role, ...] = ("started_at", "record_file_id")
"""The columns without which the daily DAG cannot run."""


@dataclass(frozen=True)
class Proposal:
    """
    Settings of the Connection, and the mapping of the daily DAG.

    :param extra: the Connection's extras that differ from the defaults; None removes one that the Connection has.
    :param fields: column of the DAG's table to field of a row: ``FIELDS`` in the DAG file.
    :param types: column to type, for columns that are not text: ``TYPES`` in the DAG file.
    :param schema: every field of a row to its type: the operators' argument ``schema``.
    """

    extra: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    schema: dict[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[Role]:
        """The columns that the DAG needs and no field is proposed for."""
        return [role for role in NEEDED if role not in self.fields]

    def as_document(self) -> dict[str, Any]:
        """Return it for ``--output json``, without the extras that are removed."""
        return {**asdict(self), "extra": {name: value for name, value in self.extra.items() if value is not None}}
