"""The arguments of public tasks."""

import pytest

from ssc_ingest.errors import InvalidArguments
from ssc_ingest.work.arguments import (
    Arguments,
    AttributePackages,
    ExtractPackage,
    IngestRegistry,
    SyncVulnerabilities,
)


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        (ExtractPackage, "ecosystem=..., name=..."),
        (AttributePackages, "ecosystem=..., names=..."),
        (IngestRegistry, "ecosystem=..."),
        (SyncVulnerabilities, "ecosystem=..., full=..."),
    ],
)
def test_positional_arguments_are_refused_with_the_keywords(
    arguments: type[Arguments], keywords: str
) -> None:
    """The error names the keywords that a call needs, or all if it needs none."""
    with pytest.raises(InvalidArguments, match=f"the arguments are keywords: {keywords}$"):
        arguments.parse({"args": ["pypi", "rich"]})
