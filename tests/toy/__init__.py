"""A fictitious seventh ecosystem: its module (:mod:`.toy`) and its registry (:mod:`.registry`)."""
