# Shared by the set-up scripts; sourced, not run.
ICL_CACHE=${ICL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/icl}
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
