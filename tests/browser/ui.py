"""Airflow's UI as a user sees it, in a real Chromium: the pages that the tests need, on Airflow 3 and on 2.11."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from airflow_provider_alloincognito.get_provider_info import CONNECTION_LABELS
from airflow_provider_alloincognito.sandbox import Sandbox
from services.standalone import Standalone

# Of one step. The machine also runs Airflow's scheduler and its tasks.
PATIENCE = 120_000


class Ui(ABC):
    """
    What a user does in Airflow's UI.

    :param page: the browser's.
    :param airflow: a running Airflow.
    :param images: where screenshots go.
    """

    generation: str

    def __init__(self, page: Page, airflow: Standalone, images: Path) -> None:
        self.page = page
        self.airflow = airflow
        self._images = images
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)

    def open(self, path: str) -> None:
        """Go to a page."""
        self.page.goto(f"{self.airflow.url}/{path}")

    def picture(self, name: str, *, height: int = 800) -> None:
        """Save what is on the screen."""
        self.page.set_viewport_size({"width": 1280, "height": height})
        self.page.wait_for_timeout(500)  # animations
        self.page.screenshot(path=self._images / f"{name}-{self.generation}.png")

    @abstractmethod
    def log_in(self) -> None:
        """Log in, where that is needed."""

    @abstractmethod
    def fill_in_connection(self, conn_id: str, fields: Mapping[str, str]) -> None:
        """
        Open the form of a new Connection, choose the type AlloIncognito, and fill it in.

        :param conn_id: the Connection's id.
        :param fields: values by the fields' labels; with ``Section: `` before them, if they are in one.
        """

    @abstractmethod
    def save_and_test(self, conn_id: str, picture: str) -> str:
        """
        Save what was filled in, press Test, and return the text that Airflow shows.

        :param conn_id: the Connection's id.
        :param picture: name of the screenshot of that text.
        """

    @abstractmethod
    def fill_in_period(self, dag_id: str, start: str, end: str) -> None:
        """Open the dialog that triggers a DAG, and choose the period; times as ``2026-03-03 00:00``, in UTC."""

    @abstractmethod
    def trigger(self) -> None:
        """Trigger what was filled in."""

    @abstractmethod
    def wait_until_green(self, dag_id: str) -> None:
        """Look at the grid until the run is green."""

    @abstractmethod
    def log_of(self, dag_id: str, task_id: str) -> str:
        """Return the log of the last run's task."""

    @abstractmethod
    def follow_link(self, dag_id: str, task_id: str, name: str) -> str:
        """Follow an extra link of the last run's task, and return the address that it leads to."""

    @abstractmethod
    def asset_page(self, uri: str) -> str:
        """Return what the page of an asset says."""

    def run_id(self, dag_id: str) -> str:
        """Return the id of the only run."""
        (run_id,) = self.airflow.run_states(dag_id)
        return run_id

    def _address_behind(self, link: Locator) -> str:
        with self.page.context.expect_page() as opened:
            link.click()
        opened.value.wait_for_load_state("domcontentloaded")
        return str(opened.value.url)


class Ui3(Ui):
    """Airflow 3."""

    generation = "3"

    def log_in(self) -> None:
        """Log in: nobody need."""

    def fill_in_connection(self, conn_id: str, fields: Mapping[str, str]) -> None:
        """Open the form of a new Connection, choose the type AlloIncognito, and fill in fields by their labels."""
        self.open("connections")
        self.page.get_by_role("button", name="Add Connection").first.click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label("Connection ID").fill(conn_id)
        dialog.get_by_role("combobox").click()
        self.page.get_by_role("option", name="AlloIncognito", exact=True).click()
        for label, value in fields.items():
            section, _, name = label.rpartition(": ")
            if not section:
                dialog.get_by_label(name, exact=True).fill(value)
                continue
            self.fold(section)
            (key,) = [key for key, known in CONNECTION_LABELS.items() if known == label]
            if value == "true":
                dialog.locator(f'[id^="switch:element_{key}"]').first.click()
            else:
                dialog.locator(f"#element_{key}").fill(value)

    def fold(self, section: str) -> None:
        """Unfold a section of the form, or fold it up."""
        self.page.get_by_role("dialog").get_by_role("button", name=section, exact=True).click()

    def save_and_test(self, conn_id: str, picture: str) -> str:
        """Save the Connection, press Test in the list, and return the text that Airflow shows."""
        self.page.get_by_role("button", name="Save").click()
        self.page.get_by_role("dialog").wait_for(state="hidden")
        self.open("connections")
        row = self.page.get_by_role("row").filter(has=self.page.get_by_text(conn_id, exact=True))
        row.get_by_role("button", name="Test Connection").click()
        toast = self.page.get_by_role("status").filter(has_text="Test Connection")
        text = toast.inner_text()
        self.picture(picture)
        return str(text.partition("\n")[2])

    def fill_in_period(self, dag_id: str, start: str, end: str) -> None:
        """Open the dialog that triggers a DAG, and choose the period; times as ``2026-03-03 00:00``, in UTC."""
        self.open(f"dags/{dag_id}")
        self.page.get_by_role("button", name="Trigger Dag").first.click()
        dialog = self.page.get_by_role("dialog")
        for moment in (start, end):
            date, time = moment.split()
            dialog.get_by_text("Select date and time").first.click()
            self.page.get_by_placeholder("YYYY/MM/DD").fill(date.replace("-", "/"))
            self.page.get_by_placeholder("HH:mm").fill(time)
            self.page.get_by_placeholder("HH:mm").press("Enter")
            for _ in range(2):  # the first click closes the calendar; what it does besides, the second undoes
                dialog.get_by_text("Run Parameters").click(force=True)

    def trigger(self) -> None:
        """Trigger what was filled in."""
        self.page.get_by_role("dialog").get_by_role("button", name="Trigger").click()
        self.page.get_by_role("dialog").wait_for(state="hidden")

    def wait_until_green(self, dag_id: str) -> None:
        """Look at the grid until the run is green."""
        self.open(f"dags/{dag_id}/runs/{self.run_id(dag_id)}")
        expect(self.page.get_by_text("Success").first).to_be_visible()
        self.page.reload()  # the grid is slower to follow than the run's own state
        expect(self.page.get_by_text("Success").first).to_be_visible()

    def log_of(self, dag_id: str, task_id: str) -> str:
        """Return the log of the last run's task."""
        self.open(f"dags/{dag_id}/runs/{self.run_id(dag_id)}/tasks/{task_id}")
        log = self.page.get_by_test_id("virtualized-list")
        expect(log).to_contain_text("Post Execute")
        return str(log.inner_text())

    def follow_link(self, dag_id: str, task_id: str, name: str) -> str:
        """Follow an extra link of the last run's task, and return the address that it leads to."""
        self.open(f"dags/{dag_id}/runs/{self.run_id(dag_id)}/tasks/{task_id}/details")
        return self._address_behind(self.page.get_by_role("link", name=name))

    def asset_page(self, uri: str) -> str:
        """Return what the page of an asset says."""
        self.open("assets")
        self.page.get_by_role("link", name=uri, exact=True).click()
        self.page.locator(".codicon-folding-collapsed").first.click()
        expect(self.page.locator("body")).to_contain_text("rows")
        return str(self.page.locator("body").inner_text())


