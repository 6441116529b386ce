/* bench/bench.h - what the benchmarks in C share: clock, medians, one line per failure. */
#ifndef ICL_BENCH_H
#define ICL_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <icl/status.h>

static inline double bench_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline void bench_check(icl_status status)
{
    if (status == ICL_OK) return;
    fprintf(stderr, "error: %s\n", icl_error_message());
    exit(1);
}

static inline void *bench_alloc(size_t count, size_t bytes)
{
    void *memory = calloc(count > 0 ? count : 1, bytes);
    if (memory != NULL) return memory;
    fprintf(stderr, "error: out of memory\n");
    exit(1);
}

static int bench_compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, bench_compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* The argument at `index`, or the environment's, or the fallback. */
static inline size_t bench_number(int argc, char **argv, int index, const char *variable,
                                  size_t fallback)
{
    const char *text = argc > index ? argv[index] : variable != NULL ? getenv(variable) : NULL;
    const unsigned long number = text != NULL ? strtoul(text, NULL, 10) : 0;
    return number > 0 ? (size_t)number : fallback;
}

/* Figures taken beside other work do not count. */
static inline double bench_load(void)
{
    double load = 0;
    if (getloadavg(&load, 1) != 1) load = 0;
    if (load > 0.3)
        fprintf(stderr, "warning: load average %.1f before the run; figures do not count\n", load);
    return load;
}

static inline const char *bench_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

#endif
