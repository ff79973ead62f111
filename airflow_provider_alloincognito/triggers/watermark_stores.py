"""
Where a watcher's watermark is kept: Airflow's asset state (3.3 and newer), or an Airflow Variable (3.0 to 3.2).

Neither is encrypted or hidden: the REST API and the UI show it.
"""

from __future__ import annotations

import secrets
from typing import Any, Protocol

from airflow_provider_alloincognito.compat import Variable, variable_or_none
from airflow_provider_alloincognito.errors import AlloincognitoSettingsError, AlloincognitoWatermarkStoreError
from airflow_provider_alloincognito.hooks.shared import run_in_thread

PREFIX = "alloincognito_new_calls_"
DESCRIPTION = "How far a watcher of airflow-provider-alloincognito has looked. Without it, the watcher begins anew."


class WatermarkStore(Protocol):
    """Keeps the watermark of one watcher."""

    async def load(self) -> str | None:
        """
        Return what was saved last, or None.

        :raises AlloincognitoWatermarkStoreError: if it is not known whether there is something.
        """

    async def save(self, text: str) -> None:
        """
        Keep a text in place of the one before.

        :raises AlloincognitoWatermarkStoreError: if it could not be kept.
        """


class AssetStateStore:
    """
    Keeps it in the state of the asset that is watched.

    :param states: what Airflow gave to the trigger.
    :param name: the watcher's.
    """

    def __init__(self, states: Any, name: str) -> None:
        self._states = states
        self._key = PREFIX + name

    async def load(self) -> str | None:
        """Return what was saved last, or None."""
        try:
            value = await self._states.aget(self._key)
        except Exception as error:  # noqa: BLE001 - Airflow has no common base for what an asset state may raise
            raise _asset_error("read", error) from None
        return await self._move_from_variable() if value is None else str(value)

    async def _move_from_variable(self) -> str | None:
        """Take over what Airflow 3.0 to 3.2 has kept, so that an upgrade leaves no window out."""
        value: str | None = await run_in_thread(_read, self._key)
        if value is not None:
            await self.save(value)
            await run_in_thread(_delete, self._key)
        return value

    async def save(self, text: str) -> None:
        """Keep a text in place of the one before."""
        try:
            await self._states.aset(self._key, text)
        except Exception as error:  # noqa: BLE001 - as above
            raise _asset_error("written", error) from None


class VariableStore:
    """
    Keeps it in an Airflow Variable.

    :param name: the watcher's.
    """

    def __init__(self, name: str) -> None:
        self._key = PREFIX + name

    async def load(self) -> str | None:
        """Return what was saved last, or None."""
        return await run_in_thread(self._load)  # type: ignore[no-any-return]

    async def save(self, text: str) -> None:
        """Keep a text in place of the one before."""
        await run_in_thread(_write, self._key, text)

    def _load(self) -> str | None:
        found = _read(self._key)
        if found is None:
            # Airflow also says "none" where it could not ask. To begin anew then would skip calls.
            _prove_that_variables_work(f"{self._key}_probe")
            found = _read(self._key)
        return found


def _prove_that_variables_work(key: str) -> None:
    value = secrets.token_hex(8)
    _write(key, value)
    if _read(key) != value:
        raise AlloincognitoWatermarkStoreError(
            "Airflow Variables cannot be read from this triggerer, so it is not known how far this watcher has looked."
        )
    _delete(key)


def _delete(key: str) -> None:
    try:
        Variable.delete(key)
    except Exception as error:  # noqa: BLE001 - as in _read
        raise _variable_error("removed", error) from None


def _read(key: str) -> str | None:
    try:
        return variable_or_none(key)
    except Exception as error:  # noqa: BLE001 - Airflow has no common base for what a Variable may raise
        raise _variable_error("read", error) from None


def _write(key: str, value: str) -> None:
    try:
        Variable.set(key, value, description=DESCRIPTION)
    except Exception as error:  # noqa: BLE001 - as above
        raise _variable_error("written", error) from None


def _variable_error(done: str, error: Exception) -> AlloincognitoWatermarkStoreError:
    return AlloincognitoWatermarkStoreError(
        f"The Airflow Variable with a watcher's watermark could not be {done} ({type(error).__name__}). Check whether "
        "Airflow's database can be reached from the triggerer."
    )


def _asset_error(done: str, error: Exception) -> AlloincognitoWatermarkStoreError | AlloincognitoSettingsError:
    if isinstance(error, ValueError):  # the trigger is that of several assets
        return AlloincognitoSettingsError(
            "Several assets have watchers whose triggers have the same arguments, so that Airflow runs one trigger for "
            "all of them, and their watermark has no place of its own. Give each trigger another name."
        )
    return AlloincognitoWatermarkStoreError(
        f"The asset's state with a watcher's watermark could not be {done} ({type(error).__name__}). Check whether "
        "Airflow's database can be reached from the triggerer."
    )
