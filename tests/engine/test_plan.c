/* The planner as a pure function: printed plans that can be checked by hand, and the promises of
 * every plan on random batches, played on a simulated cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <icl/engine.h>

#include "base/file.h"
#include "base/rng.h"
#include "engine/plan_check.h"

static icl_batch *new_batch(void)
{
    icl_batch *batch = NULL;
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    return batch;
}

/* Tokens are the bytes of the text. */
static size_t add_prefix(icl_batch *batch, const char *text)
{
    int32_t tokens[64];
    const size_t count = strlen(text);
    size_t prefix;
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++) tokens[i] = (unsigned char)text[i];
    assert_int_equal(icl_batch_add_prefix(batch, tokens, count, &prefix), ICL_OK);
    return prefix;
}

static void add_score(icl_batch *batch, size_t prefix, const char *text)
{
    int32_t tokens[64];
    const size_t count = strlen(text);
    size_t request;
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++) tokens[i] = (unsigned char)text[i];
    assert_int_equal(icl_batch_add_score(batch, prefix, tokens, count, &request), ICL_OK);
}

static icl_plan *plan_of(const icl_batch *batch, icl_plan_limits limits)
{
    icl_plan *plan = NULL;
    if (icl_plan_new(&plan, batch, &limits) != ICL_OK) fail_msg("%s", icl_error_message());
    return plan;
}

/* Compares the printed plan with tests/golden/plan_<name>.txt; ICL_GOLDEN_WRITE=1 writes it. */
static void check_golden(const char *name, icl_batch *batch, icl_plan_limits limits)
{
    char path[4096], *text = NULL;
    icl_plan *plan = plan_of(batch, limits);
    assert_int_equal(icl_plan_print(&text, plan), ICL_OK);
    const char *broken = plan_broken_promise(plan, batch);
    if (broken != NULL) fail_msg("%s: %s\n%s", name, broken, text);
    snprintf(path, sizeof path, "%s/tests/golden/plan_%s.txt", ICL_SOURCE_DIR, name);
    if (getenv("ICL_GOLDEN_WRITE") != NULL)
        assert_int_equal(icl_file_write_atomic(path, text, strlen(text)), ICL_OK);
    icl_text golden = { 0 };
    if (icl_file_read(&golden, path, 1 << 20) != ICL_OK) fail_msg("%s", icl_error_message());
    assert_string_equal(text, icl_text_string(&golden));
    icl_text_deinit(&golden);
    free(text);
    icl_plan_free(plan);
    icl_batch_free(batch);
}

static const icl_plan_limits roomy = {
    .cells_max = 1000, .call_tokens_max = 100, .sequences_max = 16, .row_floor = 1
};

/* Two prefixes share 3 tokens and differ in a 4th: 3 + 1 + 1 tokens are evaluated, not 4 + 4. */
static void test_plan__shared_prefix_is_evaluated_once(void **state)
{
    icl_batch *batch = new_batch();
    add_score(batch, add_prefix(batch, "abcd"), "y");
    add_score(batch, add_prefix(batch, "abce"), "y");
    check_golden("shared_prefix", batch, roomy);
}

static void test_plan__one_token_labels_read_one_row(void **state)
{
    icl_batch *batch = new_batch();
    const size_t prefix = add_prefix(batch, "abcd");
    add_score(batch, prefix, "x");
    add_score(batch, prefix, "y");
    add_score(batch, prefix, "z");
    check_golden("one_token_labels", batch, roomy);
}

/* A hidden state (h) is read with the row that everything else asked of the prefix reads. */
static void test_plan__vectors_read_the_prefixs_row(void **state)
{
    size_t request;
    icl_batch *batch = new_batch();
    const size_t prefix = add_prefix(batch, "abc"), longer = add_prefix(batch, "abcd");
    add_score(batch, prefix, "x");
    assert_int_equal(icl_batch_add_hidden(batch, prefix, &request), ICL_OK);
    assert_int_equal(icl_batch_add_whole_distribution(batch, longer, &request), ICL_OK);
    assert_int_equal(icl_batch_add_hidden(batch, longer, &request), ICL_OK);
    icl_plan *plan = plan_of(batch, roomy);
    assert_int_equal(icl_plan_get_stats(plan)->hidden_states, 2);
    assert_int_equal(icl_plan_get_stats(plan)->whole_distributions, 1);
    assert_int_equal(icl_plan_get_stats(plan)->logits_rows, 2);
    assert_int_equal(icl_plan_get_stats(plan)->tokens_asked, 3 + 3 + 4 + 4);
    icl_plan_free(plan);
    check_golden("vectors", batch, roomy);
}

/* Labels "x", "xy", "xyz" and "xz" need x and xy behind the prefix, and nothing else. */
static void test_plan__nested_labels_share_their_beginning(void **state)
{
    icl_batch *batch = new_batch();
    const size_t prefix = add_prefix(batch, "ab");
    add_score(batch, prefix, "xyz");
    add_score(batch, prefix, "xz");
    add_score(batch, prefix, "x");
    add_score(batch, prefix, "xy");
    check_golden("nested_labels", batch, roomy);
}

