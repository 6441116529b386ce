/* Dense neighbours against brute force in double, and the promise that blocks, batches and the BLAS
 * thread count do not show in the answer: it is compared byte by byte. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>
#include <cmocka.h>

#include "base/rng.h"
#include "index/dense.h"
#include "math/matrix.h"

enum { POOL = 300, QUERIES = 37, COLUMNS = 48, K = 8 };

typedef struct world {
    float pool[POOL * COLUMNS], queries[QUERIES * COLUMNS];
    icl_dense_input input;
} world;

/* Clustered vectors with exact and near duplicates, so that single precision cannot rank them. */
static void fill(world *w, icl_distance metric)
{
    icl_rng rng = icl_rng_new(3, "dense", "", "test");
    float centres[5 * COLUMNS];
    for (size_t i = 0; i < 5 * COLUMNS; i++) centres[i] = (float)icl_rng_normal(&rng);
    for (size_t row = 0; row < POOL + QUERIES; row++) {
        float *to = row < POOL ? &w->pool[row * COLUMNS] : &w->queries[(row - POOL) * COLUMNS];
        const size_t centre = icl_rng_below(&rng, 5);
        const double spread = row % 3 == 0 ? 1 : row % 3 == 1 ? 1e-7 : 0;
        for (size_t i = 0; i < COLUMNS; i++)
            to[i] = centres[centre * COLUMNS + i] + (float)(spread * icl_rng_normal(&rng));
    }
    w->input = (icl_dense_input){
        .pool = w->pool,
        .queries = w->queries,
        .pool_count = POOL,
        .query_count = QUERIES,
        .columns = COLUMNS,
        .k = K,
        .metric = metric,
    };
}

static icl_scored *search(const icl_dense_input *input)
{
    icl_scored *out = calloc(input->query_count * input->k + 1, sizeof *out);
    assert_non_null(out);
    assert_int_equal(icl_dense_search(out, input), ICL_OK);
    return out;
}

static double reference_score(const icl_dense_input *input, size_t query, size_t row)
{
    const float *a = &input->queries[query * input->columns];
    const float *b = &input->pool[row * input->columns];
    double dot = 0, aa = 0, bb = 0, distance = 0;
    for (size_t i = 0; i < input->columns; i++) {
        const double x = (double)a[i], y = (double)b[i];
        dot += x * y;
        aa += x * x;
        bb += y * y;
        distance += (x - y) * (x - y);
    }
    if (input->metric == ICL_METRIC_L2) return -sqrt(distance);
    return fmax(-1, fmin(1, dot / (sqrt(aa) * sqrt(bb))));
}

static void assert_equals_brute_force(const icl_dense_input *input)
{
    icl_scored *found = search(input);
    for (size_t q = 0; q < input->query_count; q++) {
        icl_scored all[POOL];
        for (size_t i = 0; i < input->pool_count; i++)
            all[i] = (icl_scored){ reference_score(input, q, i), i };
        icl_topk(all, input->pool_count, input->k);
        for (size_t i = 0; i < input->k; i++) {
            assert_int_equal(found[q * input->k + i].index, all[i].index);
            assert_true(found[q * input->k + i].score == all[i].score);
        }
    }
    free(found);
}

static void test_dense__equals_brute_force(void **state)
{
    (void)state;
    static world w;
    fill(&w, ICL_METRIC_COSINE);
    assert_equals_brute_force(&w.input);
    fill(&w, ICL_METRIC_L2);
    assert_equals_brute_force(&w.input);
}

static void assert_same_bytes(const icl_dense_input *one, const icl_scored *expected)
{
    icl_scored *found = search(one);
    assert_memory_equal(found, expected, one->query_count * one->k * sizeof *found);
    free(found);
}

static void test_dense__blocks_do_not_show_in_the_answer(void **state)
{
    (void)state;
    static world w;
    for (int metric = ICL_METRIC_COSINE; metric <= ICL_METRIC_L2; metric++) {
        fill(&w, (icl_distance)metric);
        icl_scored *expected = search(&w.input);
        const size_t blocks[] = { 1, 2, 7, 64, 299, 1000 };
        for (size_t i = 0; i < 6; i++) {
            for (size_t j = 0; j < 6; j++) {
                icl_dense_input input = w.input;
                input.query_block = blocks[i];
                input.pool_block = blocks[j];
                assert_same_bytes(&input, expected);
            }
        }
        free(expected);
    }
}

