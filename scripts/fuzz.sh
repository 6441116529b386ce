#!/usr/bin/env bash
# Runs each fuzz target of a build for a while; what it finds to be new stays in the build folder.
#   scripts/fuzz.sh BUILD_FOLDER SECONDS_EACH
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:?build folder} seconds=${2:?seconds for each target}

for target in "$build"/tests/fuzz/fuzz_*; do
    name=${target##*/fuzz_}
    found=$build/tests/fuzz/corpus/$name
    seeds=()
    if [ -d "tests/fuzz/corpus/$name" ]; then seeds=("tests/fuzz/corpus/$name"); fi
    mkdir -p "$found"
    echo "$name: $seconds seconds"
    "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$build/tests/fuzz/$name-" "$found" ${seeds[@]+"${seeds[@]}"}
done
