"""Reading Maven Central's index: what all packages are called, and which have changed.

From the bytes (:mod:`.gunzip`, :mod:`.documents`) over what a record means (:mod:`.records`) to
sorted lines on disk (:mod:`.sorted_lines`), in memory that does not depend on the index's size.
All of these need the standard library only: they are also what runs in the image of
:mod:`.container`, as a command (:mod:`.__main__`).
"""
