#!/usr/bin/env bash
# An installed copy is complete: examples compile against it through pkg-config and through
# find_package, also after the folder was moved, and the library exports our names alone.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
first=$scratch/first prefix=$scratch/moved

"$ICL_CMAKE" --install "$ICL_BUILD" --prefix "$first" >"$scratch/log"
mv "$first" "$prefix"
library=$(dirname "$(find "$prefix" -name libicl.so)")

exported=$(nm -D --defined-only "$library/libicl.so" | awk '{ print $3 }' | grep -v '^icl_' || true)
if [ -n "$exported" ]; then
    echo "libicl.so exports names that are not ours:" $exported
    exit 1
fi
for file in include/icl/status.h share/icl/models/icl-base.gguf bin/icl; do
    if [ "$file" = bin/icl ] && [ ! -e "$ICL_BIN" ]; then continue; fi
    if [ ! -e "$prefix/$file" ]; then
        echo "not installed: $file"
        exit 1
    fi
done

export PKG_CONFIG_PATH=$library/pkgconfig
mkdir "$scratch/pkg-config"
for example in "$ICL_SOURCE"/examples/*.c; do
    name=$(basename "$example" .c)
    "$ICL_CC" -std=c17 -Wall -Wextra -Werror "$example" -o "$scratch/pkg-config/$name" \
        $(pkg-config --cflags --libs icl) -Wl,-rpath,"$library"
done

mkdir "$scratch/consumer"
cat >"$scratch/consumer/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(icl 0.1 CONFIG REQUIRED)
file(GLOB examples "$ICL_SOURCE/examples/*.c")
foreach(example IN LISTS examples)
    get_filename_component(name "\${example}" NAME_WE)
    add_executable(\${name} "\${example}")
    target_link_libraries(\${name} PRIVATE icl::icl)
endforeach()
END
"$ICL_CMAKE" -S "$scratch/consumer" -B "$scratch/cmake" -DCMAKE_C_COMPILER="$ICL_CC" \
    -DCMAKE_PREFIX_PATH="$prefix" >>"$scratch/log"
"$ICL_CMAKE" --build "$scratch/cmake" >>"$scratch/log"

for program in "$scratch/pkg-config/status_names" "$scratch/cmake/status_names"; do
    "$program" | grep -q '^   0  ok$'
done