class Ui2(Ui):
    """Airflow 2.11."""

    generation = "2"

    def log_in(self) -> None:
        """Log in as the user whom ``airflow standalone`` has made."""
        self.open("login/")
        self.page.locator("#username").fill("admin")
        self.page.locator("#password").fill((self.airflow.home / "standalone_admin_password.txt").read_text())
        self.page.locator("#password").press("Enter")
        self.page.wait_for_url("**/home")

    def fill_in_connection(self, conn_id: str, fields: Mapping[str, str]) -> None:
        """Open the form of a new Connection, choose the type AlloIncognito, and fill in fields by their labels."""
        self.open("connection/add")
        self.page.locator("#conn_id").fill(conn_id)
        self.page.locator("#s2id_conn_type, .select2-selection").first.click()
        self.page.locator(".select2-input:visible, .select2-search__field:visible").fill("AlloIncognito")
        self.page.keyboard.press("Enter")
        for label, value in fields.items():
            self.page.get_by_label(label, exact=True).fill(value)

    def save_and_test(self, conn_id: str, picture: str) -> str:
        """Press Test in the form, return the text that Airflow shows, and save the Connection."""
        self.page.locator("#test-connection").click()
        alert = self.page.locator(".alert").filter(has_text=re.compile("^(Failed|Warning|OK): "))
        text = alert.inner_text()
        self.page.evaluate("window.scrollTo(0, 0)")
        self.picture(picture)
        self.page.get_by_role("button", name="Save").click()
        self.page.wait_for_url("**/home")
        return str(text)

    def fill_in_period(self, dag_id: str, start: str, end: str) -> None:
        """Open the page that triggers a DAG, and choose the period; times as ``2026-03-03 00:00``, in UTC."""
        self.open(f"dags/{dag_id}/trigger")
        for name, moment in (("period_start", start), ("period_end", end)):
            self.page.locator(f"#element_{name}").fill(moment.replace(" ", "T") + "+00:00")
            self.page.locator(f"#element_{name}").press("Tab")

    def trigger(self) -> None:
        """Trigger what was filled in."""
        self.page.get_by_role("button", name="Trigger", exact=True).click()
        expect(self.page.get_by_text("it should start any moment now")).to_be_visible()

    def wait_until_green(self, dag_id: str) -> None:
        """Look at the grid until the run is green."""
        self.open(f"dags/{dag_id}/grid?dag_run_id={self._run(dag_id)}")
        status = self.page.get_by_role("row").filter(has=self.page.get_by_text("Status", exact=True))
        expect(status).to_contain_text("success")

    def log_of(self, dag_id: str, task_id: str) -> str:
        """Return the log of the last run's task."""
        self.open(f"dags/{dag_id}/grid?dag_run_id={self._run(dag_id)}&task_id={task_id}&tab=logs")
        log = self.page.locator("code").filter(has_text="Marking task as SUCCESS").first
        expect(log).to_be_visible()
        return str(log.inner_text())

    def follow_link(self, dag_id: str, task_id: str, name: str) -> str:
        """Follow an extra link of the last run's task, and return the address that it leads to."""
        self.open(f"dags/{dag_id}/grid?dag_run_id={self._run(dag_id)}&task_id={task_id}")
        return self._address_behind(self.page.get_by_role("link", name=name))

    def asset_page(self, uri: str) -> str:
        """Return what the page of a dataset says."""
        self.open("datasets")
        self.page.get_by_text(uri, exact=True).first.click()
        self.page.locator(".node-ellipsis").first.click()
        event = self.page.locator(".react-json-view").first
        expect(event).to_contain_text("rows")
        return str(event.inner_text())

    def _run(self, dag_id: str) -> str:
        return self.run_id(dag_id).replace("+", "%2B").replace(":", "%3A")


@dataclass
class Place:
    """A running Airflow, its UI, and the sandbox beside it."""

    airflow: Standalone
    ui: Ui
    sandbox: Sandbox
