"""JupyterLab and Voila as subprocesses: fresh settings, a free port, no token, no network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 120

_LAB = (
    "-m", "jupyterlab", "--no-browser", "--allow-root", "--IdentityProvider.token=", "--ServerApp.password=",
    "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)  # fmt: skip
_VOILA = ("-m", "voila", "--no-browser", "--Voila.ip=127.0.0.1")


@contextmanager
def serve_lab(folder: Path, state: Path) -> Iterator[str]:
    """Serve ``folder`` in JupyterLab and yield its address; everything it remembers goes below ``state``."""
    port = _free_port()
    command = [*_LAB, f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
    with _process(command, f"http://127.0.0.1:{port}/api/status", state) as _:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def serve_voila(notebook: Path, state: Path) -> Iterator[str]:
    """Serve one notebook as a Voila page and yield its address."""
    port = _free_port()
    command = [*_VOILA, str(notebook), f"--port={port}"]
    with _process(command, f"http://127.0.0.1:{port}/voila/static/voila.js", state) as _:
        yield f"http://127.0.0.1:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def _process(arguments: list[str], answers_at: str, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    state.mkdir(parents=True, exist_ok=True)
    # Without this, a question about news covers a corner of each page.
    quiet = state / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True, exist_ok=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    log = state / "server.log"
    environment = {
        **os.environ,
        "XMLWB_FAST": "1",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        "JUPYTER_CONFIG_DIR": str(state / "config"),
        "JUPYTER_DATA_DIR": str(state / "data"),
        "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(state / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(state / "workspaces"),
        "IPYTHONDIR": str(state / "ipython"),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=state
        )
        try:
            _await_answer(process, answers_at, log)
            yield process
        finally:
            # A server that is asked to end shuts its kernels down with it.
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_answer(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except urllib.error.HTTPError:
            return  # it answers, if only to say that there is no such page
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the server at {address} did not come up; its log ends:\n{log.read_text()[-2000:]}")
