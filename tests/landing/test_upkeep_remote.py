"""Retention and erasure in a real S3; code: landing/upkeep/."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from s3_server import S3
from upkeep_files import DAYS, ERASED, FIELDS, FORMS, is_erased, land_day, landed_rows, rows_of

from airflow_provider_alloincognito.landing.layout import Layout
from airflow_provider_alloincognito.landing.upkeep.erasure import erase
from airflow_provider_alloincognito.landing.upkeep.number_match import NumberMatch
from airflow_provider_alloincognito.landing.upkeep.retention import delete_calls, delete_recordings
from airflow_provider_alloincognito.landing.upkeep.trail import Trail

pytestmark = [
    pytest.mark.system,
    pytest.mark.long,
    pytest.mark.stores,
    # Airflow 2.11's own way to join a path
    pytest.mark.filterwarnings("ignore:in a future version of UPath:PendingDeprecationWarning"),
]


@pytest.fixture
def fs(s3: S3) -> Iterator[Any]:
    try:
        from airflow.sdk.io.store import _STORE_CACHE, attach
    except ImportError:
        from airflow.io.store import _STORE_CACHE, attach
    fs = s3.file_system()
    _STORE_CACHE.clear()  # another test may have tried s3:// without a store
    attach("s3", fs=fs)
    yield fs
    _STORE_CACHE.clear()


@pytest.fixture
def layout(fs: Any, bucket: str) -> Layout:
    layout = Layout(f"s3://{bucket}/landed")
    for day in DAYS:
        land_day(layout, day, rows_of(day))
    land_day(layout, "2026-03-04", [row for row in rows_of("2026-03-04") if not is_erased(row)])
    return layout


def objects(fs: Any, bucket: str) -> dict[str, tuple[str, Any]]:
    """Return digest and time of change of every object."""
    fs.invalidate_cache()
    found = fs.find(bucket, detail=True)
    return {key.removeprefix(f"{bucket}/landed/"): (one["ETag"], one["LastModified"]) for key, one in found.items()}


def run(layout: Layout) -> list[Any]:
    return list(erase(layout, NumberMatch([ERASED]), FIELDS, record_file_id_field="recordFileId"))


def assert_erased(layout: Layout, fs: Any, bucket: str, before: dict[str, tuple[str, Any]]) -> None:
    after = objects(fs, bucket)
    gone = {f"recordings/date={d}/{r['recordFileId']}.mp3" for d in DAYS for r in rows_of(d) if is_erased(r)}
    assert set(after) == set(before) - gone
    rewritten = {name for name in after if after[name] != before[name]}
    assert rewritten == {f"calls/date={day}/calls.parquet" for day in DAYS} | {
        f"recordings/date={day}/manifest.jsonl" for day in DAYS
    }
    for day in DAYS:
        kept = [row["caller"] for row in rows_of(day) if not is_erased(row)]
        assert [row["caller"] for row in landed_rows(layout, day)] == kept
    contents = b"".join(fs.cat_file(f"{bucket}/landed/{name}") for name in after)
    assert not [form for form in FORMS if form.encode() in contents]
    assert not fs.list_multipart_uploads(bucket)


def test_erasure(layout: Layout, fs: Any, bucket: str) -> None:
    before = objects(fs, bucket)
    assert [(one.period, one.calls, one.recordings) for one in run(layout)] == [(day, 3, 3) for day in DAYS]
    assert_erased(layout, fs, bucket, before)
    trail = Trail(layout.calls("-").parent.parent.parent, "ticket")
    trail.add("files", DAYS[0], numbers=1, calls=3)
    trail.add("files", DAYS[0], numbers=1, calls=1)
    assert (trail.read() or {})["erased"] == {"files": {DAYS[0]: {"calls": 4}}}


KILLED = """
    import json, sys
    sys.path.insert(0, sys.argv[1])
    import s3fs
    from upkeep_files import FIELDS, Killer
    try:
        from airflow.sdk.io.store import attach
    except ImportError:
        from airflow.io.store import attach
    from airflow_provider_alloincognito.landing.layout import Layout
    from airflow_provider_alloincognito.landing.upkeep.erasure import erase
    from airflow_provider_alloincognito.landing.upkeep.number_match import NumberMatch
    fs = s3fs.S3FileSystem(**json.loads(sys.argv[4]))
    killer = Killer(int(sys.argv[3]))
    fs.rm_file, fs.pipe_file = killer(fs.rm_file), killer(fs.pipe_file)
    attach("s3", fs=fs)
    match = NumberMatch(["79161234567"])
    list(erase(Layout(sys.argv[2]), match, FIELDS, record_file_id_field="recordFileId"))
"""


def test_erasure_that_is_killed_and_run_again(layout: Layout, fs: Any, bucket: str, s3: S3) -> None:
    before = objects(fs, bucket)
    for step in (2, 4, 5):  # each run does what is left, so the steps begin anew
        arguments = [os.path.dirname(__file__), f"s3://{bucket}/landed", str(step), json.dumps(s3.options())]
        killed = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), *arguments], check=False)
        assert killed.returncode == -signal.SIGKILL
    run(layout)
    assert_erased(layout, fs, bucket, before)


def test_retention(layout: Layout, fs: Any, bucket: str) -> None:
    fs.pipe_file(f"{bucket}/landed/calls/date=2026-03-01/mine.txt", b"mine")
    before = objects(fs, bucket)
    recordings = delete_recordings(layout, date(2026, 3, 3))
    assert delete_calls(layout, date(2026, 3, 2)).files == 1
    gone = {name for name in before if name.startswith(("recordings/date=2026-03-01", "recordings/date=2026-03-02"))}
    assert recordings.files == len(gone)
    gone.add("calls/date=2026-03-01/calls.parquet")
    assert objects(fs, bucket) == {name: one for name, one in before.items() if name not in gone}
    assert delete_recordings(layout, date(2026, 3, 3)).files == 0
