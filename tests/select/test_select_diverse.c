/* mmr and dpp: against brute force, against OpenICL, and where vectors leave them no choice. */
#include <math.h>
#include <stdio.h>

#include <jansson.h>

#include "base/rng.h"
#include "math/dpp.h"
#include "math/matrix.h"
#include "math/topk.h"
#include "select/select_call.h"

enum { POOL = 12, QUERIES = 5, COLUMNS = 4, K = 5 };

typedef struct world {
    float pool[POOL * COLUMNS], queries[QUERIES * COLUMNS];
    const char *pool_texts[POOL], *query_texts[QUERIES];
    icl_select_input input;
} world;

static const char *const query_ids[QUERIES] = { "a", "b", "c", "d", "e" };

static void fill(world *w, uint64_t seed)
{
    icl_rng rng = icl_rng_new(seed, "diverse", "", "test");
    for (size_t i = 0; i < POOL * COLUMNS; i++) w->pool[i] = (float)icl_rng_normal(&rng);
    for (size_t i = 0; i < QUERIES * COLUMNS; i++) w->queries[i] = (float)icl_rng_normal(&rng);
    for (size_t i = 0; i < POOL; i++) w->pool_texts[i] = "";
    for (size_t q = 0; q < QUERIES; q++) w->query_texts[q] = "";
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .query_count = QUERIES,
                                   .pool_texts = w->pool_texts,
                                   .query_texts = w->query_texts,
                                   .query_ids = query_ids,
                                   .pool_vectors = w->pool,
                                   .query_vectors = w->queries,
                                   .vector_size = COLUMNS,
                                   .task = "diverse" };
}

static double cosine(const float *a, const float *b)
{
    return icl_vector_dot(a, b, COLUMNS) /
           sqrt(icl_vector_dot(a, a, COLUMNS) * icl_vector_dot(b, b, COLUMNS));
}

/* What one more item is worth to those already chosen. */
typedef double worth(const world *w, size_t query, const size_t *chosen, size_t count, size_t item,
                     double lambda);

static double marginal_relevance(const world *w, size_t query, const size_t *chosen, size_t count,
                                 size_t item, double lambda)
{
    const float *vector = &w->pool[item * COLUMNS];
    const double near = cosine(&w->queries[query * COLUMNS], vector);
    if (count == 0) return near;
    double redundancy = -1;
    for (size_t i = 0; i < count; i++)
        redundancy = fmax(redundancy, cosine(&w->pool[chosen[i] * COLUMNS], vector));
    return lambda * near - (1 - lambda) * redundancy;
}

static double determinant(const world *w, size_t query, const size_t *chosen, size_t count,
                          size_t item, double lambda)
{
    static float vectors[POOL * COLUMNS];
    double relevance[POOL], log_det = 0;
    size_t set[K];
    icl_matrix_normalise_rows(vectors, w->pool, POOL, COLUMNS);
    for (size_t i = 0; i < POOL; i++)
        relevance[i] = cosine(&w->queries[query * COLUMNS], &w->pool[i * COLUMNS]);
    icl_dpp_relevance(relevance, relevance, POOL, lambda);
    const icl_dpp_kernel kernel = {
        .vectors = vectors, .relevance = relevance, .count = POOL, .columns = COLUMNS
    };
    memcpy(set, chosen, count * sizeof *set);
    set[count] = item;
    assert_int_equal(icl_dpp_log_det(&log_det, &kernel, set, count + 1), ICL_OK);
    return log_det;
}

static void choose_by_brute_force(bool *taken, const world *w, size_t query, worth *value_of,
                                  double lambda)
{
    size_t chosen[K];
    memset(taken, 0, POOL * sizeof *taken);
    for (size_t step = 0; step < K; step++) {
        double best_value = -INFINITY;
        for (size_t i = 0; i < POOL; i++) {
            const double value = taken[i] ? -INFINITY : value_of(w, query, chosen, step, i, lambda);
            if (value <= best_value) continue;
            best_value = value;
            chosen[step] = i;
        }
        taken[chosen[step]] = true;
    }
}

static void assert_equals_brute_force(const char *name, worth *value_of, double lambda)
{
    char text[64];
    snprintf(text, sizeof text, "%s(k=5, lambda=%g)", name, lambda);
    for (uint64_t seed = 0; seed < 20; seed++) {
        world w;
        fill(&w, seed);
        icl_selection selection = select_well(&w.input, text);
        for (size_t q = 0; q < QUERIES; q++) {
            bool taken[POOL];
            choose_by_brute_force(taken, &w, q, value_of, lambda);
            const size_t *line = &selection.indices[q * K];
            const double *scores = &selection.scores[q * K];
            for (size_t i = 0; i < K; i++) assert_true(taken[line[i]]);
            for (size_t i = 1; i < K; i++) assert_true(scores[i - 1] >= scores[i]);
        }
        icl_selection_deinit(&selection);
    }
}

static void test_select_mmr__equals_brute_force(void **state)
{
    (void)state;
    const double lambdas[] = { 0, 0.25, 0.5, 0.9, 1 }; /* 0: the farthest from the chosen */
    for (size_t i = 0; i < 5; i++) assert_equals_brute_force("mmr", marginal_relevance, lambdas[i]);
}

static void test_select_dpp__equals_brute_force(void **state)
{
    (void)state;
    const double lambdas[] = { 0.1, 1, 1000 };
    for (size_t i = 0; i < 3; i++) assert_equals_brute_force("dpp", determinant, lambdas[i]);
}

