"""npm's aliases: ``npm:real@range`` instead of a range.

https://docs.npmjs.com/cli/configuring-npm/package-json#dependencies
"""

from ssc_ingest.ecosystems.npm.ranges import parse_range

PREFIX = "npm:"


def resolve_alias(name: str, text: str) -> tuple[str, str]:
    """``npm:real@range`` names another package, ``npm:range`` (Yarn's) the same.

    Args:
        name: of the requirement.
        text: its range, or an alias.

    Returns:
        The name and the range of the real package.
    """
    text = text.strip()
    if text[: len(PREFIX)].lower() != PREFIX:
        return name, text
    target = text[len(PREFIX) :]
    real, _, range_ = target[1:].partition("@")
    if not target.startswith("@") and parse_range(target) is not None:
        return name, target
    return target[:1] + real, range_
