"""Small .NET assemblies, written by ECMA-335 for tests and the simulated registry."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PUBLIC, INTERNAL, NESTED, FORWARDER = 0x1, 0x0, 0x2, 0x0020_0000
SECTION, TEXT = 0x2000, 0x200
"""The address of the only section in memory, and its offset in the file."""


@dataclass
class Heap:
    """The heap of strings."""

    content: bytes = b"\0"
    offsets: dict[str, int] = field(default_factory=lambda: {"": 0})

    def add(self, text: str) -> int:
        """The offset of a text."""
        if text not in self.offsets:
            self.offsets[text] = len(self.content)
            self.content += text.encode() + b"\0"
        return self.offsets[text]


def assembly(
    types: Sequence[tuple[int, str, str]] = (),
    exported: Sequence[tuple[int, str, str]] = (),
    *,
    wide: bool = False,
    streams: Sequence[tuple[bytes, bytes]] | None = None,
    rows: Mapping[int, int] | None = None,
) -> bytes:
    """An assembly.

    Args:
        types: flags, namespace and name of each type.
        exported: the same of types of other assemblies.
        wide: whether offsets into the heap of strings have four bytes.
        streams: others than the right ones.
        rows: numbers of rows that the header tells instead of the right ones, by table.
    """
    heap = Heap()
    text = "<L" if wide else "<H"
    tables = {
        0x00: [struct.pack("<H", 0) + struct.pack(text, heap.add("demo.dll")) + b"\0" * 6],
        0x02: [
            struct.pack("<L", flags)
            + struct.pack(text, heap.add(name))
            + struct.pack(text, heap.add(namespace))
            + struct.pack("<3H", 0, 1, 1)
            for flags, namespace, name in [(0, "", "<Module>"), *types]
        ],
        0x20: [b"\0" * 18 + struct.pack(text, heap.add("demo")) + struct.pack(text, 0)],
        0x27: [
            struct.pack("<2L", flags, 0)
            + struct.pack(text, heap.add(name))
            + struct.pack(text, heap.add(namespace))
            + struct.pack("<H", 0)
            for flags, namespace, name in exported
        ],
    }
    told = {number: len(table) for number, table in tables.items() if table} | dict(rows or {})
    data = struct.pack("<LBBBBQQ", 0, 2, 0, int(wide), 1, sum(1 << n for n in told), 0)
    data += b"".join(struct.pack("<L", told[number]) for number in sorted(told))
    data += b"".join(row for number in sorted(tables) for row in tables[number])
    return image(
        metadata([(b"#~", data), (b"#Strings", heap.content)] if streams is None else streams)
    )


def metadata(streams: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The root of the metadata with its streams."""
    names = [name + b"\0" * (4 - len(name) % 4) for name, _ in streams]
    place = 32 + sum(8 + len(name) for name in names)
    heads, contents = [], []
    for name, (_, content) in zip(names, streams, strict=True):
        heads.append(struct.pack("<2L", place, len(content)) + name)
        contents.append(content + b"\0" * (-len(content) % 4))
        place += len(contents[-1])
    root = b"BSJB" + struct.pack("<HHLL", 1, 1, 0, 12) + b"v4.0.30319\0\0"
    return root + struct.pack("<HH", 0, len(streams)) + b"".join(heads + contents)


def image(root: bytes, *, header: int = SECTION) -> bytes:
    """A PE file around metadata; ``header`` is the address of the CLI header, 0 for native code."""
    section = struct.pack("<LHH2L", 72, 2, 5, SECTION + 72, len(root)).ljust(72, b"\0") + root
    optional = bytearray(224)
    struct.pack_into("<H", optional, 0, 0x10B)
    struct.pack_into("<3L", optional, 28, 0x400000, 0x2000, 0x200)
    struct.pack_into("<2L", optional, 56, SECTION + len(section) + 0x2000, TEXT)
    struct.pack_into("<L", optional, 92, 16)
    struct.pack_into("<2L", optional, 96 + 14 * 8, header, 72 if header else 0)
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<L", 0x80)
    head = head.ljust(0x80, b"\0") + b"PE\0\0"
    head += struct.pack("<HHLLLHH", 0x14C, 1, 0, 0, 0, len(optional), 0x2102) + bytes(optional)
    head += b".text\0\0\0" + struct.pack("<4L", len(section), SECTION, len(section), TEXT)
    return (head + b"\0" * 16).ljust(TEXT, b"\0") + section
