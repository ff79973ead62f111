"""
What a command prints: for people with rich where that goes to a terminal, as plain text elsewhere; for scripts one
JSON document. Nothing of it holds a token, a phone number or an e-mail address.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TextIO

from airflow_provider_alloincognito.cli.exit_codes import FAILED, INTERRUPTED, WRONG_USAGE
from airflow_provider_alloincognito.cli.wording import in_words_of
from airflow_provider_alloincognito.scrubbing import redact

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from airflow_provider_alloincognito.hooks.findings import Finding

PACKAGE = __name__.partition(".")[0]
VALUE_OF_NO_OPTION = re.compile(
    r"(ambiguous option: [^=\s]+)=.*(?= could match )|(?<=ignored explicit argument).*", re.DOTALL
)
SHORTEST_SECRET = 6
"""What is shorter is no token, and may be part of any word."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every command has."""
    parser.add_argument(
        "-o",
        "--output",
        choices=("table", "json"),
        default="table",
        help="table: for people (default). json: one JSON document, and nothing else, on stdout",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show the log, Airflow's included, and the traceback of an error"
    )
    redact_usage_errors(parser)


def redact_usage_errors(parser: argparse.ArgumentParser) -> None:
    """Let a parser's errors, which quote the command line, be redacted, without values that no option takes."""
    error, parse = parser.error, parser.parse_known_args

    def parse_all(*arguments: Any, **more: Any) -> tuple[Any, list[str]]:
        """Refuse the rest here: Airflow's own parser would quote it."""
        options, rest = parse(*arguments, **more)
        if rest:
            names = [word.partition("=")[0] for word in rest if word.startswith("--")]
            parser.error(f"unrecognized arguments: {' '.join(names) or 'more than the command takes'}")
        return options, rest

    parser.error = lambda message: error(redact(VALUE_OF_NO_OPTION.sub(r"\1", message)))  # type: ignore[method-assign]
    parser.parse_known_args = parse_all  # type: ignore[method-assign]


@contextmanager
def opened_output(options: argparse.Namespace) -> Iterator[Output]:
    """
    Return a command's output. What anything else prints or logs in the ``with`` block goes to stderr.

    :param options: the command's arguments.
    """
    with ExitStack() as stack:
        stdout = stack.enter_context(_stdout_to_stderr())
        output = Output(
            stdout,
            sys.stderr,
            is_json=options.output == "json",
            is_verbose=options.verbose,
            reword=partial(in_words_of, options),
        )
        stack.enter_context(output.logging())
        yield output