/* Seven leaves for three leaf sequences: waves that start from the same trunk. */
static void test_plan__more_siblings_than_sequences_take_several_waves(void **state)
{
    icl_batch *batch = new_batch();
    const char *queries[] = { "abp", "abq", "abr", "abs", "abt", "abu", "abv" };
    for (size_t i = 0; i < 7; i++) add_score(batch, add_prefix(batch, queries[i]), "yn");
    icl_plan_limits limits = roomy;
    limits.sequences_max = 4;
    check_golden("many_siblings", batch, limits);
}

/* Six cells hold one path and little more: the trunk is cut back and grows again. */
static void test_plan__tiny_budget_cuts_the_trunk_back(void **state)
{
    icl_batch *batch = new_batch();
    const char *queries[] = { "abcd", "abce", "abfg", "abfhi", "jk" };
    for (size_t i = 0; i < 5; i++) {
        const size_t prefix = add_prefix(batch, queries[i]);
        add_score(batch, prefix, "yz");
        add_score(batch, prefix, "n");
    }
    icl_plan_limits limits = roomy;
    limits.cells_max = 6;
    limits.call_tokens_max = 2;
    check_golden("tiny_budget", batch, limits);
}

static void test_plan__long_chain_is_cut_into_even_calls(void **state)
{
    icl_batch *batch = new_batch();
    add_score(batch, add_prefix(batch, "abcdefghij"), "y");
    icl_plan_limits limits = roomy;
    limits.call_tokens_max = 4;
    check_golden("long_chain", batch, limits);
}

/* ---- random batches ---- */

typedef struct drawn_request {
    size_t prefix, count;
    int32_t continuation[5];
} drawn_request;

typedef struct drawn_batch {
    int32_t prefixes[12][24];
    size_t prefix_lengths[12], prefix_count;
    drawn_request requests[60];
    size_t request_count;
} drawn_batch;

/* Small alphabets, so that much is shared, nested and repeated. */
static void draw_batch(drawn_batch *out, uint64_t seed)
{
    icl_rng rng = icl_rng_new(seed, "plan", NULL, NULL);
    const size_t letters = 1 + icl_rng_below(&rng, 3), common = icl_rng_below(&rng, 16);
    out->prefix_count = 1 + icl_rng_below(&rng, 12);
    for (size_t p = 0; p < out->prefix_count; p++) {
        out->prefix_lengths[p] = 1 + icl_rng_below(&rng, 24);
        for (size_t i = 0; i < out->prefix_lengths[p]; i++)
            out->prefixes[p][i] = i < common ? 0 : (int32_t)icl_rng_below(&rng, letters);
    }
    out->request_count = 1 + icl_rng_below(&rng, 60);
    for (size_t r = 0; r < out->request_count; r++) {
        drawn_request *request = &out->requests[r];
        request->prefix = icl_rng_below(&rng, out->prefix_count);
        request->count = icl_rng_below(&rng, 6); /* 0: a distribution */
        for (size_t i = 0; i < request->count; i++)
            request->continuation[i] = (int32_t)icl_rng_below(&rng, letters + 1);
    }
}

/* A continuation, or without one a question about the prefix itself. */
static icl_status add_drawn(icl_batch *batch, size_t prefix, const drawn_request *from)
{
    size_t request;
    if (from->count > 0)
        return icl_batch_add_score(batch, prefix, from->continuation, from->count, &request);
    switch (from->prefix % 3) {
    case 0:
        return icl_batch_add_distribution(batch, prefix, 2, &request);
    case 1:
        return icl_batch_add_whole_distribution(batch, prefix, &request);
    default:
        return icl_batch_add_hidden(batch, prefix, &request);
    }
}

/* The drawn requests in the given order; prefixes in the order of their first use. */
static icl_batch *batch_of(const drawn_batch *drawn, const size_t *order)
{
    icl_batch *batch = new_batch();
    size_t ids[12];
    for (size_t p = 0; p < 12; p++) ids[p] = SIZE_MAX;
    for (size_t i = 0; i < drawn->request_count; i++) {
        const drawn_request *from = &drawn->requests[order[i]];
        size_t *id = &ids[from->prefix];
        if (*id == SIZE_MAX)
            assert_int_equal(icl_batch_add_prefix(batch, drawn->prefixes[from->prefix],
                                                  drawn->prefix_lengths[from->prefix], id),
                             ICL_OK);
        assert_int_equal(add_drawn(batch, *id, from), ICL_OK);
    }
    return batch;
}

/* A longest path always fits; everything else may be as tight as it gets. */
static icl_plan_limits draw_limits(uint64_t seed)
{
    icl_rng rng = icl_rng_new(seed, "limits", NULL, NULL);
    return (icl_plan_limits){ .cells_max = 28 + icl_rng_below(&rng, 200),
                              .call_tokens_max = 1 + icl_rng_below(&rng, 40),
                              .sequences_max = 2 + icl_rng_below(&rng, 14),
                              .row_floor = 1 + icl_rng_below(&rng, 8) };
}

