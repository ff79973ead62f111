"""``python -m airflow_provider_alloincognito``: the commands of ``airflow alloincognito``, on every Airflow."""

from __future__ import annotations

import sys

from airflow_provider_alloincognito.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