static void test_dense__queries_one_by_one_equal_all_at_once(void **state)
{
    (void)state;
    static world w;
    for (int metric = ICL_METRIC_COSINE; metric <= ICL_METRIC_L2; metric++) {
        fill(&w, (icl_distance)metric);
        icl_scored *expected = search(&w.input);
        for (size_t q = 0; q < QUERIES; q++) {
            icl_dense_input one = w.input;
            one.queries = &w.queries[q * COLUMNS];
            one.query_count = 1;
            assert_same_bytes(&one, &expected[q * K]);
        }
        free(expected);
    }
}

/* Large enough for BLAS to split the product among threads. */
static void test_dense__blas_threads_do_not_show_in_the_answer(void **state)
{
    (void)state;
    enum { MANY = 3000, ASKED = 128 };
    float *pool = malloc(MANY * COLUMNS * sizeof *pool);
    float *queries = malloc(ASKED * COLUMNS * sizeof *queries);
    assert_true(pool != NULL && queries != NULL);
    icl_rng rng = icl_rng_new(5, "dense", "", "test");
    for (size_t i = 0; i < MANY * COLUMNS; i++) pool[i] = (float)icl_rng_normal(&rng);
    for (size_t i = 0; i < ASKED * COLUMNS; i++) queries[i] = (float)icl_rng_normal(&rng);
    const icl_dense_input input = { .pool = pool,
                                    .queries = queries,
                                    .pool_count = MANY,
                                    .query_count = ASKED,
                                    .columns = COLUMNS,
                                    .k = K };
    const int threads_before = openblas_get_num_threads();
    openblas_set_num_threads(1);
    icl_scored *expected = search(&input);
    openblas_set_num_threads(2);
    assert_same_bytes(&input, expected);
    openblas_set_num_threads(threads_before);
    free(expected);
    free(queries);
    free(pool);
}

/* d^2 = 2 - 2 cos on unit vectors. */
static void test_dense__cosine_and_l2_agree_on_unit_vectors(void **state)
{
    (void)state;
    static float pool[POOL * COLUMNS], queries[QUERIES * COLUMNS];
    icl_rng rng = icl_rng_new(4, "dense", "", "test");
    for (size_t i = 0; i < POOL * COLUMNS; i++) pool[i] = (float)icl_rng_normal(&rng);
    for (size_t i = 0; i < QUERIES * COLUMNS; i++) queries[i] = (float)icl_rng_normal(&rng);
    icl_matrix_normalise_rows(pool, pool, POOL, COLUMNS);
    icl_matrix_normalise_rows(queries, queries, QUERIES, COLUMNS);
    icl_dense_input input = { .pool = pool,
                              .queries = queries,
                              .pool_count = POOL,
                              .query_count = QUERIES,
                              .columns = COLUMNS,
                              .k = K,
                              .metric = ICL_METRIC_COSINE };
    icl_scored *cosine = search(&input);
    input.metric = ICL_METRIC_L2;
    icl_scored *l2 = search(&input);
    for (size_t i = 0; i < QUERIES * K; i++) {
        assert_int_equal(cosine[i].index, l2[i].index);
        const double squared = l2[i].score * l2[i].score;
        assert_true(fabs(squared - (2 - 2 * cosine[i].score)) < 1e-6);
    }
    free(l2);
    free(cosine);
}

static void test_dense__cosine_ignores_scale(void **state)
{
    (void)state;
    static world w, scaled;
    fill(&w, ICL_METRIC_COSINE);
    fill(&scaled, ICL_METRIC_COSINE);
    /* Powers of two scale floats exactly, up to sizes whose squares overflow in single precision.
     */
    for (size_t row = 0; row < POOL; row++) {
        for (size_t i = 0; i < COLUMNS; i++)
            scaled.pool[row * COLUMNS + i] =
                ldexpf(w.pool[row * COLUMNS + i], (int)(row % 160) - 80);
    }
    icl_scored *expected = search(&w.input);
    assert_same_bytes(&scaled.input, expected);
    scaled.input.query_count = 1; /* few queries go another way */
    assert_same_bytes(&scaled.input, expected);
    scaled.input.pool_block = 5; /* blocks with and without such rows */
    assert_same_bytes(&scaled.input, expected);
    free(expected);
}

