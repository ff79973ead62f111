"""A real S3 (SeaweedFS), started for the tests that use it."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.ports import free_port

ACCESS_KEY, SECRET_KEY = "landing", "landing-secret-key"
PORTS = [f"{server}.port{kind}" for server in ("s3", "master", "volume", "filer", "admin") for kind in ("", ".grpc")]


@dataclass(frozen=True)
class S3:
    """A running S3 server, and what s3fs needs to reach it."""

    port: int

    def options(self, secret_key: str = SECRET_KEY) -> dict[str, Any]:
        return {
            "key": ACCESS_KEY,
            "secret": secret_key,
            "client_kwargs": {"endpoint_url": f"http://127.0.0.1:{self.port}", "region_name": "us-east-1"},
            "config_kwargs": {"retries": {"max_attempts": 1}},
            "skip_instance_cache": True,
        }

    def file_system(self, secret_key: str = SECRET_KEY) -> Any:
        import s3fs

        return s3fs.S3FileSystem(**self.options(secret_key))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    folder = tmp_path_factory.mktemp("seaweedfs")
    for _ in range(3):  # a port may be taken between its choice and its use
        ports = {name: free_port() for name in PORTS}
        server = _start(folder, ports)
        try:
            if _is_ready(server, ports["s3.port"]):
                yield S3(ports["s3.port"])
                return
        finally:
            server.kill()
            server.wait()
    raise RuntimeError("SeaweedFS did not start:\n" + (folder / "log").read_text()[-3000:])


@pytest.fixture
def bucket(s3: S3, bucket_name: Callable[[], str]) -> str:
    name = bucket_name()
    s3.file_system().mkdir(name)
    return name


@pytest.fixture(scope="session")
def bucket_name() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"bucket-{next(numbers)}"


def _start(folder: Path, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "ids.json").write_text(json.dumps({"identities": [identity]}))
    data = folder / f"data-{ports['s3.port']}"
    data.mkdir()
    weed = Path(sys.executable).with_name("weed")
    command = [str(weed) if weed.exists() else shutil.which("weed") or "weed", "mini", f"-dir={data}"]
    command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-webdav=false", "-admin.ui=false"]
    command += [f"-s3.config={folder / 'ids.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    command += [f"-{option}={port}" for option, port in ports.items()]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)


def _is_ready(server: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=2):
                return True
        except OSError:
            time.sleep(0.1)
    return False
