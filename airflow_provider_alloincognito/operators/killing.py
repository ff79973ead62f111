"""A task that a user ends, or its worker: it stops at once, and tidies up."""

from __future__ import annotations

import sys

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

try:
    from airflow.sdk.exceptions import AirflowTaskTerminated
except ImportError:  # Airflow 2
    from airflow.exceptions import AirflowTaskTerminated  # type: ignore[no-redef]


class StopsWhenKilled:
    """What operators and sensors have in common on SIGTERM."""

    def on_kill(self) -> None:
        """
        Leave ``execute`` by an exception, which closes connections and removes unfinished files.

        Airflow 2 does so itself; Airflow 3 lets the task go on for some seconds, then kills it with SIGKILL.
        """
        # After a time-out it has been left already.
        if not isinstance(sys.exc_info()[1], AirflowTaskTimeout):
            raise AirflowTaskTerminated("The task was told to end (SIGTERM).")
