/* Facts about the machine and the libraries, for `icl doctor`. */
#include <assert.h>
#include <cblas.h>
#include <jansson.h>
#include <libfyaml.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utf8proc.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

#include <icl/sys/program.h>

#include "base/cpu.h"
#include "base/error.h"

int icl_program_free_cores(void)
{
    return icl_cpu_free_cores();
}

size_t icl_program_free_memory_bytes(void)
{
    return icl_memory_available_bytes();
}

#if defined(__x86_64__) && defined(__GNUC__)

typedef struct cpu_feature {
    const char *name;
    bool present;
} cpu_feature;

const char *icl_program_cpu_features(void)
{
    static _Thread_local char text[128];
    __builtin_cpu_init();
    const cpu_feature features[] = {
        { "sse4.2", __builtin_cpu_supports("sse4.2") },
        { "avx", __builtin_cpu_supports("avx") },
        { "avx2", __builtin_cpu_supports("avx2") },
        { "fma", __builtin_cpu_supports("fma") },
        { "avx512f", __builtin_cpu_supports("avx512f") },
        { "avx512bw", __builtin_cpu_supports("avx512bw") },
        { "avx512vnni", __builtin_cpu_supports("avx512vnni") },
    };
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        if (features[i].present)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? " " : "",
                                     features[i].name);
    return text;
}

#else

const char *icl_program_cpu_features(void)
{
#if defined(__aarch64__)
    return "neon";
#else
    return "";
#endif
}

#endif

enum { LIBRARY_COUNT = 8 };

size_t icl_program_library_count(void)
{
    return LIBRARY_COUNT;
}

/* The second word of "OpenBLAS 0.3.21 DYNAMIC_ARCH ...". */
static const char *openblas_version(void)
{
    static _Thread_local char version[32];
    if (sscanf(openblas_get_config(), "%*s %31s", version) != 1) return "unknown";
    return version;
}

static const char *xxhash_version(void)
{
    static _Thread_local char version[32];
    const unsigned number = XXH_versionNumber();
    snprintf(version, sizeof version, "%u.%u.%u", number / 10000, number / 100 % 100, number % 100);
    return version;
}

icl_program_library icl_program_library_at(size_t index)
{
    assert(index < LIBRARY_COUNT);
    const icl_program_library libraries[LIBRARY_COUNT] = {
        { "openblas", openblas_version() }, { "sqlite", sqlite3_libversion() },
        { "jansson", JANSSON_VERSION },     { "libfyaml", fy_library_version() },
        { "utf8proc", utf8proc_version() }, { "xxhash", xxhash_version() },
        { "zlib", zlibVersion() },          { "zstd", ZSTD_versionString() },
    };
    return libraries[index];
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

icl_status icl_program_measure_sgemm(double *out_flops_per_second, int thread_count,
                                     double seconds_max)
{
    enum { SIDE = 1024 };
    float *matrices = calloc((size_t)3 * SIDE * SIDE, sizeof *matrices);
    if (matrices == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a matrix product");
    float *a = matrices, *b = a + SIDE * SIDE, *c = b + SIDE * SIDE;
    for (size_t i = 0; i < (size_t)2 * SIDE * SIDE; i++) a[i] = (float)(i % 7) - 3.0F;
    const int threads_before = openblas_get_num_threads();
    openblas_set_num_threads(thread_count);
    const double start = seconds_now();
    double best = 0, begin = start;
    /* The best product counts: other programs can only make one slower. The first warms up. */
    for (size_t round = 0; round < 3 || begin - start < seconds_max; round++) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, SIDE, SIDE, SIDE, 1.0F, a, SIDE, b,
                    SIDE, 0.0F, c, SIDE);
        const double end = seconds_now();
        const double rate = 2.0 * SIDE * SIDE * SIDE / (end - begin);
        if (rate > best) best = rate;
        begin = end;
    }
    openblas_set_num_threads(threads_before);
    free(matrices);
    *out_flops_per_second = best;
    return ICL_OK;
}