class Output:
    """
    Where a command prints.

    :param stdout: gets the document, or else what people read.
    :param stderr: gets the log, the progress and errors; with ``is_json`` also what people read.
    :param is_json: whether a script reads ``stdout``.
    :param is_verbose: whether to show the log and tracebacks.
    :param reword: returns the text of an error or a finding in the command's words.
    """

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        *,
        is_json: bool,
        is_verbose: bool,
        reword: Callable[[str], str] = str,
    ) -> None:
        self.is_json = is_json
        self.is_verbose = is_verbose
        self._reword = reword
        self._stdout = stdout
        self._stderr = stderr
        self._secrets: set[str] = set()
        self._sources: list[Callable[[], Iterable[str]]] = []
        self._has_result = False
        self._bar: Progress | None = None

    def hide(self, *secrets: str) -> None:
        """Show ``<token>`` in place of these from now on; what has a token's form is hidden anyway."""
        self._secrets.update(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)

    def hide_all_of(self, source: Callable[[], Iterable[str]]) -> None:
        """Hide also what ``source`` returns now and later, such as the tokens of a pair that is replaced."""
        self._sources.append(source)

    def redacted(self, text: object) -> str:
        """Return a text as it may be shown."""
        for source in self._sources:
            self.hide(*source())
        return redact(str(text), self._secrets)

    # For people

    def text(self, text: str = "") -> None:
        """Print a text of any number of lines."""
        self._console.print(self.redacted(text))

    def findings(self, findings: Iterable[Finding]) -> list[Finding]:
        """Print what checks have found, each with its fix, and return it in the command's words."""
        findings = [replace(one, text=self._reword(one.text), fix=self._reword(one.fix)) for one in findings]
        colours = {"OK": "green", "WARNING": "yellow", "FAILED": "bold red"}
        for finding in findings:
            word = finding.outcome.name
            self._console.print(f"{word.lower():8}", style=colours[word], end="")
            subject = f"{finding.subject}: " if finding.subject else ""
            self._console.print(self.redacted(f"{subject}{finding.text}"))
            if finding.fix:
                self._console.print(self.redacted(f"{'':8}{finding.fix}"))
        return findings

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """
        Print a table.

        :param title: above it; may be empty.
        :param columns: their names.
        :param rows: cells of any type; None is an empty one.
        """
        cells = [["" if cell is None else " ".join(self.redacted(cell).split()) for cell in row] for row in rows]
        names = list(map(self.redacted, columns))
        if self._console.is_terminal:
            from rich.table import Table

            table = Table(*names, title=self.redacted(title) or None, title_justify="left")
            for row in cells:
                table.add_row(*row)
            self._console.print(table, soft_wrap=False)
            return
        widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (names, *cells)
        )
        self._console.print("\n".join([*([self.redacted(title)] if title else []), *(line.rstrip() for line in lines)]))

    @contextmanager
    def progress(self, description: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        """
        Show a progress bar on stderr, if that is a terminal, until the ``with`` block ends. One at a time is shown.

        :param description: what is going on, such as ``Fetching recordings``.
        :param total: how much there is to do; None if that is not known.
        :return: a function that advances the bar by an amount.
        """
        if self._bar is not None or not self._errors.is_terminal:
            yield lambda amount: None
            return
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        parts = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
        try:
            with Progress(*parts, console=self._errors, transient=True, redirect_stdout=False) as bar:
                self._bar = bar
                task = bar.add_task(self.redacted(description), total=total)
                yield lambda amount: bar.advance(task, amount)
        finally:
            self._bar = None

    def ask(self, text: str, *, is_secret: bool = False) -> str:
        """
        Return what the user types; empty after Ctrl-D.

        :param text: the prompt.
        :param is_secret: it is not shown.
        """
        from getpass import getpass

        if self._bar is not None:
            self._bar.stop()  # it would be drawn over the prompt
        try:
            if is_secret:
                return getpass(text, self._stderr)
            print(text, end="", file=self._stderr, flush=True)
            return sys.stdin.readline().strip()
        except EOFError:
            print(file=self._stderr)
            return ""
        finally:
            if self._bar is not None:
                self._bar.start()

    # For scripts

    def result(self, document: dict[str, Any]) -> None:
        """
        Print the JSON document of ``--output json``; nothing otherwise. Once in a run.

        :param document: of JSON's types, dates and paths; numbers are shown as they are.
        """
        if self.is_json:
            assert not self._has_result, "stdout holds one document"
            self._has_result = True
            text = json.dumps(self._redacted_json(document), ensure_ascii=False, indent=2, default=self.redacted)
            print(text, file=self._stdout, flush=True)

    def _redacted_json(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.redacted(name): self._redacted_json(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._redacted_json(one) for one in value]
        return self.redacted(value) if isinstance(value, str) else value

    # Errors and the log

    def explaining_errors(self, work: Callable[[], int]) -> int:
        """
        Return the exit code of a command, and print its error if it fails.

        :param work: the command.
        """
        from airflow_provider_alloincognito import errors

        wrong_usage = (
            errors.AlloincognitoQueryError,
            errors.AlloincognitoFormatError,
            errors.AlloincognitoSchemaError,
            errors.AlloincognitoMissingExtraError,
        )
        try:
            return work()
        except KeyboardInterrupt:
            self._print_error("Interrupted.")
            return INTERRUPTED
        except BrokenPipeError:  # whoever read stdout has seen enough
            return FAILED
        except errors.AlloincognitoError as error:
            self._report(error, self._reword(str(error)))
            return WRONG_USAGE if isinstance(error, wrong_usage) else FAILED
        except Exception as error:  # noqa: BLE001 - a traceback of Python's would show what must not be shown
            self._report(
                error, f"Unexpected error ({type(error).__name__}): {error}. Run it again with -v for details."
            )
            return FAILED

    def _report(self, error: Exception, message: str) -> None:
        if self.is_verbose:
            self._print_error("".join(traceback.format_exception(error)).rstrip())
        self._print_error(f"Error: {message}")
        if not self._has_result:
            self.result({"ok": False, "error": {"type": type(error).__name__, "message": message}})

    def _print_error(self, text: str) -> None:
        self._errors.print(self.redacted(text), style="red")

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Show this package's warnings on stderr in the ``with`` block; with ``-v`` all of its log."""
        package = logging.getLogger(PACKAGE)
        before = package.level, package.propagate
        handler = _LogHandler(self)
        package.addHandler(handler)
        package.setLevel(logging.INFO if self.is_verbose else logging.WARNING)
        package.propagate = False  # Airflow's own handlers redact less
        try:
            yield
        finally:
            package.removeHandler(handler)
            package.setLevel(before[0])
            package.propagate = before[1]

    def log_line(self, level: str, message: str) -> None:
        """Print a line of the log."""
        self._errors.print(self.redacted(f"{level.capitalize()}: {message}"), style="dim")

    @cached_property
    def _console(self) -> Console:
        return self._errors if self.is_json else _console(self._stdout)

    @cached_property
    def _errors(self) -> Console:
        return _console(self._stderr)


class _LogHandler(logging.Handler):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # a log that cannot be written stops nothing
            self._output.log_line(record.levelname, record.getMessage())


def _console(file: TextIO) -> Console:
    """A console that prints texts as they are, without markup, and does not break lines."""
    from rich.console import Console

    return Console(file=file, markup=False, emoji=False, highlight=False, soft_wrap=True)


@contextmanager
def _stdout_to_stderr() -> Iterator[TextIO]:
    """Return stdout, and send what others print there to stderr: also what loggers or child processes write."""
    stdout = sys.stdout
    try:
        number, errors = stdout.fileno(), sys.stderr.fileno()
    except (AttributeError, io.UnsupportedOperation, ValueError):  # no files, as in a notebook
        with redirect_stdout(sys.stderr):
            yield stdout
        return
    stdout.flush()
    kept = os.dup(number)
    os.dup2(errors, number)
    try:
        with (
            suppress(BrokenPipeError),  # whoever read it has seen enough
            open(kept, "w", encoding=stdout.encoding, errors="backslashreplace", closefd=False) as file,
        ):
            yield file
    finally:
        with suppress(OSError):
            stdout.flush()
        os.dup2(kept, number)
        os.close(kept)
