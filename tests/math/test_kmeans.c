/* K-means against scikit-learn (recipe in tests/golden/make_kmeans.py) and what k-means++ and
 * Lloyd's rounds promise. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "math/kmeans.h"
#include "math/matrix.h"
#include "near.h"

static float *floats_of(const json_t *line, const char *key)
{
    const json_t *array = json_object_get(line, key);
    float *values = calloc(json_array_size(array), sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < json_array_size(array); i++)
        values[i] = (float)json_number_value(json_array_get(array, i));
    return values;
}

static size_t size_of(const json_t *line, const char *key)
{
    return (size_t)json_integer_value(json_object_get(line, key));
}

static void check_line(const json_t *line)
{
    const size_t count = size_of(line, "count"), columns = size_of(line, "columns");
    const size_t k = size_of(line, "k");
    float *rows = floats_of(line, "rows"), *start = floats_of(line, "start");
    float *centres = floats_of(line, "centres");
    icl_kmeans kmeans = { 0 };
    assert_int_equal(icl_kmeans_init(&kmeans, rows, count, columns, k), ICL_OK);
    memcpy(kmeans.centres, start, k * columns * sizeof *start);
    assert_int_equal(icl_kmeans_run(&kmeans, 300, NULL), ICL_OK);
    for (size_t i = 0; i < k * columns; i++)
        assert_near((double)kmeans.centres[i], (double)centres[i], 1e-6);
    const json_t *labels = json_object_get(line, "labels");
    for (size_t i = 0; i < count; i++)
        assert_int_equal(kmeans.labels[i], json_integer_value(json_array_get(labels, i)));
    assert_near(kmeans.inertia, json_number_value(json_object_get(line, "inertia")), 1e-5);
    icl_kmeans_deinit(&kmeans);
    free(centres);
    free(start);
    free(rows);
}

static void test_kmeans__ends_where_scikit_learn_ends(void **state)
{
    (void)state;
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/kmeans.jsonl", "r");
    assert_non_null(file);
    size_t lines = 0;
    for (json_t *line; (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL; lines++) {
        check_line(line);
        json_decref(line);
    }
    assert_int_equal(lines, 5);
    fclose(file);
}

enum { COUNT = 90, COLUMNS = 8, K = 6 };

/* Six far directions with fifteen rows each. */
static void fill(float *rows)
{
    icl_rng rng = icl_rng_new(5, "kmeans", "", "test");
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COLUMNS; j++)
            rows[i * COLUMNS + j] = (float)(0.005 * icl_rng_normal(&rng));
        rows[i * COLUMNS + i % K] += 1;
    }
    icl_matrix_normalise_rows(rows, rows, COUNT, COLUMNS);
}

static icl_kmeans clustered(const float *rows, size_t count, size_t k, size_t rounds, uint64_t seed)
{
    icl_kmeans kmeans = { 0 };
    icl_rng rng = icl_rng_new(seed, "kmeans", "", "test");
    assert_int_equal(icl_kmeans_init(&kmeans, rows, count, COLUMNS, k), ICL_OK);
    assert_int_equal(icl_kmeans_start(&kmeans, &rng, NULL), ICL_OK);
    assert_int_equal(icl_kmeans_run(&kmeans, rounds, NULL), ICL_OK);
    return kmeans;
}

static void test_kmeans__finds_clusters_that_lie_apart(void **state)
{
    (void)state;
    float rows[COUNT * COLUMNS];
    fill(rows);
    for (uint64_t seed = 0; seed < 5; seed++) {
        icl_kmeans kmeans = clustered(rows, COUNT, K, 300, seed);
        for (size_t i = K; i < COUNT; i++) assert_int_equal(kmeans.labels[i], kmeans.labels[i % K]);
        for (size_t a = 0; a < K; a++)
            for (size_t b = 0; b < a; b++) assert_true(kmeans.labels[a] != kmeans.labels[b]);
        icl_kmeans_deinit(&kmeans);
    }
}

static void test_kmeans__more_rounds_never_cost(void **state)
{
    (void)state;
    float rows[COUNT * COLUMNS];
    icl_rng rng = icl_rng_new(6, "kmeans", "", "test");
    for (size_t i = 0; i < COUNT * COLUMNS; i++) rows[i] = (float)icl_rng_normal(&rng);
    icl_matrix_normalise_rows(rows, rows, COUNT, COLUMNS);
    double inertia = INFINITY;
    for (size_t rounds = 0; rounds < 12; rounds++) {
        icl_kmeans kmeans = clustered(rows, COUNT, K, rounds, 1);
        assert_true(kmeans.inertia <= inertia + 1e-9);
        inertia = kmeans.inertia;
        icl_kmeans_deinit(&kmeans);
    }
}

static void test_kmeans__a_cluster_for_each_row_costs_nothing(void **state)
{
    (void)state;
    float rows[COUNT * COLUMNS];
    fill(rows);
    icl_kmeans kmeans = clustered(rows, 20, 20, 300, 2);
    assert_near(kmeans.inertia, 0, 1e-12);
    icl_kmeans_deinit(&kmeans);
}

static void test_kmeans__equal_rows_and_one_row_are_no_trouble(void **state)
{
    (void)state;
    float rows[COUNT * COLUMNS] = { 0 };
    icl_kmeans kmeans = clustered(rows, COUNT, 3, 300, 3);
    assert_near(kmeans.inertia, 0, 0);
    icl_kmeans_deinit(&kmeans);
    kmeans = clustered(rows, 1, 1, 300, 3);
    assert_int_equal(kmeans.labels[0], 0);
    icl_kmeans_deinit(&kmeans);
}

static void test_kmeans__stops_when_asked(void **state)
{
    (void)state;
    float rows[COUNT * COLUMNS];
    const atomic_bool cancelled = true;
    fill(rows);
    icl_kmeans kmeans = { 0 };
    assert_int_equal(icl_kmeans_init(&kmeans, rows, COUNT, COLUMNS, K), ICL_OK);
    assert_int_equal(icl_kmeans_run(&kmeans, 300, &cancelled), ICL_ECANCELLED);
    icl_kmeans_deinit(&kmeans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kmeans__ends_where_scikit_learn_ends),
        cmocka_unit_test(test_kmeans__finds_clusters_that_lie_apart),
        cmocka_unit_test(test_kmeans__more_rounds_never_cost),
        cmocka_unit_test(test_kmeans__a_cluster_for_each_row_costs_nothing),
        cmocka_unit_test(test_kmeans__equal_rows_and_one_row_are_no_trouble),
        cmocka_unit_test(test_kmeans__stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
