"""Where a watermark is kept; code: triggers/watermark_stores.py. tests/system/test_stream.py has both in Airflow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_mock import MockerFixture
from task_runs import in_task
from watching import States

from airflow_provider_alloincognito.compat import HAS_ASSET_WATCHERS, Variable, variable_or_none
from airflow_provider_alloincognito.errors import AlloincognitoSettingsError, AlloincognitoWatermarkError
from airflow_provider_alloincognito.hooks.shared import run_in_thread
from airflow_provider_alloincognito.triggers import watermark_stores
from airflow_provider_alloincognito.triggers.watermark_stores import PREFIX, AssetStateStore, VariableStore

KEY = f"{PREFIX}test"
pytestmark = pytest.mark.skipif(not HAS_ASSET_WATCHERS, reason="Airflow 2 has no asset watchers")


@pytest.fixture(autouse=True)
def no_variables(airflow_database: None) -> Iterator[None]:
    yield
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(Variable).delete()


class TestVariable:
    def test_it_keeps_what_was_saved_last(self) -> None:
        def todo() -> list[str | None]:
            async def run() -> list[str | None]:
                store = VariableStore("test")
                found = [await store.load()]
                for text in ('{"until":1}', '{"until":2}'):
                    await store.save(text)
                    found.append(await VariableStore("test").load())
                return [*found, await VariableStore("other").load()]

            return asyncio.run(run())

        assert in_task(todo) == [None, '{"until":1}', '{"until":2}', None]

    def test_a_fault_is_not_taken_for_a_new_watcher(self, mocker: MockerFixture) -> None:
        """Airflow says "none", too, if it could not ask its database."""

        def todo() -> str | None:
            Variable.set(KEY, "there")
            mocker.patch.object(watermark_stores, "variable_or_none", return_value=None)
            return asyncio.run(VariableStore("test").load())

        with pytest.raises(AlloincognitoWatermarkError, match="not known how far"):
            in_task(todo)

    def test_a_fault_that_has_passed_when_it_is_checked(self, mocker: MockerFixture) -> None:
        answers: list[Any] = [None]

        def read(key: str) -> str | None:
            return answers.pop() if answers else variable_or_none(key)

        def todo() -> str | None:
            Variable.set(KEY, "there")
            mocker.patch.object(watermark_stores, "variable_or_none", side_effect=read)
            return asyncio.run(VariableStore("test").load())

        assert in_task(todo) == "there"

    def test_a_variable_that_cannot_be_written(self, mocker: MockerFixture) -> None:
        mocker.patch.object(watermark_stores.Variable, "set", side_effect=RuntimeError("79161234567"))
        with pytest.raises(AlloincognitoWatermarkError, match=r"could not be written \(RuntimeError\)"):
            asyncio.run(VariableStore("test").save("text"))


class TestAssetState:
    def test_it_keeps_what_was_saved_last(self) -> None:
        states = States()

        async def run() -> list[str | None]:
            store = AssetStateStore(states, "test")
            before = await store.load()
            await store.save("1")
            return [before, await AssetStateStore(states, "test").load(), await AssetStateStore(states, "other").load()]

        assert asyncio.run(run()) == [None, "1", None]

    def test_an_upgrade_from_airflow_3_2_leaves_nothing_out(self) -> None:
        def todo() -> list[str | None]:
            Variable.set(KEY, '{"until":1}')

            async def run() -> list[str | None]:
                found = await AssetStateStore(States(), "test").load()
                return [found, await run_in_thread(variable_or_none, KEY)]

            return asyncio.run(run())

        assert in_task(todo) == ['{"until":1}', None], "moved, so that it is not found again years later"

    def test_a_trigger_of_two_assets_needs_a_name_for_each(self) -> None:
        context = pytest.importorskip("airflow.sdk.execution_time.context")
        if not hasattr(context, "AssetStateStoreAccessors"):
            pytest.skip("assets have a state from 3.3 on")
        from airflow.sdk import Asset

        states = context.AssetStateStoreAccessors(inlets=[Asset("one"), Asset("two")])
        with pytest.raises(AlloincognitoSettingsError, match="Give each trigger another name"):
            asyncio.run(AssetStateStore(states, "test").load())
