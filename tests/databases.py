"""Both databases for the tests of `store` and `catalogue`: SQLite in a file, PostgreSQL really started."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

import pancommons.catalogue.ledger
import pancommons.catalogue.parts
import pancommons.catalogue.people
import pancommons.catalogue.tables
import pancommons.runs.tables  # noqa: F401  the migrated tables, declared
from pancommons.store.engine import Database, open_database
from pancommons.store.migrate import upgrade

_QUICK = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c listen_addresses= -c max_connections=60"


@dataclass
class Cluster:
    """A running PostgreSQL cluster that listens on a socket only."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def new(self, template: str = "template0") -> str:
        """Make a database and return its URL."""
        name = f"t{next(self._numbers)}"
        self._sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database."""
        self._sql(f"DROP DATABASE {url.split('/')[3].split('?')[0]} WITH (FORCE)")

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def _sql(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())


def _binary(name: str) -> str | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
    return shutil.which(name, path=os.pathsep.join([*map(str, reversed(folders)), os.environ.get("PATH", "")]))


def start(more: str = "") -> Cluster | str:
    """Start a cluster, with more options of the server than those that make it quick; a sentence says why not."""
    initdb, control = _binary("initdb"), _binary("pg_ctl")
    if initdb is None or control is None:
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    folder = Path(tempfile.mkdtemp(prefix="pan-pg-", dir="/tmp"))
    user = None
    if os.geteuid() == 0:
        known = {entry.pw_name for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in known else "nobody"
        shutil.chown(folder, user)
    data = str(folder / "data")
    for command in (
        [initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
        [control, "-D", data, "-w", "-l", str(folder / "log"), "-o", f"-k {folder} {_QUICK} {more}", "start"],
    ):
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"PostgreSQL does not start: {done.stderr.strip()}"
    return Cluster(folder)


def stop(cluster: Cluster) -> None:
    """End a cluster and remove its folder."""
    control = str(_binary("pg_ctl"))
    user = cluster.folder.owner() if os.geteuid() == 0 else None
    command = [control, "-D", str(cluster.folder / "data"), "-m", "immediate", "stop"]
    subprocess.run(command, user=user, cwd=cluster.folder, capture_output=True, check=False)
    shutil.rmtree(cluster.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """Give a cluster for the whole session; skip where there is none, but fail in CI."""
    started = start()
    if isinstance(started, str):
        if os.environ.get("CI") == "true":
            pytest.fail(started)
        pytest.skip(started)
    yield started
    stop(started)


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a SQLite file with all tables and nothing in them."""
    file = tmp_path_factory.mktemp("sqlite") / "empty.db"
    database = open_database(f"sqlite:///{file}")
    upgrade(database)
    database.close()
    return file


@pytest.fixture(scope="session")
def empty_postgresql(postgresql: Cluster) -> str:
    """Give the name of a PostgreSQL database with all tables and nothing in them."""
    url = postgresql.new()
    database = open_database(url)
    upgrade(database)
    database.close()
    return url.split("/")[3].split("?")[0]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Give a function that makes another database with all tables, on one kind of server after the other."""
    opened: list[Database] = []
    urls: list[str] = []

    def make() -> Database:
        if request.param == "sqlite":
            file = tmp_path / f"catalogue-{len(opened)}.db"
            shutil.copy(request.getfixturevalue("empty_sqlite"), file)
            url = f"sqlite:///{file}"
        else:
            url = request.getfixturevalue("postgresql").new(request.getfixturevalue("empty_postgresql"))
            urls.append(url)
        opened.append(open_database(url))
        return opened[-1]

    yield make
    for database in opened:
        database.close()
    for url in urls:
        request.getfixturevalue("postgresql").drop(url)


@pytest.fixture
def database(new_database: Callable[[], Database]) -> Database:
    """Give a database with all tables and nothing in them: the test runs on SQLite and on PostgreSQL."""
    return new_database()