static void identity_order(size_t order[60])
{
    for (size_t i = 0; i < 60; i++) order[i] = i;
}

static void test_plan__keeps_its_promises_on_random_batches(void **state)
{
    static drawn_batch drawn;
    size_t order[60];
    identity_order(order);
    for (uint64_t seed = 0; seed < 500; seed++) {
        draw_batch(&drawn, seed);
        icl_batch *batch = batch_of(&drawn, order);
        icl_plan *plan = plan_of(batch, draw_limits(seed));
        const char *broken = plan_broken_promise(plan, batch);
        if (broken != NULL) fail_msg("seed %llu: %s", (unsigned long long)seed, broken);
        icl_plan_free(plan);
        icl_batch_free(batch);
    }
}

static void test_plan__does_not_depend_on_the_order_of_requests(void **state)
{
    static drawn_batch drawn;
    for (uint64_t seed = 0; seed < 100; seed++) {
        size_t order[60];
        char *first = NULL, *second = NULL;
        draw_batch(&drawn, seed);
        identity_order(order);
        icl_batch *batch = batch_of(&drawn, order);
        icl_rng rng = icl_rng_new(seed, "order", NULL, NULL);
        icl_rng_shuffle(&rng, order, drawn.request_count);
        icl_batch *shuffled = batch_of(&drawn, order);
        icl_plan *plan = plan_of(batch, draw_limits(seed));
        icl_plan *other = plan_of(shuffled, draw_limits(seed));
        assert_int_equal(icl_plan_print(&first, plan), ICL_OK);
        assert_int_equal(icl_plan_print(&second, other), ICL_OK);
        assert_string_equal(first, second);
        free(first);
        free(second);
        icl_plan_free(plan);
        icl_plan_free(other);
        icl_batch_free(batch);
        icl_batch_free(shuffled);
    }
}

/* Padding is what the floor adds to calls with too few tokens or rows, and nothing when it is 1. */
static void test_plan__padding_follows_the_row_floor(void **state)
{
    icl_batch *batch = new_batch();
    add_score(batch, add_prefix(batch, "abcdefghij"), "y");
    icl_plan_limits limits = roomy;
    limits.call_tokens_max = 4; /* calls of 4, 3 and 3 tokens; a row in the last */
    icl_plan *plan = plan_of(batch, limits);
    assert_int_equal(icl_plan_get_stats(plan)->tokens_evaluated, 10);
    assert_int_equal(icl_plan_get_stats(plan)->rows_padding, 0);
    icl_plan_free(plan);
    limits.row_floor = 4;
    plan = plan_of(batch, limits);
    assert_int_equal(icl_plan_get_stats(plan)->tokens_evaluated, 12);
    assert_int_equal(icl_plan_get_stats(plan)->rows_padding, 3);
    icl_plan_free(plan);
    icl_batch_free(batch);
}

static void check_refused(icl_plan_limits limits, icl_status expected, const char *sentence)
{
    icl_batch *batch = new_batch();
    icl_plan *plan = NULL;
    add_score(batch, add_prefix(batch, "abcde"), "yz");
    add_score(batch, add_prefix(batch, "abcdf"), "y");
    assert_int_equal(icl_plan_new(&plan, batch, &limits), expected);
    assert_string_equal(icl_error_message(), sentence);
    assert_null(plan);
    icl_batch_free(batch);
}

static void test_plan__a_path_that_cannot_fit_is_refused(void **state)
{
    icl_plan_limits limits = roomy;
    limits.window_tokens = 5;
    check_refused(limits, ICL_ECONTEXT,
                  "a prompt of 6 tokens exceeds the model's window of 5 tokens");
    limits = roomy;
    limits.cells_max = 5;
    check_refused(limits, ICL_ECONTEXT,
                  "a prompt of 6 tokens exceeds the cache budget of 5 tokens");
    limits = roomy;
    limits.sequences_max = 1;
    check_refused(limits, ICL_EINVAL,
                  "plan limits need at least 2 sequences, 1 cell, 1 token per call and a row floor "
                  "of 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan__shared_prefix_is_evaluated_once),
        cmocka_unit_test(test_plan__one_token_labels_read_one_row),
        cmocka_unit_test(test_plan__vectors_read_the_prefixs_row),
        cmocka_unit_test(test_plan__nested_labels_share_their_beginning),
        cmocka_unit_test(test_plan__more_siblings_than_sequences_take_several_waves),
        cmocka_unit_test(test_plan__tiny_budget_cuts_the_trunk_back),
        cmocka_unit_test(test_plan__long_chain_is_cut_into_even_calls),
        cmocka_unit_test(test_plan__keeps_its_promises_on_random_batches),
        cmocka_unit_test(test_plan__does_not_depend_on_the_order_of_requests),
        cmocka_unit_test(test_plan__padding_follows_the_row_floor),
        cmocka_unit_test(test_plan__a_path_that_cannot_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
