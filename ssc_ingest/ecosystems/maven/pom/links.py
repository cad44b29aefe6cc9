"""The addresses of the source code in a POM (https://maven.apache.org/pom.html#SCM)."""

import re
from collections.abc import Iterator

from ssc_ingest.ecosystems.maven.pom.effective import EffectivePom

# scm:git:git://host/o/r.git, scm:git|git@host:o/r.git; https://maven.apache.org/scm/scm-url-format.html
_SCM = re.compile(r"scm:\w+[:|]", re.IGNORECASE)


def repository_candidates(pom: EffectivePom) -> Iterator[str]:
    """Addresses of the repository, best first.

    POMs inherit addresses, but a common parent of an organisation has its own. So only parents with
    the POM's version count: they were released with it.
    """
    lineage = pom.released_together
    for name in ("scm.url", "scm.connection", "scm.developerConnection", "url"):
        for relative in lineage:
            if name in relative.values:
                yield _SCM.sub("", pom.interpolate(relative.values[name]), count=1)
                break
