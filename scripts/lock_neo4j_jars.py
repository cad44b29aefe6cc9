"""Write the lock of the Neo4j server's jars: ``ssc_ingest/embedded/neo4j.lock``.

Maven (``mvn`` on the PATH) resolves the newest patch of the line below and of APOC core with
their run-time dependencies; each jar is then hashed. Run it to take a newer patch, look at the
difference, run the tests, commit.

    python scripts/lock_neo4j_jars.py
"""

import hashlib
import re
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath

import httpx

LINE = "5.26"  # the long-term support line of Neo4j 5
CENTRAL = "https://repo1.maven.org/maven2"
LOCK = Path(__file__).parent.parent / "ssc_ingest" / "embedded" / "neo4j.lock"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lock</groupId><artifactId>lock</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>{neo4j}</version>
    </dependency>
    <!-- the shaded jar, complete in itself: its dependencies would come a second time -->
    <dependency>
      <groupId>org.neo4j.procedure</groupId><artifactId>apoc-core</artifactId>
      <version>{apoc}</version><classifier>core</classifier>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>
  </dependencies>
</project>
"""

HEADER = """\
# Neo4j {neo4j} with APOC core {apoc}: the jars of the embedded graph server.
# Written by scripts/lock_neo4j_jars.py; do not edit.
# SHA-256, size in bytes, group:artifact:version[:classifier]
"""


def newest_patch(artifact: str, suffix: str) -> str:
    """The newest patch of the line whose jar ``<artifact>-<version><suffix>`` was published.

    Not every patch of APOC comes with its shaded jar (classifier ``core``), so the jar is asked
    for, newest first. ``artifact`` is the path of group and artifact.
    """
    with httpx.Client(base_url=CENTRAL, verify=ssl.create_default_context()) as client:
        metadata = client.get(f"/{artifact}/maven-metadata.xml").raise_for_status().text
        patches = re.findall(rf"<version>{re.escape(LINE)}\.(\d+)</version>", metadata)
        for patch in sorted(map(int, patches), reverse=True):
            version = f"{LINE}.{patch}"
            jar = f"/{artifact}/{version}/{artifact.rpartition('/')[2]}-{version}{suffix}"
            if client.head(jar).is_success:
                return version
    raise LookupError(f"no {LINE} of {artifact} has a jar named *{suffix}")


def coordinate(path: PurePosixPath) -> str:
    """``org/neo4j/neo4j/5.26.0/neo4j-5.26.0.jar`` -> ``org.neo4j:neo4j:5.26.0``."""
    *group, artifact, version = path.parent.parts
    classifier = path.name.removeprefix(f"{artifact}-{version}").removesuffix(".jar")
    return ":".join([".".join(group), artifact, version, *filter(None, [classifier[1:]])])


def resolve(pom: str) -> list[str]:
    """Let Maven fetch the run-time class path; one line of the lock for each jar."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "pom.xml").write_text(pom)
        jars = project / "jars"
        subprocess.run(
            [
                *("mvn", "-q", "-B", "-f", str(project / "pom.xml")),
                f"{PLUGIN}:copy-dependencies",
                *("-DincludeScope=runtime", "-Dmdep.useRepositoryLayout=true"),
                f"-DoutputDirectory={jars}",
            ],
            check=True,
        )
        lines = []
        for jar in jars.rglob("*.jar"):
            content = jar.read_bytes()
            name = coordinate(PurePosixPath(jar.relative_to(jars).as_posix()))
            lines.append((name, f"{hashlib.sha256(content).hexdigest()} {len(content)} {name}"))
    return [line for _, line in sorted(lines)]


def main() -> int:
    """Write the lock and say what is in it."""
    versions = {
        "neo4j": newest_patch("org/neo4j/neo4j", ".jar"),
        "apoc": newest_patch("org/neo4j/procedure/apoc-core", "-core.jar"),
    }
    lines = resolve(POM.format(**versions))
    LOCK.write_text(HEADER.format(**versions) + "\n".join(lines) + "\n")
    size = sum(int(line.split()[1]) for line in lines)
    print(f"{LOCK.name}: Neo4j {versions['neo4j']}, {len(lines)} jars, {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
