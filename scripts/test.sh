#!/usr/bin/env bash
# Every test: the release build (gcc) as it is installed and used, the threads under the thread
# sanitizer, then everything under address and undefined-behaviour sanitizers (clang) with a short run of
# each fuzz target.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=${ICL_JOBS:-$(nproc)}

scripts/setup.sh test
for preset in release tsan asan; do
    cmake --log-level=WARNING -DICL_LLAMA="${ICL_LLAMA:-auto}" --preset "$preset" >/dev/null
done
ninja --quiet -j "$jobs" -C build
ninja --quiet -j "$jobs" -C build-tsan tests/model/test_worker_pool
ninja --quiet -j "$jobs" -C build-asan

export CTEST_OUTPUT_ON_FAILURE=1
ctest --test-dir build -j "$jobs" --no-label-summary -L '^(install|headers|e2e|parity)$'
ctest --test-dir build-tsan --no-label-summary -R '^model/test_worker_pool$'
ctest --test-dir build-asan -j "$jobs" --no-label-summary
