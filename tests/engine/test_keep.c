/* Batches that keep what they evaluate: no answer changes, and a token is paid for once. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <icl/sys/model.h>

#include "base/error.h"
#include "hashed_model.h"
#include "engine/writer.h"

enum { PROMPT = 40, ROUNDS = 16, TO_COME = 40 };

typedef struct setting {
    size_t cells;       /* 0: as many as there are */
    size_t call_tokens; /* 0: the model's */
    const char *journal;
    bool keeps;
} setting;

static icl_model *open_table(void)
{
    icl_model *model = NULL;
    const icl_table table = { .logits = hashed_logits,
                              .hidden = hashed_state,
                              .hidden_size = STATE_SIZE,
                              .window_tokens = 400 };
    assert_int_equal(icl_model_open_table_of(&model, &table), ICL_OK);
    return model;
}

static icl_engine *open_engine(icl_model *model, const setting *how)
{
    icl_engine *engine = NULL;
    icl_engine_options options = icl_engine_options_default();
    options.cache_bytes_max = how->cells * sizeof(int32_t);
    options.call_tokens_max = how->call_tokens;
    options.journal_path = how->journal;
    if (icl_engine_open(&engine, model, &options) != ICL_OK) fail_msg("%s", icl_error_message());
    return engine;
}

static icl_status run_round(writer *self, icl_engine *engine)
{
    icl_batch *batch = NULL;
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    assert_int_equal(writer_ask(self, batch, TO_COME), ICL_OK);
    const icl_status status = icl_engine_run(engine, batch);
    if (status == ICL_OK) writer_take(self, batch, PROMPT);
    icl_batch_free(batch);
    return status;
}

/* All that a writer is told. */
static icl_hash128 write_with(const setting *how, uint64_t seed, icl_meter *out_meter)
{
    static writer self;
    icl_model *model = open_table();
    icl_engine *engine = open_engine(model, how);
    self.keeps = how->keeps;
    self.hidden = true;
    writer_begin(&self, seed, 4 + seed % 17, PROMPT, VOCAB_COUNT);
    for (size_t round = 0; round < ROUNDS; round++)
        if (run_round(&self, engine) != ICL_OK) fail_msg("%s", icl_error_message());
    if (out_meter != NULL) *out_meter = icl_engine_get_meter(engine);
    icl_engine_close(engine);
    icl_model_close(model);
    return icl_hash_end(&self.answers);
}

static void assert_same(icl_hash128 left, icl_hash128 right)
{
    assert_true(left.low == right.low && left.high == right.high);
}

static void test_keep__changes_no_answer(void **state)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        icl_meter alone, kept;
        const icl_hash128 expected = write_with(&(setting){ 0 }, seed, &alone);
        const setting calls = { .keeps = true, .call_tokens = 1 + seed % 37 };
        assert_same(write_with(&(setting){ .keeps = true }, seed, &kept), expected);
        assert_same(write_with(&calls, seed, NULL), expected);
        assert_true(kept.tokens_trie < alone.tokens_trie);
        assert_int_equal(kept.requests, alone.requests);
        assert_int_equal(kept.tokens_asked, alone.tokens_asked);
        assert_int_equal(kept.tokens_evaluated, kept.tokens_trie);
    }
}

/* Caches from one longest path on: paths are let go and read again, and none is refused. */
static void test_keep__small_budgets_change_no_answer(void **state)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        icl_meter alone, kept;
        const icl_hash128 expected = write_with(&(setting){ 0 }, seed, &alone);
        for (size_t cells = WRITER_TOKENS; cells < 900; cells += 97 + seed) {
            const setting small = { .keeps = true, .cells = cells, .call_tokens = 8 + seed };
            assert_same(write_with(&small, seed, &kept), expected);
            assert_true(kept.tokens_trie <= alone.tokens_trie);
        }
    }
}

