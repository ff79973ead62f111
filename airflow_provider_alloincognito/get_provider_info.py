"""Provider metadata for Airflow. Airflow loads this file while it is itself being imported: no imports here."""

PACKAGE = "airflow_provider_alloincognito"
NAME = "AlloIncognito"
API_DOCS = "https://webapi.alloincognito.ru:4431/docs"


def _field(label: str, description: str, kind: str, **schema: object) -> dict[str, object]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


def _text(label: str, description: str) -> dict[str, object]:
    return _field(label, description, "string")


def _number(label: str, description: str) -> dict[str, object]:
    return _field(label, description, "number", minimum=0)


def _choice(label: str, description: str, *values: str) -> dict[str, object]:
    return _field(label, description, "string", enum=list(values), default=values[0])


# The form of the Connection, in the form's order; api.settings.Settings documents each setting. Airflow 3.2 and newer
# read it from here and fold each section up, older ones read it through the hook. They have no choices, so the
# descriptions say what may be chosen. Empty fields mean the default.
CONNECTION_SECTIONS = {
    "Calls": {
        "start_time_field": _text(
            "Field of the call's start",
            "Its name in a row, such as startTime. Calls that start outside the period are then removed. Empty: all "
            "are kept.",
        ),
        "record_file_id_field": _text("Field of the recording's id", "Its name in a row. Empty: recordFileId."),
        "numbers_field": _text("Field of phone numbers", "Its name in the request for a call list. Empty: numbers."),
        "api_mapping": _text(
            "Mapping of the API",
            "JSON: verbs, names of fields and places in responses, where the server's differ. `airflow alloincognito "
            "discover` writes it. Empty: as the API's description says.",
        ),
        "timezone": _text("Time zone", "The zone of the API's times, such as Asia/Omsk. Empty: Europe/Moscow."),
        "period_end": _choice(
            "End of a period",
            "Does the server list a call that starts exactly at the end? inclusive: yes. exclusive: no. unknown: you "
            "do not know. Empty: unknown.",
            "unknown",
            "inclusive",
            "exclusive",
        ),
        "audio_formats": _text("Formats of recordings", "mp3, wav, ogg, with commas between them. Empty: mp3."),
    },
    "Paths": {
        "call_list_path": _text(
            "Call list", "See the server's /docs page. Empty: /api/v1/request/getcalllist, which is a guess."
        ),
        "record_file_path": _text("Recording", "Empty: /api/v1/request/getcallrecordfile."),
        "request_result_path": _text("Earlier result", "Empty: /api/v1/request/getrequestresultbyhash."),
        "create_path": _text("New tokens", "Empty: /api/v1/auth/integrationapi/create."),
        "refresh_path": _text("Renewed tokens", "Empty: /api/v1/auth/integrationapi/refresh."),
    },
    "Network": {
        "proxies": _text(
            "Proxy",
            'Such as http://proxy.example:3128. Or JSON by scheme: {"https": "http://proxy.example:3128"}. Empty: the '
            "environment variables HTTPS_PROXY and NO_PROXY.",
        ),
        "verify": _text("Check the certificate", "true, false, or the path of a CA bundle. Empty: true."),
        "timeout": _number("Timeout (s)", "To wait for a connection, and for each part of a response. Empty: 60."),
        "response_timeout": _number("Longest response (s)", "That one whole response may take. Empty: 1800."),
        "retries": _number("Retries", "How often to repeat a request if the server is busy or unreachable. Empty: 4."),
        "requests_per_second": _number("Requests per second", "Limit of one task. Empty or 0: no limit."),
        "max_response_bytes": _number("Largest response (bytes)", "A larger one is an error. Empty or 0: no limit."),
    },
    "Token pair": {
        "pair_store": _text(
            "Where to keep it",
            "variable: an Airflow Variable. redis://<connection id>: Redis, for several Airflows with one token. "
            "memory: for scripts and tests only. Empty: variable.",
        ),
        "test_makes_pair": _field(
            "Test may make a pair",
            "true: the Test button tries the authorization token, where the new pair can be stored, if none is in use. "
            "false: it does not. Empty: false.",
            "boolean",
            default=False,
        ),
        "refresh_before_expiry": _number(
            "Renew early (s)", "Before the tokens expire. Empty: a tenth of their life, at most 600."
        ),
        "pair_store_seconds": _number(
            "Longest read or write (s)",
            "Of the stored pair. Empty: 1. Raise it if Airflow's database or API server is slow.",
        ),
        "pair_request_seconds": _number(
            "Longest request (s)", "For a new pair. Empty: 3. Raise it if the server takes longer to make one."
        ),
    },
    "Responses": {
        "auth_error_codes": _text(
            "Codes of a rejected token", "Values of errorCode, with commas between them. Empty: 401,403."
        ),
        "pending_error_codes": _text(
            'Codes of "not ready yet"', "Values of errorCode, with commas between them. Empty: none."
        ),
        "success_codes": _text(
            "Codes of success",
            "Values of errorCode that are no error whatever the message says, with commas between them. Empty: 0 and "
            "none, without a real message.",
        ),
        "null_rowset": _choice(
            'Meaning of "rowset": null',
            "empty: there are no calls. pending: the result is not ready. Empty: empty.",
            "empty",
            "pending",
        ),
    },
}
CONNECTION_FIELDS = {
    name: {**field, "schema": {**field["schema"], "section": section}}  # type: ignore[dict-item]
    for section, fields in CONNECTION_SECTIONS.items()
    for name, field in fields.items()
}
CONNECTION_LABELS = {
    name: f"{section}: {field['label']}"
    for section, fields in CONNECTION_SECTIONS.items()
    for name, field in fields.items()
}
UI_FIELD_BEHAVIOUR = {
    "hidden-fields": ["login"],
    "relabeling": {"password": "Authorization token", "schema": "Scheme"},
    "placeholders": {
        "host": "empty for PROD; https://test-webapi.alloincognito.ru:4431 for TEST",
        "schema": "https",
        "port": "4431; the Test button needs it",
        "password": "from the personal account: Виртуальная АТС, Интеграционные API",
    },
}


