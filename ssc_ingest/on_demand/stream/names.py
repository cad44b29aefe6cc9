"""The names of the streams, which may have hyphen or underscore, and of the field of an entry."""

DATA = "data"
"""The field with the message."""


def stream_names(name: str) -> list[str]:
    """The configured name, then the same name with the other separator.

    ``package-extraction`` has the twin ``package_extraction``, and the reverse.
    """
    spellings = (name, name.replace("_", "-"), name.replace("-", "_"))
    return list(dict.fromkeys(spellings))
