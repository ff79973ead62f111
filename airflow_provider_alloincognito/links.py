"""Links that the UI shows beside a task: to the server's documentation, and to the landed file."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

from airflow_provider_alloincognito.compat import BaseOperatorLink, ObjectStoragePath, conf
from airflow_provider_alloincognito.landing.stores.targets import location

log = logging.getLogger(__name__)

AZURE_PORTAL = "https://portal.azure.com/#browse/Microsoft.Storage%2FStorageAccounts"
CONSOLES = {
    "s3": "https://console.aws.amazon.com/s3/object/{bucket}?prefix={key}",
    "gs": "https://console.cloud.google.com/storage/browser/_details/{bucket}/{key}",
    # The address of a blob there needs the ids of its subscription and resource group, which no path has.
    "abfss": AZURE_PORTAL,
    "wasbs": AZURE_PORTAL,
}


class StoredLink(BaseOperatorLink):
    """A link whose URL the task finds out and keeps, by ``xcom_key``, in its mapping ``urls``."""

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the URL, or an empty text if there is none."""
        urls = getattr(operator, "urls", None)
        if urls is not None:
            return str(urls.get(self.xcom_key, ""))
        # Airflow 2's web server: it has no operator, only what the database says of it.
        from airflow_provider_alloincognito.compat import XCom

        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""


class ApiDocumentationLink(StoredLink):
    """The ``/docs`` page of the server that the Connection leads to."""

    name = "API documentation"
    xcom_key = "alloincognito_api_documentation"


class LandedFileLink(StoredLink):
    """The file that the task has landed, or the manifest of its recordings, in the console of its store."""

    name = "Landed file"
    xcom_key = "alloincognito_landed_file"


def console_url(path: str) -> str | None:
    """
    Return the address of a file in the console of its store, if it has one.

    The setting ``[alloincognito] file_link`` is a template with ``{scheme}``, ``{bucket}`` and ``{key}``, for all
    stores. Without it there are links for S3, Google Cloud Storage and Azure.

    :param path: the file's path, as an ``ObjectStoragePath`` takes it.
    """
    file = location(path)
    if file.scheme == "file":
        return None
    template = conf.get("alloincognito", "file_link", fallback=None)
    if not template:
        template = None if file.scheme == "s3" and _is_another_s3(path) else CONSOLES.get(file.scheme)
    if template is None:
        return None
    try:
        return str(template.format(scheme=file.scheme, bucket=quote(file.bucket, safe=""), key=quote(file.key)))
    except (AttributeError, LookupError, TypeError, ValueError):  # such as {bucket.name} or {bucket[a]}
        log.warning(
            "The setting [alloincognito] file_link is not a valid template, so there is no link to the landed file. "
            "It may contain {scheme}, {bucket} and {key}, and no other braces"
        )
        return None


def _is_another_s3(path: str) -> bool:
    """Whether a path of S3 leads to another server than Amazon's, such as MinIO or Yandex Object Storage."""
    fs = ObjectStoragePath(path).fs
    endpoint = getattr(fs, "endpoint_url", None) or (getattr(fs, "client_kwargs", None) or {}).get("endpoint_url")
    return bool(endpoint) and "amazonaws.com" not in str(endpoint)
