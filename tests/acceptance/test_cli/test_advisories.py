"""``vulnerabilities sync``, ``show``, ``status``, ``import-cwes``, and other commands' output."""

import json
import os
import signal
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from ssc_ingest.resources import State
from ssc_ingest.vulnerabilities.requests import LOCK
from tests.acceptance.fleet import LONG_ENOUGH
from tests.acceptance.test_cli.running import NOWHERE, PROGRAM, Run

EXAMPLE = "pkg:pypi/example"

RECORD = {
    "id": "PYSEC-2026-1",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [{"package": {"ecosystem": "PyPI", "name": "another"}, "versions": ["1"]}],
}

pytestmark = pytest.mark.usefixtures("clean_redis", "store")


def test_advisories_from_a_local_copy(run: Run, advisories: Path) -> None:
    """The records are synced, shown and counted; a second sync finds no changes."""
    done = run("vulnerabilities", "sync", "pypi", "--from", str(advisories))
    assert done.returncode == 0, done.stderr
    assert "2,074 records compared, 2,074 new" in done.stderr
    assert "unchanged" in run("vulnerabilities", "sync", "pypi", "--from", str(advisories)).stderr

    shown = run("vulnerabilities", "show", "PYSEC-2021-114").stdout
    assert "PyPI: wagtail" in shown
    assert "introduced 2.11, fixed 2.11.7" in shown
    document = json.loads(run("vulnerabilities", "show", "PYSEC-2021-114", "--json").stdout)
    assert document["advisory"]["id"] == "PYSEC-2021-114"
    assert document["known"]["packages"] == ["PyPI:wagtail"]
    missing = run("vulnerabilities", "show", "PYSEC-0")
    assert missing.returncode == 1
    assert "synced are: pypi" in missing.stderr

    status = run("vulnerabilities", "status")
    assert status.returncode == 0
    assert status.stdout.count("not synced") == 5
    assert "PYSEC-2019-125" in status.stdout
    assert "2019-09-12" in status.stdout
    states = json.loads(run("vulnerabilities", "status", "--json").stdout)["syncs"]
    assert {state["ecosystem"]: state["counts"]["records"] for state in states}["pypi"] == 2074


def test_what_the_copy_lacks_is_no_failure(run: Run, advisories: Path, tmp_path: Path) -> None:
    """A missing ecosystem is no failure, and stays *not synced*."""
    (tmp_path / "crates.io").symlink_to(advisories / "crates.io")
    done = run("vulnerabilities", "sync", "--from", str(tmp_path), "--json")
    assert done.returncode == 0
    reports = {report["ecosystem"]: report for report in json.loads(done.stdout)}
    assert reports["npm"]["absent"]
    assert reports["cargo"]["new"] == 773
    assert (
        json.loads(run("vulnerabilities", "status", "--json").stdout)["syncs"][1]["synced_at"]
        is None
    )


def test_a_damaged_copy_is_a_failure(run: Run, tmp_path: Path) -> None:
    """The exit code is 1, and the status shows the reason."""
    (tmp_path / "PyPI").mkdir()
    (tmp_path / "PyPI" / "all.zip").write_bytes(b"PK\3\4 and then nothing")
    done = run("vulnerabilities", "sync", "pypi", "--from", str(tmp_path))
    assert done.returncode == 1
    assert "damaged" in done.stderr
    status = run("vulnerabilities", "status")
    assert status.returncode == 1
    assert "failed" in status.stdout
    assert "damaged" in run("check", "--offline").stdout


async def test_one_sync_at_a_time(run: Run, state: State, tmp_path: Path) -> None:
    """The command reports that a worker is syncing."""
    await state.redis.set(LOCK, "another", ex=60)
    done = run("vulnerabilities", "sync", "--from", str(tmp_path))
    assert done.returncode == 1
    assert "in progress" in done.stderr


