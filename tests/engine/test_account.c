/* The account of an engine: every token of the trie is paid once, a bound holds before anything is
 * evaluated, and what an earlier process left in the journal costs as much as what is new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <icl/engine.h>
#include <icl/sys/model.h>

enum { VOCAB_COUNT = 257, ANY = 1 << 20 };

static void flat_logits(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user;
    (void)context;
    (void)count;
    memset(out, 0, VOCAB_COUNT * sizeof *out);
}

typedef struct test_world {
    char journal[64];
    icl_model *model;
    icl_engine *engine;
} test_world;

static void open_engine(test_world *world, bool with_journal)
{
    icl_engine_options options = icl_engine_options_default();
    if (with_journal) options.journal_path = world->journal;
    assert_int_equal(icl_engine_open(&world->engine, world->model, &options), ICL_OK);
}

static int open_world(void **state)
{
    static test_world world;
    snprintf(world.journal, sizeof world.journal, "/tmp/icl-account-XXXXXX");
    close(mkstemp(world.journal));
    assert_int_equal(icl_model_open_table(&world.model, flat_logits, NULL, 0), ICL_OK);
    open_engine(&world, true);
    *state = &world;
    return 0;
}

static int close_world(void **state)
{
    test_world *world = *state;
    icl_engine_close(world->engine);
    icl_model_close(world->model);
    unlink(world->journal);
    return 0;
}

/* A request for `continuation` after each of the prefixes, a letter a token. */
static icl_batch *batch_of(const char *const *prefixes, size_t count, const char *continuation)
{
    icl_batch *batch = NULL;
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    for (size_t p = 0; p < count; p++) {
        int32_t tokens[16], asked[16];
        size_t prefix, request;
        for (size_t i = 0; prefixes[p][i] != '\0'; i++) tokens[i] = prefixes[p][i];
        for (size_t i = 0; continuation[i] != '\0'; i++) asked[i] = continuation[i];
        assert_int_equal(icl_batch_add_prefix(batch, tokens, strlen(prefixes[p]), &prefix), ICL_OK);
        assert_int_equal(icl_batch_add_score(batch, prefix, asked, strlen(continuation), &request),
                         ICL_OK);
    }
    return batch;
}

static uint64_t price(const test_world *world, const icl_batch *batch)
{
    uint64_t tokens = UINT64_MAX;
    assert_int_equal(icl_engine_price(&tokens, world->engine, &batch, 1), ICL_OK);
    return tokens;
}

static icl_status run(const test_world *world, const char *const *prefixes, size_t count)
{
    icl_batch *batch = batch_of(prefixes, count, "x");
    const icl_status status = icl_engine_run(world->engine, batch);
    icl_batch_free(batch);
    return status;
}

static const char *const two[] = { "abc", "abd" }, *const three[] = { "abc", "abd", "abe" };

static void test_account__a_token_is_paid_once(void **state)
{
    test_world *world = *state;
    icl_engine_open_account(world->engine, ANY);
    icl_batch *batch = batch_of(three, 3, "x");
    assert_int_equal(price(world, batch), 5);
    assert_int_equal(run(world, two, 2), ICL_OK);
    assert_int_equal(icl_engine_spent(world->engine), 4);
    assert_int_equal(run(world, two, 2), ICL_OK);
    assert_int_equal(icl_engine_spent(world->engine), 4);
    /* The new prompt brings its whole path: nothing of it is cached between batches. */
    assert_int_equal(price(world, batch), 3);
    icl_batch_free(batch);
}

static void test_account__equals_what_the_meter_counts(void **state)
{
    test_world *world = *state;
    icl_engine_open_account(world->engine, ANY);
    assert_int_equal(run(world, two, 2), ICL_OK);
    assert_int_equal(run(world, three, 3), ICL_OK);
    assert_int_equal(icl_engine_spent(world->engine),
                     icl_engine_get_meter(world->engine).tokens_trie);
}

/* Texts that grow by a token a batch: what the meter counts in a cache with room for them, and the
 * same when a journal has answered before. */