static void test_keep__a_journal_changes_no_answer(void **state)
{
    char path[] = "/tmp/icl-test-keep-XXXXXX", journal[64];
    assert_non_null(mkdtemp(path));
    snprintf(journal, sizeof journal, "%s/journal.sqlite", path);
    for (uint64_t seed = 0; seed < 6; seed++) {
        const icl_hash128 expected = write_with(&(setting){ 0 }, seed, NULL);
        const setting with = { .keeps = true, .journal = journal };
        static writer before;
        icl_model *model = open_table();
        icl_engine *engine = open_engine(model, &with);
        before.hidden = true;
        writer_begin(&before, seed, 4 + seed % 17, PROMPT, VOCAB_COUNT);
        for (size_t round = 0; round < 5; round++)
            assert_int_equal(run_round(&before, engine), ICL_OK);
        icl_engine_close(engine);
        icl_model_close(model);
        icl_meter meter;
        assert_same(write_with(&with, seed, &meter), expected);
        assert_true(meter.requests_cached > 0 && meter.requests > 0);
        assert_same(write_with(&with, seed, &meter), expected);
        assert_int_equal(meter.tokens_trie, 0);
        unlink(journal);
    }
    rmdir(path);
}

/* ---- what it costs ---- */

enum { TEXTS = 20, LENGTH = 30, STEPS = 12 };

/* A token a text and step, TEXTS prompts of LENGTH tokens that share `shared` of them. */
static icl_meter generate(size_t shared, size_t cells, bool keeps)
{
    static int32_t texts[TEXTS][LENGTH + STEPS];
    icl_model *model = open_table();
    icl_engine *engine = open_engine(model, &(setting){ .cells = cells });
    for (size_t t = 0; t < TEXTS; t++)
        for (size_t i = 0; i < LENGTH; i++) texts[t][i] = (int32_t)(i < shared ? 0 : t);
    for (size_t step = 0; step < STEPS; step++) {
        icl_batch *batch = NULL;
        assert_int_equal(icl_batch_new(&batch), ICL_OK);
        for (size_t t = 0; t < TEXTS; t++) {
            size_t prefix, request;
            assert_int_equal(icl_batch_add_prefix(batch, texts[t], LENGTH + step, &prefix), ICL_OK);
            assert_int_equal(icl_batch_add_distribution(batch, prefix, 1, &request), ICL_OK);
            if (keeps) icl_batch_keep(batch, request, STEPS - step);
        }
        if (icl_engine_run(engine, batch) != ICL_OK) fail_msg("%s", icl_error_message());
        for (size_t t = 0; t < TEXTS; t++) {
            size_t count;
            const double *nats;
            texts[t][LENGTH + step] = icl_batch_top_tokens(batch, t, &nats, &count)[0];
        }
        icl_batch_free(batch);
    }
    const icl_meter meter = icl_engine_get_meter(engine);
    icl_engine_close(engine);
    icl_model_close(model);
    return meter;
}

/* The prompts once and a token a step; the last token of a text is never evaluated. */
static void test_keep__a_written_token_costs_one_token(void **state)
{
    assert_int_equal(generate(0, 0, true).tokens_trie, TEXTS * LENGTH + TEXTS * (STEPS - 1));
    assert_int_equal(generate(10, 0, true).tokens_trie,
                     10 + TEXTS * (LENGTH - 10) + TEXTS * (STEPS - 1));
    size_t again = 0;
    for (size_t step = 0; step < STEPS; step++) again += TEXTS * (LENGTH + step);
    assert_int_equal(generate(0, 0, false).tokens_trie, again);
}

/* A cache with room for less than all: those that stay are not read again. */
static void test_keep__what_stays_is_not_read_again(void **state)
{
    const uint64_t all = generate(0, 0, true).tokens_trie, none = generate(0, 0, false).tokens_trie;
    uint64_t before = none + 1;
    for (size_t cells = 100; cells < 1200; cells += 200) {
        const uint64_t some = generate(0, cells, true).tokens_trie;
        assert_true(some >= all && some <= none && some <= before);
        before = some;
    }
    assert_int_equal(before, all);
    assert_true(generate(0, 700, true).tokens_trie < (all + none) / 2);
}

/* ---- what lets everything go ---- */

typedef struct trap {
    size_t left; /* evaluations until it snaps */
    icl_model *model;
    bool breaks; /* the logits; otherwise the run is interrupted */
} trap;

static void trapped_logits(void *user, float *out, const int32_t *context, size_t count)
{
    trap *self = user;
    hashed_logits(NULL, out, context, count);
    if (self->left == 0 || --self->left > 0) return;
    if (self->breaks)
        out[0] = NAN;
    else
        icl_model_interrupt(self->model);
}

