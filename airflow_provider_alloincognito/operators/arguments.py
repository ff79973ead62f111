"""
The arguments of operators and sensor, from the DAG to ``execute``.

Each is a template field, so that it takes a template or another task's output, and Airflow then runs that task first.
A template or output that has no value is refused as soon as it is rendered. ``execute`` converts the others to what the
operator works with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_alloincognito.api.query import FLAGS, invalid_argument
from airflow_provider_alloincognito.compat import AirflowNotFoundException, ObjectStoragePath
from airflow_provider_alloincognito.errors import AlloincognitoQueryError, AlloincognitoTargetSetupError
from airflow_provider_alloincognito.hooks.alloincognito import AlloincognitoHook
from airflow_provider_alloincognito.operators.failures import fail_without_retry
from airflow_provider_alloincognito.operators.period import (
    HOW_TO_GIVE_A_PERIOD,
    INTERVAL,
    PERIOD,
    has_interval,
    moment,
    period_name,
)
from airflow_provider_alloincognito.operators.rewriting import protection
from airflow_provider_alloincognito.scrubbing import scrub

if TYPE_CHECKING:
    import jinja2

    from airflow_provider_alloincognito.compat import BaseOperator, Context

    Operator = BaseOperator
else:
    Operator = object  # a mixin: the sensor has another base class

PACKAGE = __name__.partition(".")[0]
Converter = Callable[[str, Any], Any]
"""Takes an argument's name and its value; returns the value that the operator works with."""


class TemplatedArguments(Operator):
    """Renders and checks the arguments in ``template_fields``. For operators and sensors."""

    # Not in __dict__: Airflow 2 copies a task's in its order, and can't begin with an attribute from before __init__.
    __slots__ = ("_passed",)
    converters: ClassVar[Mapping[str, Converter]] = {}
    alloincognito_conn_id: str
    _passed: Mapping[str, bool]

    def __new__(cls, *_: Any, **arguments: Any) -> Any:
        """Keep which arguments have a value: one that is mapped to None is not one that is left out."""
        self = super().__new__(cls)
        object.__setattr__(self, "_passed", {name: value is not None for name, value in arguments.items()})
        return self

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render as Airflow does, with ``period_start``, ``period_end`` and ``period`` among a template's names."""
        from jinja2 import TemplateError

        with fail_without_retry():
            try:
                if isinstance(content, str | ObjectStoragePath):
                    jinja_env = jinja_env or self.get_template_env()
                    self._add_period(str(content), context, jinja_env)
                rendered = super().render_template(content, context, jinja_env, seen_oids)
            except TemplateError as error:
                raise AlloincognitoQueryError(_not_rendered(str(error), context)) from None
            for name in self.arguments_with(content):
                refuse_missing(name, content, rendered)
            return rendered

    def arguments_with(self, content: Any) -> list[str]:
        """Return the arguments of this package's that have just this value; none for a part of one."""
        kinds = [kind for kind in type(self).__mro__ if kind.__module__.startswith(f"{PACKAGE}.")]
        names = {name for kind in kinds for name in vars(kind).get("template_fields", ())}
        return [name for name in names if vars(self).get(name) is content]

    def _add_period(self, template: str, context: Context, jinja_env: jinja2.Environment) -> None:
        """Add those of the three names that a template uses; the DAG's own macros keep theirs."""
        import pendulum
        from jinja2 import meta

        wanted = {PERIOD, *INTERVAL} & meta.find_undeclared_variables(jinja_env.parse(template))
        wanted -= jinja_env.globals.keys()
        if not wanted:
            return
        zone = AlloincognitoHook(self.alloincognito_conn_id).settings.zone

        def end(name: str) -> pendulum.DateTime:
            return pendulum.instance(moment(name, getattr(self, name, None), context, zone)).in_timezone(zone.key)

        for name in wanted:
            jinja_env.globals[name] = period_name(*map(end, INTERVAL)) if name == PERIOD else end(name)

    def pre_execute(self, context: Any) -> None:
        """Refuse arguments that are mapped to None."""
        from airflow_provider_alloincognito.compat import BaseOperator

        super().pre_execute(context)
        in_dag: Any = self.dag.get_task(self.task_id) if self.has_dag() else None  # type: ignore[no-untyped-call]
        partial = getattr(in_dag, "partial_kwargs", None)
        if partial is None:
            return
        not_mapped = {*partial, *signature(BaseOperator.__init__).parameters}
        with fail_without_retry():
            for name, has_value in self._passed.items():
                if name not in not_mapped and not has_value:
                    refuse_missing(name, True, None)

    def convert_arguments(self) -> None:
        """Convert the arguments to what the operator works with. ``execute`` begins with it."""
        for name, convert in self.converters.items():
            if (value := getattr(self, name)) is not None:
                setattr(self, name, convert(name, value))


def refuse_missing(name: str, given: Any, value: Any) -> None:
    """
    Refuse an argument that was given, but whose template or output turned out to be None or an empty text.

    :param name: the argument's.
    :param given: what the DAG gives for it.
    :param value: what that turned out to be.
    :raises AlloincognitoQueryError: if it is missing, or is a list with something that is.
    """
    if value is None or (isinstance(value, str) and value in ("", "None")):
        if given and given != value:
            raise AlloincognitoQueryError(
                f"{name} was given as a template or as another task's output, but that has no value here "
                f"({value!r}). The task did not run, because without {name} it would not do what was asked for. Let "
                f"the other task return a value, or skip this one if there is none; to use the default, leave {name} "
                "out."
            )
    elif isinstance(given, list | tuple) and isinstance(value, list | tuple) and len(given) == len(value):
        for index, (one, its_value) in enumerate(zip(given, value, strict=True)):
            refuse_missing(f"{name}[{index}]", one, its_value)