@pytest.mark.parametrize(
    ("shell", "ends", "code"),
    [
        ("exec", signal.SIGINT, 130),
        ("exec", signal.SIGTERM, -signal.SIGTERM),
        ("exec", signal.SIGHUP, -signal.SIGHUP),
        ("trap '' INT; exec", signal.SIGTERM, -signal.SIGTERM),  # in a script's background
    ],
)
async def test_a_source_that_is_away(
    environment: dict[str, str],
    state: State,
    hangups: list[int],
    *,
    shell: str,
    ends: signal.Signals,
    code: int,
) -> None:
    """The command says why it waits, once; a signal ends it, and it gives back its lease."""
    with subprocess.Popen(  # noqa: ASYNC220 - the test waits for it
        ["sh", "-c", f'{shell} "$@"', "sh", PROGRAM, "vulnerabilities", "sync", "pypi"],
        env={**environment, "OSV_URL": f"http://{NOWHERE}"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == f"pypi waits: {NOWHERE} refuses connections\n"
        assert await state.redis.exists(LOCK)
        process.send_signal(ends)
        assert process.wait(LONG_ENOUGH) == code
    assert not await state.redis.exists(LOCK)


async def test_a_closed_terminal(
    environment: dict[str, str], state: State, hangups: list[int]
) -> None:
    """The command ends in order, although it can print no more."""
    terminal, inside = os.openpty()
    with subprocess.Popen(  # noqa: ASYNC220 - the test waits for it
        [
            *("sh", "-c", 'exec "$@" <>"$0" >&0 2>&0', os.ttyname(inside)),
            *(PROGRAM, "vulnerabilities", "sync", "pypi"),
        ],
        env={**environment, "OSV_URL": f"http://{NOWHERE}"},
        start_new_session=True,  # the first terminal that it opens is its own
    ) as process:
        shown = b""
        while b"refuses connections" not in shown:
            shown += os.read(terminal, 4096)
        assert await state.redis.exists(LOCK)
        os.close(inside)
        os.close(terminal)
        assert process.wait(LONG_ENOUGH) == -signal.SIGHUP
    assert not await state.redis.exists(LOCK)


def test_nothing_is_called_free_of_vulnerabilities_before_a_sync(
    run: Run, graph: None, tmp_path: Path
) -> None:
    """``show``, ``status`` and ``check`` print *not synced* before a sync, and its age after it."""
    assert "not synced" in run("show", EXAMPLE).stdout
    assert "not synced" in run("status").stdout
    assert "not synced: pypi, npm" in run("check", "--offline").stdout
    (tmp_path / "PyPI").mkdir()
    with ZipFile(tmp_path / "PyPI" / "all.zip", "w") as records:
        records.writestr("PYSEC-2026-1.json", json.dumps(RECORD))
    run("vulnerabilities", "sync", "pypi", "--from", str(tmp_path))
    shown = run("show", EXAMPLE).stdout
    assert "synced" in shown
    assert "not synced" not in shown
    assert json.loads(run("show", EXAMPLE, "--json").stdout)["vulnerabilities_synced_at"]
    assert "not synced: npm" in run("check", "--offline").stdout
    states = json.loads(run("status", "--json").stdout)["advisories"]
    assert [state["ecosystem"] for state in states if state["synced_at"]] == ["pypi"]
    assert "unknown" in run("show", EXAMPLE, VULN_DB_URI="mongodb://127.0.0.1:9").stdout


def test_the_catalogue_of_weaknesses(run: Run, tmp_path: Path) -> None:
    """MITRE's file is imported; another file is refused."""
    path = tmp_path / "cwec.xml"
    path.write_text(
        '<Weakness_Catalog><Weaknesses><Weakness ID="79" Abstraction="Base">'
        "<Description>x</Description></Weakness></Weaknesses></Weakness_Catalog>"
    )
    assert "1 weaknesses" in run("vulnerabilities", "import-cwes", str(path)).stdout
    path.write_text("<html/>")
    assert run("vulnerabilities", "import-cwes", str(path)).returncode == 1
    assert run("vulnerabilities", "import-cwes", str(tmp_path / "missing")).returncode == 1
