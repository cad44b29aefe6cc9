"""``up`` keeps the lines of its processes, and ``ssc-ingest logs`` shows them."""

import io
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from ssc_ingest.cli.program import program
from ssc_ingest.cli.up import log_files
from ssc_ingest.cli.up.log_files import LogReader, LogWriter
from ssc_ingest.cli.up.logs import ChildLogs


def logs(data_dir: Path, *arguments: str) -> Result:
    """The output of the command."""
    runner = CliRunner(env={"DATA_DIR": str(data_dir)})
    return runner.invoke(program, ["logs", *arguments])


def line(second: int, text: str) -> str:
    """A line of our log."""
    return f"2026-01-01T00:00:{second:02}.5Z [info     ] {text}"


def test_all_logs_in_the_order_of_time(tmp_path: Path) -> None:
    """What is not shown on the terminal is kept; a line without a time follows its line."""
    stream = io.StringIO()
    kept = ChildLogs(Console(file=stream), keep_in=tmp_path)
    worker, beat = kept.of("worker"), kept.of("beat")
    worker(line(1, "first"))
    worker(line(4, "fourth"))
    worker("Traceback")
    beat(line(2, "second"))
    beat('{"event": "third", "timestamp": "2026-01-01T00:00:03Z", "level": "info"}')
    kept.close()
    assert stream.getvalue() == ""
    shown = logs(tmp_path).stdout.splitlines()
    assert [each.split()[0] for each in shown] == ["worker", "beat", "beat", "worker", "worker"]
    for text, each in zip(["first", "second", "third", "fourth", "Traceback"], shown, strict=True):
        assert text in each
    assert logs(tmp_path, "-n", "1").stdout.split() == ["worker", "Traceback"]
    assert "second" not in logs(tmp_path, "worker").stdout
    assert logs(tmp_path, "-n", "0").stdout == ""


def test_no_logs(tmp_path: Path) -> None:
    """The message has the absolute folder, and what writes there."""
    done = logs(tmp_path)
    assert done.exit_code == 1
    assert f"there are no logs in {tmp_path / 'logs'}: `ssc-ingest up` writes them" in done.stderr


def test_an_unknown_name(tmp_path: Path) -> None:
    """The message has the names that exist."""
    with closing(LogWriter(tmp_path, "beat")) as writer:
        writer.write("here")
    done = logs(tmp_path, "nobody")
    assert done.exit_code == 1
    assert "there is no log 'nobody'" in done.stderr
    assert "there are beat" in done.stderr


def test_following_through_rotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is read once, although its file was renamed in between."""
    monkeypatch.setattr(log_files, "FILE_SIZE", 120)
    found: list[str] = []
    with (
        closing(LogWriter(tmp_path, "worker")) as writer,
        closing(LogReader(tmp_path, "worker")) as reader,
    ):
        assert reader.last(10) == []
        for number in range(40):
            writer.write(f"{number:020}")
            found += reader.appended()
    assert [int(each) for each in found] == list(range(40))


def test_the_last_lines_reach_into_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was just rotated is nearly empty."""
    monkeypatch.setattr(log_files, "FILE_SIZE", 120)
    with (
        closing(LogWriter(tmp_path, "worker")) as writer,
        closing(LogReader(tmp_path, "worker")) as reader,
    ):
        for number in range(40):
            writer.write(f"{number:020}")
        assert [int(each) for each in reader.last(6)] == list(range(34, 40))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The fleet starts nevertheless; a line says that the log is not kept."""
    (tmp_path / "logs").write_text("a file")
    stream = io.StringIO()
    show = ChildLogs(Console(file=stream, width=300), keep_in=tmp_path).of("beat")
    show("2026-01-01T00:00:00Z [error    ] broken")
    assert "the log of beat is not kept" in stream.getvalue()
    assert "broken" in stream.getvalue()
