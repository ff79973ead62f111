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

    _told_to_end = False

    def on_kill(self) -> None:
        """
        Leave ``execute`` by an exception, which closes connections and removes unfinished files.

        Airflow 2 does so itself; Airflow 3 lets the task go on for some seconds, then kills it with SIGKILL.
        """
        # After a time-out it has been left already.
        if not isinstance(sys.exc_info()[1], AirflowTaskTimeout):
            self._told_to_end = True
            self.stop_if_told()

    def stop_if_told(self) -> None:
        """
        Leave ``execute`` if that was asked for: to be called where a wait goes round.

        Python drops in silence what is raised while it finalizes a file, an answer's connection for one.
        """
        if self._told_to_end:
            raise AirflowTaskTerminated("The task was told to end (SIGTERM).")
