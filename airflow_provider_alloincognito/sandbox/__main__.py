"""``python -m airflow_provider_alloincognito.sandbox``: the sandbox as a program."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from airflow_provider_alloincognito.sandbox.calls import truth_line
from airflow_provider_alloincognito.sandbox.presets import PRESETS
from airflow_provider_alloincognito.sandbox.server import Sandbox
from airflow_provider_alloincognito.sandbox.settings import SandboxSettings, setting_from_text


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the program, and return its exit status.

    :param arguments: the command line; None: the process's own
    """
    options = _parser().parse_args(arguments)
    try:
        settings = _settings(options)
        if options.command == "truth":
            _write(sys.stderr, json.dumps({"rows": _dump_truth(settings, options)}))
        else:
            Sandbox(settings, host=options.host, port=options.port).serve_forever(_announce)
    except (ValueError, OSError, ImportError) as e:
        _write(sys.stderr, f"error: {e}")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_alloincognito.sandbox",
        description="A server that speaks AlloIncognito's integration API. Prints its address and the authorization "
        "token as one line of JSON, and serves until it is stopped. Its settings: SandboxSettings.",
    )
    _add_setting_arguments(parser)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4431, help="0: a free port (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", title="instead of serving")
    truth = commands.add_parser("truth", help="write a period's calls as JSON lines, straight from the generator")
    _add_setting_arguments(truth, default=argparse.SUPPRESS)
    truth.add_argument("start", help="ISO 8601; without an offset: in --tz")
    truth.add_argument("end", help="the first moment after the period")
    truth.add_argument("file", help="- for stdout")
    truth.add_argument("--tz", help="zone of START and END (default: the setting timezone)")
    return parser


def _add_setting_arguments(parser: argparse.ArgumentParser, **default: Any) -> None:
    # Suppressed in a subcommand: its defaults would replace what was set before it.
    parser.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        help="settings that come with the sandbox; renamed: paths, names, verbs, times and answers are all other than "
        "assumed, as /docs describes them",
        **default,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings, as a JSON object", **default)
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="one setting; may be repeated", **default)


def _settings(options: argparse.Namespace) -> SandboxSettings:
    values: dict[str, Any] = dict(PRESETS[options.preset]) if options.preset else {}
    if options.config:
        values.update(json.loads(options.config.read_text(encoding="utf-8")))
    values.update(setting_from_text(text) for text in options.set or ())
    return SandboxSettings.of(values)


def _announce(sandbox: Sandbox) -> None:
    line = {
        "url": sandbox.url,
        "port": sandbox.port,
        "authorization_token": sandbox.authorization_token,
        "docs": f"{sandbox.url}/docs",
        "admin": f"{sandbox.url}/_sandbox" if sandbox.settings.admin else None,
    }
    _write(sys.stdout, json.dumps(line))


def _write(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()


def _dump_truth(settings: SandboxSettings, options: argparse.Namespace) -> int:
    zone = ZoneInfo(options.tz) if options.tz else settings.zone
    start, end = (datetime.fromisoformat(text) for text in (options.start, options.end))
    start, end = (one if one.tzinfo else one.replace(tzinfo=zone) for one in (start, end))
    written = 0
    with nullcontext(sys.stdout.buffer) if options.file == "-" else open(options.file, "wb") as file:
        for row in Sandbox(settings).truth_rows(start, end):
            written += file.write(truth_line(row)) > 0
    return written


if __name__ == "__main__":
    sys.exit(main())
