#!/bin/sh
# Request a package by the command line, wait for it, and print the number of its versions.
#
#     sh by_command.sh pkg:npm/express
#
# Exits with 1 if the package could not be extracted.
set -eu
ssc-ingest extract "$1" --dependencies none --wait --json >/dev/null
ssc-ingest show "$1" --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["versions"]), "versions")'
