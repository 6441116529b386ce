#!/usr/bin/env bash
# The pinned llama.cpp: built once, statically, into the cache.
#   scripts/llama.sh prefix   print where this machine's copy lies (or would lie); builds nothing
#   scripts/llama.sh build    make sure it is there; a killed build goes on where it stopped
#   scripts/llama.sh nvcc     print which nvcc a build for NVIDIA cards takes
# ICL_CACHE moves the cache (default ~/.cache/icl), ICL_JOBS sets the number of compile jobs. ICL_CUDA=ON
# builds for NVIDIA cards with the nvcc of CUDA_HOME, CUDA_PATH, PATH or /usr/local/cuda, and
# ICL_CUDA_ARCHITECTURES ("90") says for which: by default this machine's own.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/common.sh
. "$here/common.sh"

# The PyPI source distribution of llama-cpp-python carries a complete llama.cpp tree.
version=0.3.36
archive=llama_cpp_python-$version.tar.gz
archive_sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
commit=0c1e57098bba43ac29e6e3b677cdceebdd22334f
recipe=1 # raise it when what is installed changes

# Private ggml headers that src/model/exact_device.c needs to register its kernels.
internal_headers="ggml-backend-impl.h ggml-impl.h"

cuda_wanted() { [ "${ICL_CUDA:-OFF}" = ON ]; }

find_nvcc() {
    local candidate
    for candidate in "${CUDA_HOME:-}/bin/nvcc" "${CUDA_PATH:-}/bin/nvcc" \
        "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc; do
        if [ -x "$candidate" ]; then
            echo "$candidate"
            return
        fi
    done
    fail "ICL_CUDA=ON needs nvcc, the compiler of the CUDA toolkit, and it was not found;" \
        "put it into PATH or set CUDA_HOME"
}

# In CMake's words. Code for 80 and 90 also runs on what came after, translated when it is first used.
cuda_architectures() {
    local own=${ICL_CUDA_ARCHITECTURES:-}
    if [ -z "$own" ] && command -v nvidia-smi >/dev/null; then
        own=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null |
            tr -cd '0-9\n' | sort -u | paste -sd ';') || own=
    fi
    echo "${own:-80;90}"
}

# The card trains and nothing else, so no fused attention (f16) and one card; without virtual memory
# management the program starts where there is no driver.
cuda_options() {
    cat <<END
-DGGML_CUDA=ON
-DGGML_CUDA_FA=OFF
-DGGML_CUDA_NCCL=OFF
-DGGML_CUDA_NO_VMM=ON
-DCMAKE_CUDA_ARCHITECTURES=$(cuda_architectures)
END
}

options() {
    "$here/cpu.sh" ggml
    cat <<END
-DCMAKE_BUILD_TYPE=Release
-DCMAKE_POSITION_INDEPENDENT_CODE=ON
-DBUILD_SHARED_LIBS=OFF
-DGGML_OPENMP=OFF
-DGGML_BLAS=ON
-DGGML_BLAS_VENDOR=OpenBLAS
-DGGML_BUILD_COMMIT=${commit:0:8}
-DLLAMA_BUILD_COMMIT=${commit:0:8}
-DLLAMA_BUILD_NUMBER=0
-DLLAMA_BUILD_COMMON=OFF
-DLLAMA_BUILD_TOOLS=OFF
-DLLAMA_BUILD_TESTS=OFF
-DLLAMA_BUILD_EXAMPLES=OFF
-DLLAMA_BUILD_SERVER=OFF
-DLLAMA_BUILD_APP=OFF
-DLLAMA_BUILD_UI=OFF
-DLLAMA_USE_PREBUILT_UI=OFF
END
    if cuda_wanted; then cuda_options; fi
}

nvcc=
if cuda_wanted || [ "${1:-}" = nvcc ]; then nvcc=$(find_nvcc); fi

# Version, options, compilers and CPU: a cache that moves to another machine is not used by mistake.
key=$({
    echo "$version $recipe $internal_headers"
    options
    c++ -dumpfullversion -dumpmachine 2>/dev/null || true
    if [ -n "$nvcc" ]; then "$nvcc" --version | tail -n 1; fi
    uname -sm
} | sha256sum | cut -c1-16)
prefix=$ICL_CACHE/llama-$version-$key

# The archive, or the tree of it that somebody unpacked for a machine without network.
unpack() { # unpack FOLDER
    if [ -d "$1/source" ]; then return; fi
    if [ -d "$ICL_CACHE/sources/llama.cpp-$version" ]; then
        rm -rf "$1/partial"
        cp -r "$ICL_CACHE/sources/llama.cpp-$version" "$1/partial"
        mv "$1/partial" "$1/source"
        return
    fi
    fetch_pypi llama-cpp-python "$version" "$archive" "$archive_sha256" "llama.cpp" 77
    rm -rf "$1/partial"
    mkdir -p "$1/partial"
    tar -xzf "$ICL_CACHE/sources/$archive" -C "$1/partial" --strip-components=3 \
        --exclude='*/vendor/llama.cpp/models' --exclude='*/vendor/llama.cpp/docs' \
        "llama_cpp_python-$version/vendor/llama.cpp"
    mv "$1/partial" "$1/source"
}

# compile FOLDER: FOLDER/source into FOLDER/stage, where it lies as it will at $prefix.
compile() {
    local arguments header
    mapfile -t arguments < <(options)
    if [ -n "$nvcc" ]; then export PATH=${nvcc%/*}:$PATH; fi
    cmake -S "$1/source" -B "$1/build" -G Ninja "${arguments[@]}" -DCMAKE_INSTALL_PREFIX="$prefix"
    ninja -C "$1/build" -j "${ICL_JOBS:-$(nproc)}"
    rm -rf "$1/stage"
    DESTDIR="$1/stage" cmake --install "$1/build"
    mkdir -p "$1/stage$prefix/include/ggml-internal"
    for header in $internal_headers; do
        cp "$1/source/ggml/src/$header" "$1/stage$prefix/include/ggml-internal/"
    done
    cp "$1/source/LICENSE" "$1/stage$prefix/LICENSE.llama.cpp"
    touch "$1/stage$prefix/icl-complete"
}

build() {
    if [ -f "$prefix/icl-complete" ]; then return; fi
    hold_lock llama
    if [ -f "$prefix/icl-complete" ]; then return; fi
    local work=$ICL_CACHE/work/llama-$version-$key status
    local log=$work/build.log
    mkdir -p "$work"
    unpack "$work"
    local effort="5 minutes of CPU time"
    if cuda_wanted; then effort="half an hour of CPU time for each kind of card"; fi
    say "building llama.cpp once, about $effort (log: $log)"
    set +e # bash forgets -e inside a condition, so the status is read after the fact
    (
        set -e
        compile "$work"
    ) >"$log" 2>&1
    status=$?
    set -e
    if [ $status -ne 0 ]; then
        tail -n 20 "$log" >&2
        fail "building llama.cpp failed; the whole log is $log"
    fi
    rm -rf "$prefix"
    mv "$work/stage$prefix" "$prefix"
    rm -rf "$work"
}

case "${1:-}" in
prefix) echo "$prefix" ;;
build) build ;;
nvcc) echo "$nvcc" ;;
*)
    echo "usage: scripts/llama.sh prefix|build|nvcc" >&2
    exit 2
    ;;
esac
