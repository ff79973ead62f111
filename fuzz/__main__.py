"""
``make fuzz``, or ``python -m fuzz [TARGET...] --minutes 1``: fuzz each target for some minutes, one after the other.

The exit code is 0 if no target raised an exception, took too long, or grew.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fuzz.targets import TARGETS

HERE = Path(__file__).resolve().parent
LONGEST_INPUT = 4096
LONGEST_RUN = 30
MOST_MEGABYTES = 512
MOST_GROWTH = 32
PULSE = re.compile(r"^#(\d+)\s.*?cov: (\d+).*?rss: (\d+)Mb", re.MULTILINE)


@dataclass(frozen=True)
class Fuzzed:
    """
    What fuzzing a target gave.

    :param megabytes: resident, at half of its time and at the end.
    :param findings: the files with the inputs.
    """

    target: str
    inputs: int
    coverage: int
    megabytes: tuple[int, int]
    findings: list[Path]
    code: int

    @property
    def is_good(self) -> bool:
        """Whether there was nothing to find."""
        return self.code == 0 and not self.findings and self.megabytes[1] - self.megabytes[0] <= MOST_GROWTH


def main() -> int:
    """Fuzz."""
    options = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    options.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options.add_argument("--minutes", type=float, default=1.0, help="for each target (%(default)s)")
    options.add_argument("--folder", type=Path, default=HERE.parent / ".fuzz", help="for findings (%(default)s)")
    given = options.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        options.error(f"no such target: {', '.join(sorted(unknown))}")
    print(
        "| target | inputs | branches | MB at half | at the end | found |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    )
    all_good = True
    for target in given.targets or TARGETS:
        fuzzed = _fuzz(target, given.minutes * 60, given.folder.resolve() / target)
        first, last = fuzzed.megabytes
        print(
            f"| {target} | {fuzzed.inputs:,} | {fuzzed.coverage} | {first} | {last} | {len(fuzzed.findings)} |",
            flush=True,
        )
        for finding in fuzzed.findings:
            print(f"FOUND {finding}", file=sys.stderr)
        all_good = all_good and fuzzed.is_good
    return 0 if all_good else 1


def _fuzz(target: str, seconds: float, folder: Path) -> Fuzzed:
    """Fuzz one target in a process of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    new = folder / "corpus"
    new.mkdir(parents=True)
    arguments = [
        f"-max_total_time={seconds:.0f}",
        f"-max_len={LONGEST_INPUT}",
        f"-timeout={LONGEST_RUN}",
        f"-rss_limit_mb={MOST_MEGABYTES}",
        f"-dict={HERE / 'words.dict'}",
        f"-artifact_prefix={folder}/",
    ]
    log = folder / "log.txt"
    with log.open("wb") as output:
        code = subprocess.run(
            [sys.executable, "-m", "fuzz.run", target, str(new), str(HERE / "corpus" / target), *arguments],
            cwd=HERE.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    pulses = PULSE.findall(log.read_text(errors="replace")) or [("0", "0", "0")]
    inputs, coverage, megabytes = pulses[-1]
    half = next(int(rss) for number, _, rss in pulses if int(number) * 2 >= int(inputs))
    findings = sorted(path for path in folder.iterdir() if path.is_file() and path != log)
    return Fuzzed(target, int(inputs), int(coverage), (half, int(megabytes)), findings, code)


if __name__ == "__main__":
    sys.exit(main())