/* A run that stops in the middle, and the same questions again. */
static void check_after_failure(uint64_t seed, bool breaks, icl_status expected_status)
{
    static writer self, saved;
    const icl_hash128 expected = write_with(&(setting){ 0 }, seed, NULL);
    trap snare = { .breaks = breaks };
    icl_rng rng = icl_rng_new(seed, "trap", NULL, NULL);
    size_t failures = 0;
    const icl_table table = {
        .logits = trapped_logits, .hidden = hashed_state, .hidden_size = STATE_SIZE, .user = &snare
    };
    assert_int_equal(icl_model_open_table_of(&snare.model, &table), ICL_OK);
    icl_engine *engine = open_engine(snare.model, &(setting){ .call_tokens = 7 });
    self.keeps = self.hidden = true;
    writer_begin(&self, seed, 4 + seed % 17, PROMPT, VOCAB_COUNT);
    for (size_t round = 0; round < ROUNDS; round++) {
        saved = self;
        snare.left = 1 + icl_rng_below(&rng, 20);
        const icl_status status = run_round(&self, engine);
        snare.left = 0;
        icl_model_clear_interrupt(snare.model);
        if (status == ICL_OK) continue;
        assert_int_equal(status, expected_status);
        failures++;
        self = saved;
        assert_int_equal(run_round(&self, engine), ICL_OK);
    }
    assert_true(failures > 0);
    assert_same(icl_hash_end(&self.answers), expected);
    icl_engine_close(engine);
    icl_model_close(snare.model);
}

static void test_keep__goes_on_after_an_interruption(void **state)
{
    for (uint64_t seed = 0; seed < 10; seed++) check_after_failure(seed, false, ICL_ECANCELLED);
}

static void test_keep__goes_on_after_an_error(void **state)
{
    for (uint64_t seed = 0; seed < 10; seed++) check_after_failure(seed, true, ICL_EMODEL);
}

/* Others may prepare the cache between two rounds: a plan's bytes, a measurement, another engine.
 */
static void test_keep__others_may_use_the_model_in_between(void **state)
{
    static writer self;
    for (uint64_t seed = 0; seed < 9; seed++) {
        const icl_hash128 expected = write_with(&(setting){ 0 }, seed, NULL);
        icl_model *model = open_table();
        icl_engine *engine = open_engine(model, &(setting){ 0 }),
                   *other = open_engine(model, &(setting){ 0 });
        const int32_t tokens[] = { 1, 2, 3 };
        self.keeps = self.hidden = true;
        writer_begin(&self, seed, 4 + seed % 17, PROMPT, VOCAB_COUNT);
        for (size_t round = 0; round < ROUNDS; round++) {
            icl_batch *batch = NULL;
            icl_plan *plan = NULL;
            size_t prefix, request;
            uint64_t bytes;
            double rate;
            assert_int_equal(run_round(&self, engine), ICL_OK);
            assert_int_equal(icl_batch_new(&batch), ICL_OK);
            assert_int_equal(icl_batch_add_prefix(batch, tokens, 3, &prefix), ICL_OK);
            assert_int_equal(icl_batch_add_distribution(batch, prefix, 1, &request), ICL_OK);
            const icl_plan_limits limits = icl_engine_limits(engine);
            assert_int_equal(icl_plan_new(&plan, batch, &limits), ICL_OK);
            if (round % 4 == 1)
                assert_int_equal(icl_engine_plan_bytes(engine, plan, &bytes), ICL_OK);
            if (round % 4 == 2)
                assert_int_equal(icl_engine_measure_prefill(engine, 4, 4, 0, &rate), ICL_OK);
            if (round % 4 == 3) assert_int_equal(icl_engine_run(other, batch), ICL_OK);
            icl_plan_free(plan);
            icl_batch_free(batch);
        }
        assert_same(icl_hash_end(&self.answers), expected);
        icl_engine_close(other);
        icl_engine_close(engine);
        icl_model_close(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep__changes_no_answer),
        cmocka_unit_test(test_keep__small_budgets_change_no_answer),
        cmocka_unit_test(test_keep__a_journal_changes_no_answer),
        cmocka_unit_test(test_keep__a_written_token_costs_one_token),
        cmocka_unit_test(test_keep__what_stays_is_not_read_again),
        cmocka_unit_test(test_keep__goes_on_after_an_interruption),
        cmocka_unit_test(test_keep__goes_on_after_an_error),
        cmocka_unit_test(test_keep__others_may_use_the_model_in_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
