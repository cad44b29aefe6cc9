"""Words for names."""

from zlib import crc32

ADJECTIVES = (
    "amber",
    "brisk",
    "calm",
    "dusty",
    "eager",
    "fuzzy",
    "gentle",
    "hollow",
    "icy",
    "jolly",
    "keen",
    "lunar",
    "mellow",
    "noble",
    "opal",
    "proud",
    "quiet",
    "rapid",
    "solar",
    "tidy",
    "urban",
    "vivid",
    "witty",
    "young",
    "zesty",
    "bold",
    "crisp",
    "dapper",
    "early",
    "fancy",
    "grand",
    "humble",
)
NOUNS = (
    "falcon",
    "otter",
    "parser",
    "router",
    "socket",
    "widget",
    "anchor",
    "beacon",
    "canvas",
    "dynamo",
    "engine",
    "filter",
    "garnet",
    "harbor",
    "iris",
    "jigsaw",
    "kernel",
    "lantern",
    "magnet",
    "nimbus",
    "oracle",
    "pixel",
    "quartz",
    "relay",
    "signal",
    "timber",
    "umbra",
    "vector",
    "walrus",
    "yarn",
    "zephyr",
    "comet",
)
OWNERS = ("acme", "Globex", "initech", "umbrella", "Hooli", "stark-labs", "wayne", "tyrell")


def words(seed: int, salt: str, index: int) -> tuple[str, str, int]:
    """Two words for a package's name, and a number for further choices."""
    mixed = crc32(f"{seed}/{salt}/{index}".encode())
    return ADJECTIVES[mixed % 32], NOUNS[mixed // 32 % 32], mixed // 1024
