/* What a run shows of a budget of picked items. */
#include <math.h>

#include "base/error.h"
#include "base/rng.h"
#include "math/matrix.h"
#include "select/picks.h"
#include "select/subset.h"

enum { POOL = 30, QUERIES = 6, COLUMNS = 3 };

typedef struct world {
    float vectors[(POOL + QUERIES) * COLUMNS];
    const char *ids[QUERIES];
    size_t self[QUERIES];
    icl_select_input input;
} world;

static const size_t picked[] = { 21, 4, 9, 2, 17, 28, 11 };

/* Queries 1 and 2 are the pool items 9 (picked) and 10 (not picked). */
static void fill(world *w)
{
    icl_rng rng = icl_rng_new(4, "subset", "", "test");
    for (size_t i = 0; i < (POOL + QUERIES) * COLUMNS; i++)
        w->vectors[i] = (float)icl_rng_normal(&rng);
    for (size_t q = 0; q < QUERIES; q++) {
        w->ids[q] = "a query";
        w->self[q] = q == 1 ? 9 : q == 2 ? 10 : SIZE_MAX;
        if (w->self[q] != SIZE_MAX)
            memcpy(&w->vectors[(POOL + q) * COLUMNS], &w->vectors[w->self[q] * COLUMNS],
                   COLUMNS * sizeof(float));
    }
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .query_count = QUERIES,
                                   .query_self = w->self,
                                   .query_ids = w->ids,
                                   .pool_vectors = w->vectors,
                                   .query_vectors = &w->vectors[POOL * COLUMNS],
                                   .vector_size = COLUMNS,
                                   .task = "subset" };
}

static icl_status pick_these(size_t *out, size_t budget, const icl_select_input *input,
                             const icl_options *options)
{
    memcpy(out, picked, budget * sizeof *out);
    return ICL_OK;
}

static icl_status pick_none(size_t *out, size_t budget, const icl_select_input *input,
                            const icl_options *options)
{
    return icl_error_set(ICL_EMODEL, "nothing picked");
}

/* The buffers that icl_select_run would give. */
static icl_status show(icl_selection *out, const icl_select_input *input, const char *text,
                       icl_pick_items *pick)
{
    icl_call call = { 0 };
    icl_options options = { 0 };
    const icl_select_method *method = NULL;
    assert_int_equal(icl_call_parse(&call, text, strlen(text)), ICL_OK);
    assert_int_equal(icl_select_find(&method, call.name), ICL_OK);
    assert_int_equal(icl_options_read(&options, &method->card, &call), ICL_OK);
    const size_t k = (size_t)icl_options_int(&options, "k");
    *out = (icl_selection){ .query_count = input->query_count, .k = k };
    out->indices = calloc(input->query_count * k, sizeof *out->indices);
    out->scores = calloc(input->query_count * k, sizeof *out->scores);
    const icl_status status = icl_subset_run(out, input, &options, pick);
    icl_options_deinit(&options);
    icl_call_deinit(&call);
    return status;
}

static double cosine(const world *w, size_t query, size_t item)
{
    const float *a = &w->vectors[(POOL + query) * COLUMNS], *b = &w->vectors[item * COLUMNS];
    return icl_vector_dot(a, b, COLUMNS) /
           sqrt(icl_vector_dot(a, a, COLUMNS) * icl_vector_dot(b, b, COLUMNS));
}

static bool is_shown(const icl_selection *selection, size_t query, size_t item)
{
    for (size_t i = 0; i < selection->k; i++)
        if (selection->indices[query * selection->k + i] == item) return true;
    return false;
}

static void assert_nearest_first(const world *w, const icl_selection *selection, size_t query)
{
    const size_t *line = &selection->indices[query * selection->k];
    for (size_t i = 0; i < selection->k; i++) {
        assert_true(fabs(selection->scores[query * selection->k + i] - cosine(w, query, line[i])) <
                    1e-6);
        if (i > 0) assert_true(cosine(w, query, line[i - 1]) >= cosine(w, query, line[i]));
    }
}

static void test_subset__a_query_is_shown_the_nearest_picks(void **state)
{
    (void)state;
    world w;
    icl_selection selection;
    fill(&w);
    assert_int_equal(show(&selection, &w.input, "votek(k=3, budget=7)", pick_these), ICL_OK);
    for (size_t q = 0; q < QUERIES; q++) {
        assert_nearest_first(&w, &selection, q);
        const double worst = cosine(&w, q, selection.indices[q * 3 + 2]);
        for (size_t i = 0; i < 7; i++)
            if (!is_shown(&selection, q, picked[i]) && picked[i] != w.self[q])
                assert_true(cosine(&w, q, picked[i]) <= worst);
        assert_false(is_shown(&selection, q, w.self[q]));
    }
    icl_selection_deinit(&selection);
}

/* Query 1 was picked itself: the nearest of the rest takes its place, and only for that query. */
static void test_subset__the_nearest_outside_fills_what_the_query_leaves(void **state)
{
    (void)state;
    world w;
    icl_selection selection;
    fill(&w);
    assert_int_equal(show(&selection, &w.input, "votek(k=7, budget=7)", pick_these), ICL_OK);
    size_t outside = SIZE_MAX;
    for (size_t i = 0; i < 7; i++) {
        bool was_picked = false;
        for (size_t p = 0; p < 7; p++) was_picked |= picked[p] == selection.indices[7 + i];
        if (!was_picked) outside = selection.indices[7 + i];
    }
    assert_true(outside != SIZE_MAX && !is_shown(&selection, 1, 9));
    assert_nearest_first(&w, &selection, 1);
    for (size_t item = 0; item < POOL; item++)
        if (!is_shown(&selection, 1, item) && item != 9)
            assert_true(cosine(&w, 1, item) <= cosine(&w, 1, outside));
    for (size_t q = 0; q < QUERIES; q++)
        for (size_t i = 0; q != 1 && i < 7; i++) assert_true(is_shown(&selection, q, picked[i]));
    icl_selection_deinit(&selection);
}

static void test_subset__a_budget_above_the_pool_is_the_pool(void **state)
{
    (void)state;
    world w;
    fill(&w);
    icl_selection all = select_well(&w.input, "votek(k=5, budget=1000)");
    icl_selection knn = select_well(&w.input, "knn(k=5)");
    assert_memory_equal(all.indices, knn.indices, QUERIES * 5 * sizeof *knn.indices);
    icl_selection_deinit(&knn);
    icl_selection_deinit(&all);
}

static void test_subset__a_budget_below_k_is_refused(void **state)
{
    (void)state;
    world w;
    icl_selection selection = { .k = 77 };
    fill(&w);
    assert_int_equal(select_status(&selection, &w.input, "diversity(k=6, budget=5)"), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "k=6 demonstrations asked, but diversity(budget=5) labels 5");
    assert_int_equal(selection.k, 77);
}

static void test_subset__passes_on_why_nothing_was_picked(void **state)
{
    (void)state;
    world w;
    icl_selection selection;
    fill(&w);
    assert_int_equal(show(&selection, &w.input, "votek(k=3, budget=7)", pick_none), ICL_EMODEL);
    icl_selection_deinit(&selection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subset__a_query_is_shown_the_nearest_picks),
        cmocka_unit_test(test_subset__the_nearest_outside_fills_what_the_query_leaves),
        cmocka_unit_test(test_subset__a_budget_above_the_pool_is_the_pool),
        cmocka_unit_test(test_subset__a_budget_below_k_is_refused),
        cmocka_unit_test(test_subset__passes_on_why_nothing_was_picked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
