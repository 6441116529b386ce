#!/usr/bin/env bash
# The pinned llama.cpp: built once, statically, into the cache.
#   scripts/llama.sh prefix   print where this machine's copy lies (or would lie); builds nothing
#   scripts/llama.sh build    make sure it is there; a killed build goes on where it stopped
# ICL_CACHE moves the cache (default ~/.cache/icl), ICL_JOBS sets the number of compile jobs.
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

# Private ggml headers that src/model/attention_exact.c needs to register its kernel.
internal_headers="ggml-backend-impl.h ggml-impl.h"

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
}

# Version, options, compiler and CPU: a cache that moves to another machine is not used by mistake.
key=$({
    echo "$version $recipe $internal_headers"
    options
    c++ -dumpfullversion -dumpmachine 2>/dev/null || true
    uname -sm
} | sha256sum | cut -c1-16)
prefix=$ICL_CACHE/llama-$version-$key

fetch() {
    local requirements=$ICL_CACHE/sources/llama.requirements
    if [ -f "$ICL_CACHE/sources/$archive" ]; then return; fi
    say "downloading the llama.cpp source (PyPI llama-cpp-python $version, 77 MB)"
    mkdir -p "$ICL_CACHE/sources"
    rm -rf "$ICL_CACHE/sources/partial"
    # pip prepares a source distribution's metadata, so it wants the build backend beside it.
    make_venv build-backend "$here/requirements-backend.txt"
    echo "llama-cpp-python==$version --hash=sha256:$archive_sha256" >"$requirements"
    "$ICL_CACHE/venv-build-backend/bin/pip" --disable-pip-version-check --quiet download \
        --no-deps --no-build-isolation --no-binary llama-cpp-python --require-hashes \
        -r "$requirements" -d "$ICL_CACHE/sources/partial"
    mv "$ICL_CACHE/sources/partial/$archive" "$ICL_CACHE/sources/$archive"
    rm -rf "$ICL_CACHE/sources/partial"
}

unpack() { # unpack FOLDER
    if [ -d "$1/source" ]; then return; fi
    echo "$archive_sha256  $ICL_CACHE/sources/$archive" | sha256sum --check --quiet || {
        rm -f "$ICL_CACHE/sources/$archive"
        fail "$archive in $ICL_CACHE/sources has the wrong hash; it was removed, run again"
    }
    rm -rf "$1/partial"
    mkdir -p "$1/partial"
    tar -xzf "$ICL_CACHE/sources/$archive" -C "$1/partial" --strip-components=3 \
        --exclude='*/vendor/llama.cpp/models' --exclude='*/vendor/llama.cpp/docs' \
        "llama_cpp_python-$version/vendor/llama.cpp"
    mv "$1/partial" "$1/source"
}

build() {
    if [ -f "$prefix/icl-complete" ]; then return; fi
    mkdir -p "$ICL_CACHE/work"
    exec 9>"$ICL_CACHE/work/llama.lock"
    if ! flock --nonblock 9; then
        say "another process is building llama.cpp; waiting for it"
        flock 9
    fi
    if [ -f "$prefix/icl-complete" ]; then return; fi
    local work=$ICL_CACHE/work/llama-$version-$key log header
    log=$work/build.log
    mkdir -p "$work"
    fetch
    unpack "$work"
    say "building llama.cpp once, about 5 minutes of CPU time (log: $log)"
    {
        mapfile -t arguments < <(options)
        cmake -S "$work/source" -B "$work/build" -G Ninja "${arguments[@]}" \
            -DCMAKE_INSTALL_PREFIX="$prefix"
        ninja -C "$work/build" -j "${ICL_JOBS:-$(nproc)}"
        rm -rf "$work/stage"
        DESTDIR="$work/stage" cmake --install "$work/build"
        mkdir -p "$work/stage$prefix/include/ggml-internal"
        for header in $internal_headers; do
            cp "$work/source/ggml/src/$header" "$work/stage$prefix/include/ggml-internal/"
        done
        cp "$work/source/LICENSE" "$work/stage$prefix/LICENSE.llama.cpp"
    } >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        fail "building llama.cpp failed; the whole log is $log"
    }
    touch "$work/stage$prefix/icl-complete"
    rm -rf "$prefix"
    mv "$work/stage$prefix" "$prefix"
    rm -rf "$work"
}

case "${1:-}" in
prefix) echo "$prefix" ;;
build) build ;;
*)
    echo "usage: scripts/llama.sh prefix|build" >&2
    exit 2
    ;;
esac
