#!/usr/bin/env bash
# Every public header compiles alone, twice in a row, as C17 and as C++17 under strict flags, and sees
# nothing but the other public headers.
set -euo pipefail
cd "$ICL_SOURCE/include"
cxx=c++
case "$ICL_CC" in *clang*) cxx=${ICL_CC/clang/clang++} ;; esac
common="-I. -fsyntax-only -Wall -Wextra -Wshadow -Wconversion -pedantic-errors -Werror"
failed=0

while read -r header; do
    probe="#include <$header>
#include <$header>"
    if ! "$ICL_CC" -x c -std=c17 $common -Wstrict-prototypes -Wmissing-prototypes - <<<"$probe"; then
        echo "$header does not stand alone as C17"
        failed=1
    fi
    if ! "$cxx" -x c++ -std=c++17 $common -Wold-style-cast - <<<"$probe"; then
        echo "$header does not stand alone as C++17"
        failed=1
    fi
done < <(find . -name '*.h' -printf '%P\n' | sort)
exit $failed
