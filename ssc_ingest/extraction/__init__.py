"""The extraction of one package: from the delivery of its task to its recorded outcome."""