static void test_dense__l2_survives_very_large_and_very_small_vectors(void **state)
{
    (void)state;
    static world w;
    const int exponents[] = { -100, -20, 20, 100 };
    for (size_t e = 0; e < 4; e++) {
        fill(&w, ICL_METRIC_L2);
        for (size_t i = 0; i < POOL * COLUMNS; i++) w.pool[i] = ldexpf(w.pool[i], exponents[e]);
        for (size_t i = 0; i < QUERIES * COLUMNS; i++)
            w.queries[i] = ldexpf(w.queries[i], exponents[e]);
        assert_equals_brute_force(&w.input);
    }
}

static void test_dense__equal_scores_come_by_lowest_row(void **state)
{
    (void)state;
    const float pool[] = { 0, 1, 1, 0, 2, 0, 1, 0, 0, 0 }, query[] = { 1, 0 };
    icl_scored out[5];
    icl_dense_input input = {
        .pool = pool, .queries = query, .pool_count = 5, .query_count = 1, .columns = 2, .k = 5
    };
    assert_int_equal(icl_dense_search(out, &input), ICL_OK);
    const size_t cosine[] = { 1, 2, 3, 0, 4 }; /* 1, 1, 1, 0, and 0 for the zero vector */
    for (size_t i = 0; i < 5; i++) assert_int_equal(out[i].index, cosine[i]);
    assert_true(out[2].score == 1 && out[4].score == 0);

    input.metric = ICL_METRIC_L2;
    assert_int_equal(icl_dense_search(out, &input), ICL_OK);
    const size_t l2[] = { 1, 3, 2, 4, 0 }; /* 0, 0, 1, 1, sqrt 2 */
    for (size_t i = 0; i < 5; i++) assert_int_equal(out[i].index, l2[i]);
    assert_true(out[0].score == 0 && !signbit(out[0].score));
}

static void test_dense__excluded_row_is_skipped_and_all_rows_may_be_asked(void **state)
{
    (void)state;
    const float pool[] = { 1, 0, 0.5F, 0.5F, 0, 1 }, queries[] = { 1, 0, 0, 1 };
    const size_t exclude[] = { 0, SIZE_MAX };
    icl_scored out[8];
    const icl_dense_input input = { .pool = pool,
                                    .queries = queries,
                                    .pool_count = 3,
                                    .query_count = 2,
                                    .columns = 2,
                                    .k = 4,
                                    .exclude = exclude };
    assert_int_equal(icl_dense_search(out, &input), ICL_OK);
    const size_t expected[] = { 1, 2, SIZE_MAX, SIZE_MAX, 2, 1, 0, SIZE_MAX };
    for (size_t i = 0; i < 8; i++) assert_int_equal(out[i].index, expected[i]);
    assert_true(isinf(out[7].score) && out[7].score < 0);
}

static void test_dense__vectors_that_are_not_finite_are_refused_by_row(void **state)
{
    (void)state;
    float pool[] = { 1, 0, NAN, 1 }, query[] = { 1, INFINITY };
    icl_scored out[1];
    const icl_dense_input input = {
        .pool = pool, .queries = query, .pool_count = 2, .query_count = 1, .columns = 2, .k = 1
    };
    assert_int_equal(icl_dense_search(out, &input), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "the vector of pool item 1 is not finite");
    pool[2] = 0;
    assert_int_equal(icl_dense_search(out, &input), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "the vector of query 0 is not finite");
}

static void test_dense__stops_when_asked(void **state)
{
    (void)state;
    static world w;
    fill(&w, ICL_METRIC_COSINE);
    const atomic_bool cancelled = true;
    w.input.cancelled = &cancelled;
    icl_scored out[QUERIES * K];
    assert_int_equal(icl_dense_search(out, &w.input), ICL_ECANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense__equals_brute_force),
        cmocka_unit_test(test_dense__blocks_do_not_show_in_the_answer),
        cmocka_unit_test(test_dense__queries_one_by_one_equal_all_at_once),
        cmocka_unit_test(test_dense__blas_threads_do_not_show_in_the_answer),
        cmocka_unit_test(test_dense__cosine_and_l2_agree_on_unit_vectors),
        cmocka_unit_test(test_dense__cosine_ignores_scale),
        cmocka_unit_test(test_dense__l2_survives_very_large_and_very_small_vectors),
        cmocka_unit_test(test_dense__equal_scores_come_by_lowest_row),
        cmocka_unit_test(test_dense__excluded_row_is_skipped_and_all_rows_may_be_asked),
        cmocka_unit_test(test_dense__vectors_that_are_not_finite_are_refused_by_row),
        cmocka_unit_test(test_dense__stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
