/* Exact neighbours in a large pool: seconds of a search, and how near it comes to what the machine
 * can do, which is its matrix product for many queries and reading the pool once for few.
 *
 *   knn_million [POOL [QUERIES [THREADS [ROUNDS [FILE]]]]]
 *
 * FILE holds POOL + QUERIES rows of 384 floats; without it they are random. With FILE the
 * neighbours of up to 100 queries are printed too: knn_million.py compares them with another
 * program's. */
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cblas.h>

#include "bench.h"
#include "index/dense.h"
#include "math/matrix.h"

enum { COLUMNS = 384, K = 10, SIDE = 2048, CALLS = 5, ROUNDS_MAX = 99, SHOWN_MAX = 100 };

static void fill_random(float *values, size_t count)
{
    uint64_t state = 88172645463325252U; /* xorshift */
    for (size_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        values[i] = (float)((double)(state >> 11) * 0x1p-52 - 1);
    }
}

static const float *map_file(const char *path, size_t bytes)
{
    const int file = open(path, O_RDONLY);
    void *memory =
        file < 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (memory == MAP_FAILED || lseek(file, 0, SEEK_END) < (off_t)bytes) {
        fprintf(stderr, "error: \"%s\" does not hold %zu bytes\n", path, bytes);
        exit(1);
    }
    close(file);
    return memory;
}

/* Best of a few square products, in floating-point operations per second. */
static double product_limit(void)
{
    float *a = bench_alloc(2 * SIDE * SIDE, sizeof *a), *b = a + SIDE * SIDE;
    float *out = bench_alloc(SIDE * SIDE, sizeof *out);
    fill_random(a, 2 * SIDE * SIDE);
    double best = INFINITY;
    for (int call = 0; call < CALLS; call++) {
        const double start = bench_seconds();
        icl_matrix_multiply_transposed(out, a, SIDE, b, SIDE, SIDE);
        best = fmin(best, bench_seconds() - start);
    }
    free(out);
    free(a);
    return 2.0 * SIDE * SIDE * SIDE / best;
}

/* Best of a few passes over the pool by one thread, in bytes per second. */
static double reading_limit(const float *pool, size_t count)
{
    float *squares = bench_alloc(count, sizeof *squares);
    double best = INFINITY;
    for (int call = 0; call < CALLS; call++) {
        const double start = bench_seconds();
        icl_vector_squares(squares, pool, count, COLUMNS);
        best = fmin(best, bench_seconds() - start);
    }
    free(squares);
    return (double)(count * COLUMNS * sizeof(float)) / best;
}

static void print_neighbours(const icl_scored *found, size_t queries)
{
    printf(", \"neighbours\": [");
    for (size_t i = 0; i < (queries < SHOWN_MAX ? queries : SHOWN_MAX) * K; i++)
        printf("%s%zu", i == 0 ? "" : ", ", found[i].index);
    printf("]");
}

int main(int argc, char **argv)
{
    const size_t pool = bench_number(argc, argv, 1, NULL, 1000000);
    const size_t queries = bench_number(argc, argv, 2, NULL, 1000);
    const size_t threads = bench_number(argc, argv, 3, "ICL_THREADS", 2);
    size_t rounds = bench_number(argc, argv, 4, NULL, 3);
    if (rounds > ROUNDS_MAX) rounds = ROUNDS_MAX;
    const char *path = argc > 5 ? argv[5] : NULL;
    const double load = bench_load();
    openblas_set_num_threads((int)threads);

    const size_t count = (pool + queries) * COLUMNS;
    float *drawn = path == NULL ? bench_alloc(count, sizeof *drawn) : NULL;
    if (drawn != NULL) fill_random(drawn, count);
    const float *rows = drawn != NULL ? drawn : map_file(path, count * sizeof *rows);
    icl_scored *found = bench_alloc(queries * K, sizeof *found);
    const double product = product_limit(), reading = reading_limit(rows, pool);
    double seconds[ROUNDS_MAX];
    for (size_t round = 0; round < rounds; round++) {
        const double start = bench_seconds();
        bench_check(icl_dense_search(found, &(icl_dense_input){ .pool = rows,
                                                                .queries = rows + pool * COLUMNS,
                                                                .pool_count = pool,
                                                                .query_count = queries,
                                                                .columns = COLUMNS,
                                                                .k = K }));
        seconds[round] = bench_seconds() - start;
    }
    const double median = bench_median(seconds, rounds);
    const double by_product = 2.0 * (double)pool * (double)queries * COLUMNS / product;
    const double by_reading = (double)(pool * COLUMNS * sizeof(float)) / reading;
    printf("{\"bench\": \"knn_million\", \"pool\": %zu, \"queries\": %zu, \"columns\": %d, "
           "\"k\": %d, \"threads\": %zu, \"rounds\": %zu, \"seconds\": %.4f, "
           "\"sgemm_gflops\": %.1f, \"read_gb_per_second\": %.1f, \"share_of_sgemm\": %.3f, "
           "\"share_of_reading\": %.3f, \"load_before\": %.2f",
           pool, queries, COLUMNS, K, threads, rounds, median, product * 1e-9, reading * 1e-9,
           by_product / median, by_reading / median, load);
    if (path != NULL) print_neighbours(found, queries);
    printf("}\n");
    free(found);
    free(drawn);
    return 0;
}
