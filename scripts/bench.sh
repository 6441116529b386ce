#!/usr/bin/env bash
# Every benchmark whose data ships with the repository, on the shipped model and on a random model of
# 135M shape; results as JSON lines in build/bench. Run it alone on the machine: about 20 minutes.
# The peers live in an environment of their own in the cache; ICL_BENCH_PYTHON names another that has
# them. What is given on the command line goes to every comparison (such as --n 20).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

ensure_peers() {
    local venv=$ICL_CACHE/venv-bench wanted
    python=$venv/bin/python
    wanted=$(sha256sum <bench/requirements.txt)
    if [ -f "$venv/icl-complete" ] && [ "$(cat "$venv/icl-complete")" = "$wanted" ]; then return; fi
    hold_lock bench
    say "installing the programs to compare with (PyTorch and others, about 1 GB)"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" --disable-pip-version-check --quiet install -r bench/requirements.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu
    "$venv/bin/pip" --disable-pip-version-check --quiet install --no-deps openicl==0.1.8
    echo "$wanted" >"$venv/icl-complete"
}

if [ -n "${ICL_BENCH_PYTHON:-}" ]; then python=$ICL_BENCH_PYTHON; else ensure_peers; fi

make_model() { # make_model FILE MEGABYTES [shape]
    local file=$1 megabytes=$2
    if [ -f "$file" ]; then return; fi
    say "making the random model $(basename "$file") ($megabytes MB)"
    "$python" bench/make_model.py "$file.partial" "${@:3}"
    mv "$file.partial" "$file"
}
random_model=$ICL_CACHE/random-135m.gguf
share_model=$ICL_CACHE/random-share.gguf
make_model "$random_model" 540
make_model "$share_model" 66 --layers 6 --vocab 20480 --type f16

say "building the benchmarks in C"
cmake --log-level=WARNING -DICL_BENCH=ON build >/dev/null
ninja --quiet -C build benches
for model in models/icl-base.gguf "$share_model"; do
    build/bench/prefix_sharing "$model"
done | tee build/bench/prefix_sharing.txt
for name in efficiency memory; do
    for model in models/icl-base.gguf "$random_model"; do
        "build/bench/$name" "$model"
    done | tee "build/bench/$name.txt"
done
"$python" bench/sgemm_peak.py | tee build/bench/sgemm_peak.txt
for peer in lm_eval openicl; do
    "$python" "bench/compare_$peer.py" --out "build/bench/$peer-base.jsonl" "$@"
    "$python" "bench/compare_$peer.py" --out "build/bench/$peer-random-135m.jsonl" \
        --model "$random_model" "$@"
done
echo "results: build/bench"
