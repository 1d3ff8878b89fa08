"""A PostgreSQL server for tests, from Debian's packages: on loopback, on a free port, with its own folder."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PASSWORD = "correct horse"
PATIENCE = 60  # seconds for a server to start or stop, on a busy machine


class Postgres:
    """Starts in `with`, and is gone after it, its files too. The server refuses root, so root runs it as nobody."""

    def __enter__(self):
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        assert programs, "there is no PostgreSQL server: apt-get install postgresql"
        self.programs = programs[-1].parent
        self.folder = Path(tempfile.mkdtemp(prefix="course-postgres-", dir="/tmp"))  # where nobody may go, too
        self.process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        try:
            (self.folder / "password").write_text(PASSWORD)
            self.who = {}
            if os.geteuid() == 0:
                self.who = {"user": 65534, "group": 65534, "extra_groups": []}
                for path in (self.folder, self.folder / "password"):
                    os.chown(path, 65534, 65534)
            options = ("--username=grader", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
            pwfile = f"--pwfile={self.folder / 'password'}"
            self.run("initdb", "-D", self.folder / "data", *options, pwfile)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.stop(signal.SIGINT)
        shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        return f"postgresql://grader:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/postgres"

    def run(self, program, *args):
        done = subprocess.run(
            [self.programs / program, *args],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            **self.who,
        )
        assert done.returncode == 0, done.stderr

    def start(self):
        """Start it and wait until it answers; after a kill −9 it may have to wait for the dead server's children."""
        end = time.monotonic() + PATIENCE
        command = [self.programs / "postgres", "-D", self.folder / "data", "-h", "127.0.0.1", "-p", str(self.port)]
        while True:
            if self.process is None or self.process.poll() is not None:
                with open(self.folder / "log", "ab") as log:
                    self.process = subprocess.Popen(
                        [*command, "-k", ""], cwd=self.folder, stdout=log, stderr=log, **self.who
                    )
            ready = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
            if subprocess.run(ready).returncode == 0 and self.process.poll() is None:
                return
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self.process = None
