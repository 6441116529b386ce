#!/usr/bin/env bash
# Makes sure that what a make target needs is there, and does nothing when it is.
#   scripts/setup.sh build | demo | test | bench | install | format
# System packages come from apt-get (as root, or through sudo); llama.cpp and the sentence encoder go
# into the cache: ~/.cache/icl, or ICL_CACHE. ICL_LLAMA=system|bundled|auto chooses libllama.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/common.sh
. "$here/common.sh"

# Debian package | how to see that it is there. "mod x" asks pkg-config, "hdr x" the C compiler,
# "py x" python3, "cmd x" the PATH.
packages_build='
ca-certificates|file /etc/ssl/certs/ca-certificates.crt
gcc|cmd cc
g++|cmd c++
cmake|cmd cmake
ninja-build|cmd ninja
pkg-config|cmd pkg-config
python3-venv|py ensurepip
libopenblas-dev|mod openblas
liblapacke-dev|hdr lapacke.h
libsqlite3-dev|mod sqlite3
libjansson-dev|mod jansson
libfyaml-dev|mod libfyaml
libxxhash-dev|mod libxxhash
libutf8proc-dev|mod libutf8proc
zlib1g-dev|mod zlib
libzstd-dev|mod libzstd
libcmocka-dev|mod cmocka'
packages_test='
clang-14|cmd clang-14
libclang-rt-14-dev|file /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.asan-*.a
python3-jinja2|py jinja2
python3-yaml|py yaml
scdoc|cmd scdoc
doxygen|cmd doxygen'
# What a test can do without, and then says that it was skipped.
packages_browser='
chromium-headless-shell|cmd chromium-headless-shell'
packages_format='
clang-format-14|cmd clang-format-14'

# The distribution's Python is the one that has the distribution's modules.
python=$(PATH=/usr/bin:$PATH command -v python3 || echo python3)

found() { # found KIND NAME
    case "$1" in
    cmd) command -v "$2" >/dev/null ;;
    mod) pkg-config --exists "$2" 2>/dev/null ;;
    hdr) echo "#include <$2>" | cc -E - >/dev/null 2>&1 ;;
    py) "$python" -c "import $2" 2>/dev/null ;;
    file) compgen -G "$2" >/dev/null ;;
    esac
}

ensure_packages() { # ensure_packages LIST
    local missing=() package kind name
    while IFS='| ' read -r package kind name; do
        if [ -n "$package" ] && ! found "$kind" "$name"; then missing+=("$package"); fi
    done <<<"$1"
    if [ ${#missing[@]} -eq 0 ]; then return; fi
    command -v apt-get >/dev/null ||
        fail "missing, and this system has no apt-get; install the equivalents of: ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail "missing: ${missing[*]}; run as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing with apt-get: ${missing[*]}"
    local log
    log=$(mktemp)
    {
        "${as_root[@]}" apt-get update &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y --no-install-recommends "${missing[@]}"
    } >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        fail "apt-get could not install ${missing[*]}; the whole log is $log"
    }
    rm -f "$log"
}

# Is an installed libllama good enough to be used as it is?
system_llama_works() {
    local config
    config=$(compgen -G '/usr/lib*/cmake/llama/llama-config.cmake' ||
        compgen -G '/usr/lib/*/cmake/llama/llama-config.cmake' ||
        compgen -G '/usr/local/lib*/cmake/llama/llama-config.cmake' || true)
    if [ -z "$config" ] && [ -z "${CMAKE_PREFIX_PATH:-}${llama_DIR:-}" ]; then return 1; fi
    local probe status=0
    probe=$(mktemp -d)
    { cmake -S "$here/../cmake/llama-probe" -B "$probe" && cmake --build "$probe"; } \
        >/dev/null 2>&1 || status=1
    rm -rf "$probe"
    return $status
}

ensure_llama() {
    local kind=${ICL_LLAMA:-auto}
    if [ "${ICL_CUDA:-OFF}" = ON ]; then kind=bundled; fi
    case $kind in
    auto) if system_llama_works; then return; fi ;;
    system) return ;; # CMake says so when it is not good enough
    esac
    "$here/llama.sh" build
}

case "${1:-}" in
build)
    ensure_packages "$packages_build"
    ensure_llama
    ;;
demo | bench | install)
    ensure_packages "$packages_build"
    ensure_llama
    "$here/encoder.sh" build
    ;;
test)
    ensure_packages "$packages_build$packages_test"
    (ensure_packages "$packages_browser") || say "pages are not opened in a browser by the tests"
    ensure_llama
    "$here/encoder.sh" build
    ;;
format) ensure_packages "$packages_format" ;;
*)
    echo "usage: scripts/setup.sh build|demo|test|bench|install|format" >&2
    exit 2
    ;;
esac
