"""``python -m fuzz.run TARGET [ARGUMENT...]``: fuzz one target in this process, with libFuzzer's arguments."""

from __future__ import annotations

import logging
import sys

import atheris


def main() -> None:
    """Fuzz until an argument of libFuzzer's or a finding ends it."""
    with atheris.instrument_imports(include=["airflow_provider_alloincognito"]):
        from fuzz.targets import TARGETS
    logging.disable()  # thousands of warnings a second
    target = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