static void test_account__what_is_kept_is_not_paid_again(void **state)
{
    static const char *const grown[][2] = { { "abc", "abd" },
                                            { "abcx", "abdy" },
                                            { "abcxx", "abdyy" } };
    test_world *world = *state;
    for (size_t again = 0; again < 2; again++) {
        icl_engine_open_account(world->engine, ANY);
        for (size_t step = 0; step < 3; step++) {
            icl_batch *batch = batch_of(grown[step], 2, "x");
            for (size_t r = 0; r < 2; r++) icl_batch_keep(batch, r, 4);
            assert_int_equal(price(world, batch), step == 0 ? 4 : 2);
            assert_int_equal(icl_engine_run(world->engine, batch), ICL_OK);
            icl_batch_free(batch);
        }
        assert_int_equal(icl_engine_spent(world->engine), 4 + 2 + 2);
        assert_int_equal(icl_engine_get_meter(world->engine).tokens_trie, 4 + 2 + 2);
    }
    /* A batch that keeps nothing begins with an empty cache. */
    static const char *const longer[] = { "abcxxx" };
    icl_batch *batch = batch_of(longer, 1, "x");
    assert_int_equal(price(world, batch), 6);
    icl_batch_free(batch);
}

static void test_account__resumed_work_pays_what_undisturbed_work_pays(void **state)
{
    test_world *world = *state;
    assert_int_equal(run(world, two, 2), ICL_OK);
    icl_engine_close(world->engine);
    open_engine(world, true);
    icl_engine_open_account(world->engine, ANY);
    assert_int_equal(run(world, three, 3), ICL_OK);
    assert_int_equal(icl_engine_spent(world->engine), 5);
    assert_int_equal(icl_engine_get_meter(world->engine).tokens_trie, 3);
}

static void test_account__without_a_journal_everything_is_paid_again(void **state)
{
    test_world *world = *state;
    icl_engine_close(world->engine);
    open_engine(world, false);
    icl_engine_open_account(world->engine, ANY);
    assert_int_equal(run(world, two, 2), ICL_OK);
    assert_int_equal(run(world, two, 2), ICL_OK);
    assert_int_equal(icl_engine_spent(world->engine), 8);
}

static void test_account__beyond_the_bound_nothing_is_evaluated(void **state)
{
    test_world *world = *state;
    icl_engine_open_account(world->engine, 4);
    assert_int_equal(run(world, three, 3), ICL_EBUDGET);
    assert_string_equal(icl_error_message(), "5 tokens are asked for where 4 are left");
    assert_int_equal(icl_engine_spent(world->engine), 0);
    assert_int_equal(icl_engine_get_meter(world->engine).requests, 0);
    assert_int_equal(run(world, two, 2), ICL_OK);
    icl_engine_set_bound(world->engine, 2);
    assert_int_equal(run(world, three, 3), ICL_EBUDGET);
    icl_engine_set_bound(world->engine, 7);
    assert_int_equal(run(world, three, 3), ICL_OK);
}

/* Other kinds of questions cost their prefix. */
static void test_account__every_kind_of_request_has_its_price(void **state)
{
    test_world *world = *state;
    icl_engine_open_account(world->engine, ANY);
    icl_batch *batch = batch_of(two, 2, "xyz");
    assert_int_equal(price(world, batch), 8);
    size_t request;
    for (size_t top_n = 1; top_n <= 2; top_n++)
        assert_int_equal(icl_batch_add_distribution(batch, 0, top_n, &request), ICL_OK);
    assert_int_equal(price(world, batch), 8);
    assert_int_equal(icl_engine_run(world->engine, batch), ICL_OK);
    assert_int_equal(price(world, batch), 0);
    icl_batch_free(batch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_account__##name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_is_paid_once),
        TEST(equals_what_the_meter_counts),
        TEST(what_is_kept_is_not_paid_again),
        TEST(resumed_work_pays_what_undisturbed_work_pays),
        TEST(without_a_journal_everything_is_paid_again),
        TEST(beyond_the_bound_nothing_is_evaluated),
        TEST(every_kind_of_request_has_its_price),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
