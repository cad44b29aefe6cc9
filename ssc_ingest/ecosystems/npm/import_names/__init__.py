"""The import names of one version of a package: the specifiers of ``require`` and ``import``.

A package with ``exports`` has the names in it, and no others (:mod:`.exports`). If none of them is
a pattern, the package's own document is enough. Otherwise the names are those of the files in its
archive (:mod:`.files`), which is listed as it arrives (:mod:`.archive`). Packages of types
(``@types/...``) have the names of the packages that they describe, and of the modules that they
declare (:mod:`.types`).

https://nodejs.org/api/packages.html, https://nodejs.org/api/modules.html
"""

from ssc_ingest.ecosystems.npm.import_names.manifest import names_without_download
from ssc_ingest.ecosystems.npm.import_names.version import VersionNames

__all__ = ["VersionNames", "names_without_download"]
