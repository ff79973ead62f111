"""What is changed in rows before they land: numbers are protected, fields dropped, a key added."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast, get_args

from airflow_provider_alloincognito.api.answer.rows import RowBatch
from airflow_provider_alloincognito.api.query import invalid_argument
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.landing.rewriting.protection import How, protect_fields
from airflow_provider_alloincognito.landing.rewriting.row_key import add_keys
from airflow_provider_alloincognito.landing.tables.fields import check_required_fields
from airflow_provider_alloincognito.landing.tables.schema import Schema


@dataclass(frozen=True, slots=True)
class Rewriting:
    """
    What is changed in rows before they land; by default nothing.

    :param row_key: the name of a text column to add, with a key of each row; see :mod:`.row_key`.
    :param row_key_fields: the fields of the row, as it lands, that the key is made of; none for all.
    :param protect: field to what its values are replaced by: ``digest`` or ``mask``; see :mod:`.phone_numbers`.
    :param digest_key: the key of digests.
    """

    row_key: str | None = None
    row_key_fields: tuple[str, ...] = ()
    protect: Mapping[str, How] = field(default_factory=dict)
    digest_key: bytes | None = field(default=None, repr=False)

    @classmethod
    def checked(
        cls,
        *,
        row_key: str | None = None,
        row_key_fields: Iterable[str] | str = (),
        protect: Mapping[str, str] = MappingProxyType({}),
        digest_key: bytes | None = None,
    ) -> Rewriting:
        """
        Return it, with its arguments checked.

        :param row_key_fields: names of fields, or one name.
        :raises AlloincognitoQueryError: if an argument is invalid.
        """
        identity = (row_key_fields,) if isinstance(row_key_fields, str) else tuple(row_key_fields)
        if row_key is not None and not _is_name(row_key):
            raise invalid_argument("row_key", row_key, "the name of a column")
        if not all(map(_is_name, identity)) or row_key in identity:
            raise invalid_argument("row_key_fields", list(identity), "a list of names of the row's own fields")
        if identity and row_key is None:
            raise AlloincognitoQueryError(
                "row_key_fields says what the key of a row is made of, but row_key, the name of its column, is missing."
            )
        if not isinstance(protect, Mapping):
            raise invalid_argument("protect", type(protect).__name__, 'a mapping such as {"caller": "digest"}')
        for name, how in protect.items():
            if not _is_name(name) or how not in get_args(How):
                raise invalid_argument(f"protect[{name!r}]", how, "'digest' or 'mask'")
        if "digest" in protect.values() and digest_key is None:
            raise AlloincognitoQueryError(
                "protect asks for digests, which need a secret key, but digest_key is missing. Set it to where the key "
                "is: variable://<name of a Variable> or connection://<id of a Connection>."
            )
        return cls(row_key, identity, cast("Mapping[str, How]", dict(protect)), digest_key)

    def schema(self, columns: Schema | None) -> Schema | None:
        """Return a schema as it is after the change: the key's column is the first, and protected ones are text."""
        if columns is None:
            return None
        protected: Schema = {name: "string" for name in columns if name in self.protect}
        key: Schema = {self.row_key: "string"} if self.row_key else {}
        return {**key, **columns, **protected, **key}

    def rewrite(self, batches: Iterable[RowBatch], known: Container[str] | None = None) -> Iterable[RowBatch]:
        """
        Return the rows of a file, changed; the very same batches if there is nothing to change.

        Nothing is kept from one call to the next: each begins with the first row of a file.

        :param batches: all rows of the file.
        :param known: the only fields that are kept; None keeps all.
        :raises AlloincognitoFieldError: at the end, if there were rows and none had one of the fields that are named;
            at once, if a row has a field with the key's name.
        """
        if self.protect or known is not None:
            found = check_required_fields(batches, self.protect, "protect")
            batches = protect_fields(found, self.protect, self.digest_key, known)
        if self.row_key is not None:
            found = check_required_fields(batches, self.row_key_fields, "row_key_fields")
            batches = add_keys(found, self.row_key, self.row_key_fields)
        return batches


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name != ""


NO_CHANGE = Rewriting()