ASSET_URIS = [{"schemes": ["alloincognito"], "handler": f"{PACKAGE}.assets.sanitize_uri"}]
CONFIG = {
    "alloincognito": {
        "description": "AlloIncognito's provider.",
        "options": {
            "file_link": {
                "description": "Address of a landed file in the console of its store, for the link in the UI, with "
                "{scheme}, {bucket} and {key}. Empty: S3, Google Cloud Storage and the Azure portal have links.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "https://minio.example/browser/{bucket}/{key}",
                "default": "",
            }
        },
    }
}


MODULES = {
    "operators": ["alloincognito"],
    "sensors": ["alloincognito"],
    "hooks": ["alloincognito"],
    "triggers": ["alloincognito", "new_calls"],
}


def get_provider_info() -> dict[str, object]:
    """Return the provider metadata, in the form of Airflow's schema."""
    modules = {
        kind: [{"integration-name": NAME, "python-modules": [f"{PACKAGE}.{kind}.{name}" for name in names]}]
        for kind, names in MODULES.items()
    }
    return {
        "package-name": "airflow-provider-alloincognito",
        "name": NAME,
        # Airflow's pages make a link of the address. Where pip installs, it puts the documentation too.
        "description": "Call lists, recordings and results of AlloIncognito's integration API. Documentation: "
        f"share/doc/airflow-provider-alloincognito in Airflow's Python environment; of the API: {API_DOCS}",
        "integrations": [
            {
                "integration-name": NAME,
                "external-doc-url": API_DOCS,
                "tags": ["service"],
            }
        ],
        **modules,
        "connection-types": [
            {
                "hook-class-name": f"{PACKAGE}.hooks.alloincognito.AlloincognitoHook",
                "hook-name": NAME,
                "connection-type": "alloincognito",
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": CONNECTION_FIELDS,
            }
        ],
        "extra-links": [f"{PACKAGE}.links.ApiDocumentationLink", f"{PACKAGE}.links.LandedFileLink"],
        "asset-uris": ASSET_URIS,
        "dataset-uris": ASSET_URIS,  # Airflow 2.11's name for them
        "config": CONFIG,
        "cli": [f"{PACKAGE}.cli.get_cli_commands"],  # read by Airflow 3.2 and newer
    }
