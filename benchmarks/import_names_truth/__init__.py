"""Import names against an independent judge, live: one module per ecosystem.

``python -m benchmarks.import_names_truth ECOSYSTEM`` prints the table of that ecosystem in
docs/import-names.md. Each module has a function ``judge() -> AsyncIterator[Judged]``.
"""