static void assert_same_selection(const icl_select_input *input, const char *one, const char *other)
{
    icl_selection a = select_well(input, one), b = select_well(input, other);
    assert_int_equal(a.k, b.k);
    assert_memory_equal(a.indices, b.indices, a.query_count * a.k * sizeof *a.indices);
    assert_memory_equal(a.scores, b.scores, a.query_count * a.k * sizeof *a.scores);
    icl_selection_deinit(&b);
    icl_selection_deinit(&a);
}

static void test_select_mmr__lambda_1_is_knn(void **state)
{
    (void)state;
    world w;
    fill(&w, 7);
    memcpy(&w.pool[COLUMNS], w.pool, COLUMNS * sizeof(float));
    memset(&w.pool[5 * COLUMNS], 0, COLUMNS * sizeof(float));
    assert_same_selection(&w.input, "mmr(k=6, lambda=1)", "knn(k=6)");
    assert_same_selection(&w.input, "mmr(k=12, lambda=0.3)", "knn(k=12)"); /* the whole pool */
}

static void test_select_diverse__as_many_candidates_as_k_leave_no_choice(void **state)
{
    (void)state;
    world w;
    fill(&w, 8);
    const size_t self[QUERIES] = { 3, SIZE_MAX, 0, 11, SIZE_MAX };
    w.input.query_self = self;
    assert_same_selection(&w.input, "mmr(k=5, candidates=5)", "knn(k=5)");
    assert_same_selection(&w.input, "dpp(k=5, candidates=5)", "knn(k=5)");
    assert_same_selection(&w.input, "mmr(k=4, candidates=0)", "mmr(k=4, candidates=1000)");
    assert_same_selection(&w.input, "dpp(k=11)", "knn(k=11)"); /* all but the query itself */
}

/* Three copies of one vector beside another direction: one copy, then what differs. */
static void test_select_diverse__copies_are_avoided_while_there_is_another(void **state)
{
    (void)state;
    world w;
    fill(&w, 9);
    const float pool[] = { 1, 0, 1, 0, 2, 0, 0, 1 }, query[] = { 1, 0.1F };
    w.input.pool_vectors = pool;
    w.input.query_vectors = query;
    w.input.pool_count = 4;
    w.input.query_count = 1;
    w.input.vector_size = 2;
    const char *const calls[] = { "mmr(k=2)", "dpp(k=2)" };
    for (size_t i = 0; i < 2; i++) {
        icl_selection two = select_well(&w.input, calls[i]);
        assert_true(two.indices[0] == 0 && two.indices[1] == 3);
        icl_selection_deinit(&two);
    }
    /* Then the copies by lowest index; the determinant is 0 with any of them. */
    icl_selection three = select_well(&w.input, "dpp(k=3)");
    assert_true(three.indices[0] == 0 && three.indices[1] == 1 && three.indices[2] == 3);
    icl_selection_deinit(&three);
}

static void test_select_diverse__equal_scores_come_by_lowest_index(void **state)
{
    (void)state;
    world w;
    fill(&w, 10);
    for (size_t i = COLUMNS; i < POOL * COLUMNS; i++) w.pool[i] = w.pool[i - COLUMNS];
    assert_same_selection(&w.input, "mmr(k=5)", "knn(k=5)");
    assert_same_selection(&w.input, "dpp(k=5)", "knn(k=5)");
    memset(w.pool, 0, sizeof w.pool); /* a zero vector is near to nothing */
    memset(w.queries, 0, sizeof w.queries);
    assert_same_selection(&w.input, "mmr(k=12)", "knn(k=12)");
    assert_same_selection(&w.input, "dpp(k=5)", "knn(k=5)");
}

/* golden/dpp_map.jsonl: OpenICL's kernel and greedy search. */
static void test_select_dpp__equals_openicl(void **state)
{
    (void)state;
    enum { ITEMS = 24, SIZE = 8, CHOSEN = 6 };
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/dpp_map.jsonl", "r");
    assert_non_null(file);
    const char *texts[ITEMS] = { 0 };
    size_t count = 0;
    for (json_t *line; (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL; count++) {
        float pool[ITEMS * SIZE], query[SIZE];
        for (size_t i = 0; i < SIZE; i++) {
            query[i] = (float)json_number_value(json_array_get(json_object_get(line, "query"), i));
            for (size_t row = 0; row < ITEMS; row++)
                pool[row * SIZE + i] = (float)json_number_value(
                    json_array_get(json_array_get(json_object_get(line, "vectors"), row), i));
        }
        const icl_select_input input = { .pool_count = ITEMS,
                                         .query_count = 1,
                                         .pool_texts = texts,
                                         .query_texts = texts,
                                         .query_ids = query_ids,
                                         .pool_vectors = pool,
                                         .query_vectors = query,
                                         .vector_size = SIZE,
                                         .task = "openicl" };
        char text[64];
        snprintf(text, sizeof text, "dpp(k=%d, lambda=%g)", CHOSEN,
                 json_number_value(json_object_get(line, "lambda")));
        icl_selection selection = select_well(&input, text);
        for (size_t i = 0; i < CHOSEN; i++)
            assert_int_equal(selection.indices[i], json_integer_value(json_array_get(
                                                       json_object_get(line, "chosen"), i)));
        icl_selection_deinit(&selection);
        json_decref(line);
    }
    fclose(file);
    assert_int_equal(count, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_mmr__equals_brute_force),
        cmocka_unit_test(test_select_dpp__equals_brute_force),
        cmocka_unit_test(test_select_mmr__lambda_1_is_knn),
        cmocka_unit_test(test_select_diverse__as_many_candidates_as_k_leave_no_choice),
        cmocka_unit_test(test_select_diverse__copies_are_avoided_while_there_is_another),
        cmocka_unit_test(test_select_diverse__equal_scores_come_by_lowest_index),
        cmocka_unit_test(test_select_dpp__equals_openicl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
