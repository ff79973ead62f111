"""The arguments that say how rows are changed before they land."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api.query import invalid_argument

if TYPE_CHECKING:
    from airflow_provider_alloincognito.landing.rewriting import Rewriting


def protection(name: str, value: Any) -> Mapping[str, str]:
    """Convert a mapping of fields to ``digest`` or ``mask``, or its JSON text, as a Variable holds it."""
    given = value
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, Mapping):
        raise invalid_argument(name, given, 'a mapping such as {"callerNumber": "digest"}, or its JSON text')
    return value


def read_rewriting(
    row_key: str | None,
    row_key_fields: Iterable[str] | str | None,
    protect: Mapping[str, str] | None,
    digest_key: str | None,
) -> Rewriting:
    """
    Return what is changed in rows. The key of digests is read only if there are any.

    :param row_key: see :class:`~airflow_provider_alloincognito.landing.rewriting.Rewriting`.
    :param row_key_fields: likewise.
    :param protect: likewise.
    :param digest_key: where the key is; see :func:`~airflow_provider_alloincognito.hooks.digest_key.read_digest_key`.
    :raises AlloincognitoQueryError: if an argument is invalid.
    :raises AlloincognitoSettingsError: if there is no key of digests, or it is too short.
    """
    from airflow_provider_alloincognito.hooks.digest_key import read_digest_key
    from airflow_provider_alloincognito.landing.rewriting import Rewriting

    protect = protect or {}
    key = read_digest_key(digest_key) if digest_key is not None and "digest" in protect.values() else None
    return Rewriting.checked(row_key=row_key, row_key_fields=row_key_fields or (), protect=protect, digest_key=key)
