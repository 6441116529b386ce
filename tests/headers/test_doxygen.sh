#!/usr/bin/env bash
# Doxygen reads the public headers without a warning.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$ICL_SOURCE"

{
    cat docs/Doxyfile
    printf '%s\n' "OUTPUT_DIRECTORY = $scratch" "WARN_LOGFILE = $scratch/warnings"
} >"$scratch/Doxyfile"
doxygen "$scratch/Doxyfile" >"$scratch/log"
if [ -s "$scratch/warnings" ]; then
    cat "$scratch/warnings"
    exit 1
fi
[ -f "$scratch/html/index.html" ]
