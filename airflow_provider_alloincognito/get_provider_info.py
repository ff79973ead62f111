"""What this package tells Airflow of itself. Airflow loads it while it imports itself: no imports here."""

PACKAGE = "airflow_provider_alloincognito"
NAME = "AlloIncognito"


def _text(label: str, description: str) -> dict[str, object]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}


def _number(label: str, description: str) -> dict[str, object]:
    return {"label": label, "description": description, "schema": {"type": ["number", "null"], "minimum": 0}}


def _choice(label: str, description: str, *values: str) -> dict[str, object]:
    schema = {"type": ["string", "null"], "enum": list(values), "default": values[0]}
    return {"label": label, "description": description, "schema": schema}


# The Connection's settings, each documented at api.settings.Settings. The one definition of the form: Airflow 3 reads
# it from here, Airflow 2.11 by way of the hook.
CONNECTION_FIELDS = {
    "token_store": _text("Token store", "variable (default), redis://<connection id>, or memory (shares nothing)"),
    "timezone": _text("Time zone", "IANA zone of the API's times; default Europe/Moscow"),
    "period_end": _choice(
        "End of a period", "Is a call that starts at periodEnd listed?", "unknown", "inclusive", "exclusive"
    ),
    "start_time_field": _text("Start time field", "Row field with the call's start; rows are then cut to the period"),
    "record_file_id_field": _text("Recording id field", "Row field with the recording's id; default recordFileId"),
    "numbers_field": _text("Numbers field", "Name of the call list's field for numbers; default numbers"),
    "call_list_path": _text("Call list path", "Default /api/v1/request/getcalllist; see the server's /docs page"),
    "create_path": _text("Create path", "Default /api/v1/auth/integrationapi/create"),
    "refresh_path": _text("Refresh path", "Default /api/v1/auth/integrationapi/refresh"),
    "record_file_path": _text("Recording path", "Default /api/v1/request/getcallrecordfile"),
    "request_result_path": _text("Result path", "Default /api/v1/request/getrequestresultbyhash"),
    "auth_error_codes": _text("Auth error codes", "errorCode values that reject a token; default 401,403"),
    "pending_error_codes": _text("Pending error codes", "errorCode values that mean: not ready yet; default none"),
    "null_rowset": _choice("rowset: null", "No calls, or not ready yet?", "empty", "pending"),
    "refresh_before_expiry": _number("Refresh before expiry", "Seconds; default a tenth of the life, at most 600"),
    "token_store_seconds": _number("Token store bound", "Bound on one call to the token store, seconds; default 1"),
    "token_call_seconds": _number("Token call bound", "Usual bound on create and refresh, seconds; default 3"),
    "timeout": _number("Timeout", "Seconds; default 60"),
    "retries": _number("Retries", "After connection faults, 429, 502, 503, 504; default 4"),
    "requests_per_second": _number("Requests per second", "Ceiling; default none"),
    "max_response_bytes": _number("Longest answer", "Bytes; default no limit"),
    "verify": _text("Verify", "true (default), false, or the path of a CA bundle"),
    "proxies": _text("Proxies", 'JSON, such as {"https": "http://proxy.example:3128"}'),
}
UI_FIELD_BEHAVIOUR = {
    "hidden-fields": ["login"],
    "relabeling": {"password": "Authorization token", "schema": "Scheme"},
    "placeholders": {
        "host": "empty for PROD; https://test-webapi.alloincognito.ru:4431 for TEST",
        "schema": "https",
        "port": "4431",
        "password": "made in the personal account: Виртуальная АТС, Интеграционные API",
    },
}


def get_provider_info() -> dict[str, object]:
    """Provider metadata, by Airflow's schema."""
    modules = {
        kind: [{"integration-name": NAME, "python-modules": [f"{PACKAGE}.{kind}.alloincognito"]}]
        for kind in ("operators", "sensors", "hooks", "triggers")
    }
    return {
        "package-name": "airflow-provider-alloincognito",
        "name": NAME,
        "description": "Call lists, recordings and results of AlloIncognito's integration API.",
        "integrations": [
            {
                "integration-name": NAME,
                "external-doc-url": "https://webapi.alloincognito.ru:4431/docs",
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
