"""The addresses of the source that a POM gives (https://maven.apache.org/pom.html#SCM)."""

import re
from collections.abc import Iterator

from ssc_ingest.ecosystems.maven.pom.effective import EffectivePom

# scm:git:git://host/o/r.git, scm:git|git@host:o/r.git; https://maven.apache.org/scm/scm-url-format.html
_SCM = re.compile(r"scm:\w+[:|]", re.IGNORECASE)


def repository_candidates(pom: EffectivePom) -> Iterator[str]:
    """Addresses of the repository, the best first.

    A POM inherits these, but an organisation's common parent would pass on its own address. So
    only parents with the POM's version count: they were released together with it.
    """
    lineage = pom.released_together
    for name in ("scm.url", "scm.connection", "scm.developerConnection", "url"):
        for relative in lineage:
            if name in relative.values:
                yield _SCM.sub("", pom.interpolate(relative.values[name]), count=1)
                break
