r"""The import names of one release of a project.

One request reads the project's page. Then files of the release are read in parts, the first
readable of these:

1. a pure wheel and the best wheel for a platform: both, because one may have modules that the
   other lacks (``google._upb`` of protobuf); :mod:`.wheel`;
2. the source distribution, from its start; :mod:`.sdist`;
3. an egg.

A wheel for a platform is the one that the newest CPython on Linux would install, if there is one.

Names are those of all packages and modules, at any depth (:mod:`.modules`). Readers search for
``(from|import) NAME\b``, so a top-level name covers all below it; the deeper names are for
searches, and are the first that a limit leaves out.
"""

from ssc_ingest.ecosystems.pypi.import_names.release import ReleaseNames

__all__ = ["ReleaseNames"]
