"""`python -m rollbook.entrypoints.server HOST PORT WORKERS THREADS JOBS_PID`: granian, and nothing of Django in this
process: each worker sets it up for itself, as the web role. When the server ends, the job worker beside it ends too."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server


def main(host: str, port: str, workers: str, threads: str, jobs_pid: str) -> None:
    """Serve until stopped."""
    try:
        Server(
            "rollbook.entrypoints.wsgi:application", address=host, port=int(port), interface=Interfaces.WSGI,
            workers=int(workers), blocking_threads=int(threads), backlog=1024, log_access=False,
            log_level=LogLevels.warning, respawn_failed_workers=True,
        ).serve()  # fmt: skip
    finally:
        if int(jobs_pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(jobs_pid), signal.SIGTERM)


if __name__ == "__main__":
    main(*sys.argv[1:])
