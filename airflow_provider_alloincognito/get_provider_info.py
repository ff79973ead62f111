"""Provider metadata for Airflow. Airflow loads this file while it is itself being imported: no imports here."""

PACKAGE = "airflow_provider_alloincognito"
NAME = "AlloIncognito"
API_DOCS = "https://webapi.alloincognito.ru:4431/docs"


def _text(label: str, description: str) -> dict[str, object]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}


def _number(label: str, description: str) -> dict[str, object]:
    return {"label": label, "description": description, "schema": {"type": ["number", "null"], "minimum": 0}}


def _choice(label: str, description: str, *values: str) -> dict[str, object]:
    schema = {"type": ["string", "null"], "enum": list(values), "default": values[0]}
    return {"label": label, "description": description, "schema": schema}


# The form of the Connection; api.settings.Settings documents each setting. Airflow 3 reads it from here, Airflow 2.11
# through the hook. Empty fields mean the default.
CONNECTION_FIELDS = {
    "token_store": _text(
        "Where to keep tokens",
        "Empty: an Airflow Variable. redis://<connection id>: Redis, for several Airflows with one token.",
    ),
    "timezone": _text("Time zone", "Zone of the API's times. Empty: Europe/Moscow."),
    "period_end": _choice(
        "Is the end of a period included?",
        "Does the server list a call that starts exactly at the end of the period? If you do not know: unknown.",
        "unknown",
        "inclusive",
        "exclusive",
    ),
    "start_time_field": _text(
        "Field with the start of a call", "Calls that start outside the period are then removed. Empty: all are kept."
    ),
    "record_file_id_field": _text("Field with the id of a recording", "Empty: recordFileId."),
    "numbers_field": _text("Field for phone numbers", "Name in the request for a call list. Empty: numbers."),
    "call_list_path": _text(
        "Path: call list", "See the server's /docs page. Empty: /api/v1/request/getcalllist, which is a guess."
    ),
    "create_path": _text("Path: new tokens", "Empty: /api/v1/auth/integrationapi/create."),
    "refresh_path": _text("Path: renewed tokens", "Empty: /api/v1/auth/integrationapi/refresh."),
    "record_file_path": _text("Path: recording", "Empty: /api/v1/request/getcallrecordfile."),
    "request_result_path": _text("Path: earlier result", "Empty: /api/v1/request/getrequestresultbyhash."),
    "auth_error_codes": _text(
        "Error codes: token not accepted", "Values of errorCode, with commas between them. Empty: 401,403."
    ),
    "pending_error_codes": _text(
        "Error codes: not ready yet", "Values of errorCode, with commas between them. Empty: none."
    ),
    "success_codes": _text(
        "Error codes: success",
        "Values of errorCode that are no error whatever the message says. Empty: 0 and none, without a real message.",
    ),
    "null_rowset": _choice(
        'Meaning of "rowset": null', "empty: there are no calls. pending: the result is not ready.", "empty", "pending"
    ),
    "audio_formats": _text("Formats of recordings", "mp3, wav, ogg, with commas between them. Empty: mp3."),
    "refresh_before_expiry": _number(
        "Renew tokens early (s)", "Seconds before they expire. Empty: a tenth of their life, at most 600."
    ),
    "token_store_seconds": _number(
        "Longest token read or write (s)", "Seconds. Empty: 1. Raise it if Airflow's database or API server is slow."
    ),
    "token_call_seconds": _number(
        "Longest request for tokens (s)", "Seconds. Empty: 3. Raise it if the server takes longer to make tokens."
    ),
    "timeout": _number("Timeout (s)", "Seconds to wait for a connection, and for each part of a response. Empty: 60."),
    "response_timeout": _number("Longest response (s)", "Seconds that a whole response may take. Empty: 1800."),
    "retries": _number("Retries", "How often to repeat a request if the server is busy or unreachable. Empty: 4."),
    "requests_per_second": _number("Requests per second", "Limit of one task. Empty or 0: no limit."),
    "max_response_bytes": _number("Largest response (bytes)", "A larger one is an error. Empty or 0: no limit."),
    "verify": _text("Check the certificate", "true, false, or the path of a CA bundle. Empty: true."),
    "proxies": _text(
        "Proxies", 'JSON, such as {"https": "http://proxy.example:3128"}. Empty: HTTPS_PROXY and NO_PROXY.'
    ),
}
UI_FIELD_BEHAVIOUR = {
    "hidden-fields": ["login"],
    "relabeling": {"password": "Authorization token", "schema": "Scheme"},
    "placeholders": {
        "host": "empty for PROD; https://test-webapi.alloincognito.ru:4431 for TEST",
        "schema": "https",
        "port": "4431",
        "password": "from the personal account: Виртуальная АТС, Интеграционные API",
    },
}


def get_provider_info() -> dict[str, object]:
    """Return the provider metadata, in the form of Airflow's schema."""
    modules = {
        kind: [{"integration-name": NAME, "python-modules": [f"{PACKAGE}.{kind}.alloincognito"]}]
        for kind in ("operators", "sensors", "hooks", "triggers")
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
    }
