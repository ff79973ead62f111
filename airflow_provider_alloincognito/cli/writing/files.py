"""Write small files whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from airflow_provider_alloincognito.errors import AlloincognitoSetupError

SECRET = 0o600


def write_whole(path: Path, content: bytes, mode: int | None = None) -> None:
    """
    Replace a file at once: a reader finds the old one or the new one.

    :param path: the file; a symbolic link stays, and what it leads to is replaced.
    :param content: all of the file.
    :param mode: its mode; by default that of the file it replaces, or what the umask allows.
    :raises AlloincognitoSetupError: if it cannot be written.
    """
    path = path.expanduser()
    temporary = None
    try:
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = mode if mode is not None else _mode_of(target)
        # No .py at its end: Airflow would take it for a DAG file.
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(temporary, target)
    except OSError as error:
        raise AlloincognitoSetupError(
            f"Cannot write {path}: {error.strerror or type(error).__name__}. Nothing was changed there. Give the path "
            "of a file that you may write."
        ) from None
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def _mode_of(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        os.umask(umask := os.umask(0))
        return 0o666 & ~umask
