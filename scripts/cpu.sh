#!/usr/bin/env bash
# What this CPU can do, for compilers. AMX is never named: hypervisors advertise it without enabling
# it, and GGML_NATIVE=ON then builds code that dies of SIGILL.
#   scripts/cpu.sh flags   compiler flags, on one line; empty where the compiler's default is right
#   scripts/cpu.sh ggml    CMake arguments for ggml, one a line
set -euo pipefail

# /proc/cpuinfo name(s), compiler flags, ggml option. AVX-512 counts when all of its base parts do.
table() {
    cat <<'END'
sse4_2|-msse4.2|GGML_SSE42
avx|-mavx|GGML_AVX
avx2|-mavx2|GGML_AVX2
bmi2|-mbmi2|GGML_BMI2
fma|-mfma|GGML_FMA
f16c|-mf16c|GGML_F16C
avx512f avx512cd avx512vl avx512dq avx512bw|-mavx512f -mavx512cd -mavx512vl -mavx512dq -mavx512bw|GGML_AVX512
avx512vbmi|-mavx512vbmi|GGML_AVX512_VBMI
avx512_vnni|-mavx512vnni|GGML_AVX512_VNNI
avx512_bf16|-mavx512bf16|GGML_AVX512_BF16
END
}

is_x86() { case "$(uname -m)" in x86_64 | i?86) [ -r /proc/cpuinfo ] ;; *) false ;; esac; }

has_all() { # has_all "avx2 fma": every word is among the CPU's flags
    local word
    for word in $1; do
        case " $cpu_flags " in *" $word "*) ;; *) return 1 ;; esac
    done
}

cpu_flags=$(sed -n 's/^flags[[:space:]]*:[[:space:]]*//p' /proc/cpuinfo 2>/dev/null | head -n 1 || true)

case "${1:-}" in
flags)
    if is_x86; then
        table | while IFS='|' read -r needs flags option; do
            if has_all "$needs"; then printf '%s ' "$flags"; fi
        done
        echo
    fi
    ;;
ggml)
    if is_x86; then
        echo "-DGGML_NATIVE=OFF"
        table | while IFS='|' read -r needs flags option; do
            if has_all "$needs"; then echo "-D$option=ON"; else echo "-D$option=OFF"; fi
        done
    else
        echo "-DGGML_NATIVE=ON"
    fi
    ;;
*)
    echo "usage: scripts/cpu.sh flags|ggml" >&2
    exit 2
    ;;
esac
