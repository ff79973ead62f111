"""The arguments of the recordings' operator that say which recordings are kept: checked, and made a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_alloincognito.api.query import invalid_argument
from airflow_provider_alloincognito.errors import AlloincognitoQueryError
from airflow_provider_alloincognito.operators.numbers import normalized_numbers
from airflow_provider_alloincognito.scrubbing import scrub

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow_provider_alloincognito.landing.recording_rule import Condition, RecordingRule

RANGE = frozenset({"from", "to"})
CONDITIONS = (
    'a value (number, text, True, False, None), a list of values, {"from": 30, "to": 600}, '
    '{"numbers": path} or {"not_numbers": path}'
)


def share_of_all(name: str, value: Any) -> float:
    """Convert a share, or a text that a template rendered to."""
    try:
        if not isinstance(value, bool) and 0 <= (number := float(value)) <= 1:
            return number
    except (TypeError, ValueError):
        pass  # as for a number that is out of range
    raise invalid_argument(name, value, "a number from 0 to 1")


def recording_rule(only: Any, share: float, digest_key: str | None) -> RecordingRule:
    """
    Return the rule that the arguments describe.

    :param only: conditions by the name of a field, see
        :class:`~airflow_provider_alloincognito.operators.recording.AlloincognitoRecordingOperator`.
    :param share: the share of the recordings that meet them.
    :param digest_key: where the key is that numbers were replaced with at landing; None: they were not.
    :raises AlloincognitoQueryError: if a condition is invalid. It never contains a phone number.
    """
    from airflow_provider_alloincognito.landing.recording_rule import RecordingRule

    if only is not None and not isinstance(only, Mapping):
        raise AlloincognitoQueryError(
            "only is not a mapping of conditions, so it is not known which recordings to keep. Give the name of a "
            'field and its condition: only={"duration": {"from": 30}}. A template renders to a mapping only in a DAG '
            "with render_template_as_native_obj=True."
        )
    return RecordingRule(
        {str(field): _condition(f"only[{str(field)!r}]", value, digest_key) for field, value in (only or {}).items()},
        share,
    )


def _condition(name: str, value: Any, digest_key: str | None) -> Condition:
    from airflow_provider_alloincognito.landing.recording_rule import (
        AmongNumbers,
        Between,
        NotAmongNumbers,
        OneOf,
    )

    if isinstance(value, Mapping):
        if value and value.keys() <= RANGE:
            lowest, highest = (_end(f"{name}[{end!r}]", value.get(end)) for end in ("from", "to"))
            if lowest is not None and highest is not None and lowest > highest:
                raise AlloincognitoQueryError(f"{name} begins after its end, so nothing could meet it. Swap the two.")
            return Between(lowest, highest)
        if value.keys() == {"numbers"}:
            return AmongNumbers(_numbers(name, value["numbers"], digest_key), digest_key is not None)
        if value.keys() == {"not_numbers"}:
            return NotAmongNumbers(_numbers(name, value["not_numbers"], digest_key), digest_key is not None)
        raise _invalid(name, f"a mapping with {scrub(', '.join(map(str, value))) or 'nothing in it'}")
    values = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    if not values:
        raise _invalid(name, "an empty list, which nothing could meet")
    for one in values:
        if not (one is None or isinstance(one, str | int | float)):
            raise _invalid(name, f"or has a value of the type {type(one).__name__}")
        if one is not None and scrub(str(one)) != str(one):
            raise AlloincognitoQueryError(
                f"{name} has what looks like a phone number: Airflow would store and show it. Write the numbers to a "
                'file, one a line, and give {"numbers": path} or {"not_numbers": path}.'
            )
    return OneOf(values)


def _invalid(name: str, what: str) -> AlloincognitoQueryError:
    return AlloincognitoQueryError(f"{scrub(name)} is {what}. A condition is {CONDITIONS}.")


def _end(name: str, value: Any) -> Decimal | None:
    from decimal import Decimal, InvalidOperation

    if value is None:
        return None
    try:
        if not isinstance(value, bool) and (number := Decimal(str(value).strip())).is_finite():
            return number
    except InvalidOperation:
        pass  # as for a number that is infinite
    raise invalid_argument(name, value, "a number, or left out for no limit")


def _numbers(name: str, path: Any, digest_key: str | None) -> frozenset[str]:
    from airflow_provider_alloincognito.landing.rewriting.phone_numbers import digest

    numbers = normalized_numbers(name, path)
    if digest_key is None:
        return numbers
    from airflow_provider_alloincognito.hooks.digest_key import read_digest_key

    key = read_digest_key(digest_key)
    return frozenset(digest(one, key) for one in numbers)