def _not_rendered(error: str, context: Context) -> str:
    if has_interval(context):
        return f"A template cannot be rendered: {scrub(error)}. Check its names, and what the other tasks returned."
    return (
        f"A template cannot be rendered: {scrub(error)}. This run has no data interval and no logical date, so names "
        f"such as data_interval_start and ds are not defined. {HOW_TO_GIVE_A_PERIOD} In templates, use period_start "
        "and period_end: they follow the period, wherever it is from."
    )


def storage_path(name: str, value: Any) -> ObjectStoragePath:
    """
    Return the path that an argument names, in a store that can be used.

    :raises AlloincognitoQueryError: if it is not a path.
    :raises AlloincognitoTargetSetupError: if a library or an Airflow connection is missing.
    """
    if isinstance(value, Mapping):
        raise AlloincognitoQueryError(
            f"{name} is a mapping, not a path. To pass another task's path, take it from its output: "
            "task.output['path']."
        )
    if isinstance(value, str):
        value = _with_scheme(name, value)
    try:
        path = value if isinstance(value, ObjectStoragePath) else ObjectStoragePath(value)
        _ = path.fs  # looks up the connection, and imports the store's library
    except (AirflowNotFoundException, ImportError, ValueError) as error:
        raise AlloincognitoTargetSetupError(
            f"The store of {name} ({scrub(str(value))}) cannot be used here: {scrub(str(error))}. Install Airflow's "
            "provider for this kind of storage, with its file system, on every worker (for s3:// "
            "apache-airflow-providers-amazon[s3fs]), and check the connection id before the @ of the path."
        ) from error
    return path


def _with_scheme(name: str, value: str) -> str:
    """Return a local path with its ``file://``; refuse one that would be somewhere else on each worker."""
    if "://" not in value and value.startswith("/"):
        return f"file://{value}"
    if "://" not in value or (value.startswith("file://") and not value.startswith("file:///")):
        raise AlloincognitoQueryError(
            f"{name} is {scrub(value)!r}, which is not an absolute path. Write file:///folder/file for a local one, "
            "with three slashes, or the store's scheme, such as s3://connection_id@bucket/key."
        )
    return value


def whole_number(name: str, value: Any) -> int:
    """Convert a number, or a text that a template rendered to."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    raise invalid_argument(name, value, "a whole number, 0 or more")


def at_least_one(name: str, value: Any) -> int:
    """Convert as :func:`whole_number` does, and refuse 0."""
    number = whole_number(name, value)
    if not number:
        raise invalid_argument(name, value, "a whole number, 1 or more")
    return number


def seconds(name: str, value: Any) -> float:
    """Convert a number of seconds, a text with one, or a timedelta."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    try:
        if not isinstance(value, bool) and (number := float(value)) >= 0:
            return number
    except (TypeError, ValueError):
        pass  # as for a negative number
    raise invalid_argument(name, value, "a number of seconds or a timedelta")


def length(name: str, value: Any) -> timedelta:
    """Convert a timedelta, or a number of seconds."""
    return timedelta(seconds=seconds(name, value))


def boolean(name: str, value: Any) -> bool:
    """Convert True, False, 1, 0, or a text with one of them."""
    flag = FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise invalid_argument(name, value, "True or False")
    return bool(flag)


def one_of(*choices: str) -> Converter:
    """Return a converter that takes one of some texts."""

    def converter(name: str, value: Any) -> Any:
        if value not in choices:
            raise invalid_argument(name, value, " or ".join(map(repr, choices)))
        return value

    return converter


def calls_path(name: str, value: Any) -> ObjectStoragePath:
    """Convert a path, or what the call-list operator returned, as :func:`storage_path` does."""
    if isinstance(value, Mapping):
        value = value.get("path")
        if value is None:
            raise AlloincognitoQueryError(
                f"{name} is a mapping without a path. Give the output of an AlloincognitoCallListOperator that has an "
                "output_path, or the path itself."
            )
    return storage_path(name, value)


def request_hash(name: str, value: Any) -> str:
    """Convert a hash, a list of one, or what the call-list operator returned, to the hash."""
    if isinstance(value, Mapping):
        value = value.get("request_hashes")
    if isinstance(value, Sequence) and not isinstance(value, str):
        hashes = list(value)
        if len(hashes) != 1:
            raise AlloincognitoQueryError(
                f"{name} is a list of {len(hashes)} hashes, since the period was requested in that many parts "
                f"(window). Map over them: a @task that returns output['request_hashes'], and .expand({name}=...)."
            )
        (value,) = hashes
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # with render_template_as_native_obj=True, a hash of digits becomes a number
    if not isinstance(value, str) or not value:
        raise invalid_argument(name, value, "the requestHash of a response, as text")
    return value


WAITING: Mapping[str, Converter] = {"deferrable": boolean, "poll_interval": seconds, "wait_timeout": seconds}
"""The arguments of an operator that may wait for its result."""
FILE_OF_CALLS: Mapping[str, Converter] = {
    "output_path": storage_path,
    "unknown_fields": one_of("keep", "refuse", "drop"),
    "protect": protection,
    "min_rows": whole_number,
    "escape_formulas": boolean,
    "partition_by_day": boolean,
}
"""The arguments that say how calls are written, and announced."""
