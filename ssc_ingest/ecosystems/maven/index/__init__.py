"""The reader of Maven Central's index: the names of all packages, and changed packages.

Bytes become documents (:mod:`.gunzip`, :mod:`.documents`), documents become records
(:mod:`.records`), and records become sorted lines on disk (:mod:`.sorted_lines`), in memory that
does not depend on the index's size. These modules use only the standard library, because they also
run as a command (:mod:`.__main__`) in the image of ``maven/index_container.py``.
"""
