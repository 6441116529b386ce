/* The engine against brute force on the table model, whose logits depend on every token of the
 * context, so that any slip in sequences, positions or sharing changes an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

#include <cmocka.h>

#include <icl/engine.h>
#include <icl/sys/model.h>

#include "base/rng.h"
#include "hashed_model.h"
#include "near.h"

/* log P(token | context), straight from the definition in double precision. */
static double reference_logprob(const int32_t *context, size_t count, int32_t token)
{
    float logits[VOCAB_COUNT];
    hashed_logits(NULL, logits, context, count);
    double sum = 0;
    for (size_t i = 0; i < VOCAB_COUNT; i++) sum += exp((double)logits[i]);
    return (double)logits[token] - log(sum);
}

typedef struct question_set {
    int32_t prefix[64][40];
    size_t prefix_count, prefix_length[64];
    int32_t continuation[400][6];
    size_t count, length[400], of_prefix[400];
} question_set;

/* Prefixes over a two-letter alphabet share a lot; continuations repeat and nest. */
static void draw_questions(question_set *out, uint64_t seed)
{
    icl_rng rng = icl_rng_new(seed, "engine", NULL, NULL);
    out->prefix_count = 1 + icl_rng_below(&rng, 64);
    for (size_t p = 0; p < out->prefix_count; p++) {
        out->prefix_length[p] = 1 + icl_rng_below(&rng, 40);
        for (size_t i = 0; i < out->prefix_length[p]; i++)
            out->prefix[p][i] = 'a' + (int32_t)icl_rng_below(&rng, i < 8 ? 1 : 2);
    }
    out->count = 1 + icl_rng_below(&rng, 400);
    for (size_t r = 0; r < out->count; r++) {
        out->of_prefix[r] = icl_rng_below(&rng, out->prefix_count);
        out->length[r] = 1 + icl_rng_below(&rng, 6);
        for (size_t i = 0; i < out->length[r]; i++)
            out->continuation[r][i] = 'a' + (int32_t)icl_rng_below(&rng, 3);
    }
}

static icl_batch *batch_of(const question_set *questions, const size_t *order, size_t count)
{
    icl_batch *batch = NULL;
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    size_t prefix_ids[64], request;
    for (size_t p = 0; p < questions->prefix_count; p++)
        assert_int_equal(icl_batch_add_prefix(batch, questions->prefix[p],
                                              questions->prefix_length[p], &prefix_ids[p]),
                         ICL_OK);
    for (size_t i = 0; i < count; i++) {
        const size_t r = order == NULL ? i : order[i];
        assert_int_equal(icl_batch_add_score(batch, prefix_ids[questions->of_prefix[r]],
                                             questions->continuation[r], questions->length[r],
                                             &request),
                         ICL_OK);
        assert_int_equal(request, i);
    }
    return batch;
}

static double reference_score(const question_set *questions, size_t r)
{
    int32_t context[64];
    const size_t prefix = questions->of_prefix[r];
    size_t count = questions->prefix_length[prefix];
    memcpy(context, questions->prefix[prefix], count * sizeof *context);
    double sum = 0;
    for (size_t i = 0; i < questions->length[r]; i++) {
        sum += reference_logprob(context, count, questions->continuation[r][i]);
        context[count++] = questions->continuation[r][i];
    }
    return sum;
}

static icl_engine *open_engine(icl_model *model, const icl_engine_options *options)
{
    icl_engine *engine = NULL;
    assert_int_equal(icl_engine_open(&engine, model, options), ICL_OK);
    return engine;
}

static icl_model *open_table(size_t *evaluations)
{
    icl_model *model = NULL;
    assert_int_equal(icl_model_open_table(&model, hashed_logits, evaluations, 0), ICL_OK);
    return model;
}

static void test_engine__equals_brute_force(void **state)
{
    (void)state;
    static question_set questions;
    for (uint64_t seed = 0; seed < 30; seed++) {
        draw_questions(&questions, seed);
        icl_model *model = open_table(NULL);
        icl_engine *engine = open_engine(model, NULL);
        icl_batch *batch = batch_of(&questions, NULL, questions.count);
        assert_int_equal(icl_engine_run(engine, batch), ICL_OK);
        /* Float exponentials in the normaliser: 257 of relative error 2e-7 each. */
        for (size_t r = 0; r < questions.count; r++)
            assert_near(icl_batch_logprob_nats(batch, r), reference_score(&questions, r), 5e-6);
        icl_batch_free(batch);
        icl_engine_close(engine);
        icl_model_close(model);
    }
}

/* Law 1: each distinct (prefix, token) once, the last token of a continuation never. */
static void test_engine__evaluates_each_distinct_prefix_once(void **state)
{
    (void)state;
    static question_set questions;
    for (uint64_t seed = 0; seed < 30; seed++) {
        draw_questions(&questions, seed);
        icl_model *model = open_table(NULL);
        icl_engine *engine = open_engine(model, NULL);
        icl_batch *batch = batch_of(&questions, NULL, questions.count);
        assert_int_equal(icl_engine_run(engine, batch), ICL_OK);
        /* Count distinct paths by brute force. */
        static int32_t paths[64 * 40 + 400 * 50][48];
        static size_t lengths[64 * 40 + 400 * 50];
        size_t path_count = 0;
        for (size_t r = 0; r < questions.count; r++) {
            int32_t path[48];
            const size_t p = questions.of_prefix[r];
            size_t length = questions.prefix_length[p];
            memcpy(path, questions.prefix[p], length * sizeof *path);
            for (size_t i = 0; i + 1 < questions.length[r]; i++)
                path[length++] = questions.continuation[r][i];
            for (size_t n = 1; n <= length; n++) {
                size_t k = 0;
                while (k < path_count &&
                       (lengths[k] != n || memcmp(paths[k], path, n * sizeof *path) != 0))
                    k++;
                if (k < path_count) continue;
                memcpy(paths[path_count], path, n * sizeof *path);
                lengths[path_count++] = n;
            }
        }
        assert_int_equal(icl_engine_get_meter(engine).tokens_trie, path_count);
        assert_int_equal(icl_engine_get_meter(engine).tokens_evaluated, path_count);
        icl_batch_free(batch);
        icl_engine_close(engine);
        icl_model_close(model);
    }
}

/* Law 2: a logits row per distinct place that is read, no more. */
static void test_engine__reads_only_rows_that_are_asked_for(void **state)
{
    (void)state;
    size_t rows = 0, prefix, request;
    icl_model *model = open_table(&rows);
    icl_engine *engine = open_engine(model, NULL);
    icl_batch *batch = NULL;
    const int32_t tokens[] = { 'a', 'b', 'c', 'd' };
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    assert_int_equal(icl_batch_add_prefix(batch, tokens, 4, &prefix), ICL_OK);
    for (int32_t label = 'p'; label < 'z'; label++)
        assert_int_equal(icl_batch_add_score(batch, prefix, &label, 1, &request), ICL_OK);
    assert_int_equal(icl_engine_run(engine, batch), ICL_OK);
    assert_int_equal(rows, 1);
    assert_int_equal(icl_engine_get_meter(engine).logits_rows, 1);
    /* One-token labels cost nothing beyond the prefix. */
    assert_int_equal(icl_engine_get_meter(engine).tokens_evaluated, 4);
    icl_batch_free(batch);
    icl_engine_close(engine);
    icl_model_close(model);
}

/* Law 3: any order, alone or together, the same bytes. */
static void test_engine__answers_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    static question_set questions;
    draw_questions(&questions, 77);
    icl_model *model = open_table(NULL);
    icl_engine *engine = open_engine(model, NULL);
    icl_batch *together = batch_of(&questions, NULL, questions.count);
    assert_int_equal(icl_engine_run(engine, together), ICL_OK);
    size_t order[400];
    for (size_t i = 0; i < questions.count; i++) order[i] = i;
    icl_rng rng = icl_rng_new(5, NULL, NULL, NULL);
    icl_rng_shuffle(&rng, order, questions.count);
    icl_batch *shuffled = batch_of(&questions, order, questions.count);
    assert_int_equal(icl_engine_run(engine, shuffled), ICL_OK);
    for (size_t i = 0; i < questions.count; i++) {
        icl_batch *alone = batch_of(&questions, &order[i], 1);
        assert_int_equal(icl_engine_run(engine, alone), ICL_OK);
        const double a = icl_batch_logprob_nats(together, order[i]),
                     b = icl_batch_logprob_nats(shuffled, i), c = icl_batch_logprob_nats(alone, 0);
        assert_memory_equal(&a, &b, sizeof a);
        assert_memory_equal(&a, &c, sizeof a);
        assert_int_equal(icl_batch_is_greedy(together, order[i]), icl_batch_is_greedy(alone, 0));
        icl_batch_free(alone);
    }
    icl_batch_free(together);
    icl_batch_free(shuffled);
    icl_engine_close(engine);
    icl_model_close(model);
}

/* Two batches as one: the answers of each alone, and their common beginnings evaluated once. */
static void test_engine__batches_run_together_share_their_prefixes(void **state)
{
    (void)state;
    static question_set questions[2];
    icl_batch *alone[2], *joint[2];
    icl_model *model = open_table(NULL);
    icl_engine *engine = open_engine(model, NULL);
    for (size_t i = 0; i < 2; i++) {
        draw_questions(&questions[i], 80 + i);
        alone[i] = batch_of(&questions[i], NULL, questions[i].count);
        joint[i] = batch_of(&questions[i], NULL, questions[i].count);
        assert_int_equal(icl_engine_run(engine, alone[i]), ICL_OK);
    }
    const uint64_t separately = icl_engine_get_meter(engine).tokens_trie;
    assert_int_equal(icl_engine_run_all(engine, joint, 0), ICL_OK);
    assert_int_equal(icl_engine_run_all(engine, joint, 2), ICL_OK);
    assert_true(icl_engine_get_meter(engine).tokens_trie - separately < separately);
    for (size_t i = 0; i < 2; i++) {
        for (size_t r = 0; r < questions[i].count; r++) {
            const double a = icl_batch_logprob_nats(alone[i], r);
            const double b = icl_batch_logprob_nats(joint[i], r);
            assert_memory_equal(&a, &b, sizeof a);
            assert_int_equal(icl_batch_is_greedy(alone[i], r), icl_batch_is_greedy(joint[i], r));
        }
        icl_batch_free(alone[i]);
        icl_batch_free(joint[i]);
    }
    icl_engine_close(engine);
    icl_model_close(model);
}

/* What a batch had answered is not asked again, and what came later finds its place. */
static void test_engine__batches_run_together_ask_what_is_open(void **state)
{
    (void)state;
    static question_set questions;
    draw_questions(&questions, 82);
    icl_model *model = open_table(NULL);
    icl_engine *engine = open_engine(model, NULL);
    icl_batch *batches[2] = { batch_of(&questions, NULL, 1), batch_of(&questions, NULL, 2) };
    size_t prefix, request, top;
    const double *nats;
    assert_int_equal(icl_engine_run(engine, batches[0]), ICL_OK);
    const double before = icl_batch_logprob_nats(batches[0], 0);
    icl_batch_add_prefix(batches[0], questions.prefix[0], 1, &prefix);
    icl_batch_add_distribution(batches[0], prefix, 4, &request);
    assert_int_equal(icl_engine_run_all(engine, batches, 2), ICL_OK);
    assert_int_equal(icl_engine_get_meter(engine).requests, 4);
    assert_true(icl_batch_logprob_nats(batches[0], 0) == before);
    assert_true(icl_batch_logprob_nats(batches[1], 0) == before);
    icl_batch_top_tokens(batches[0], request, &nats, &top);
    assert_int_equal(top, 4);
    assert_near(nats[0],
                reference_logprob(questions.prefix[0], 1,
                                  icl_batch_top_tokens(batches[0], request, &nats, &top)[0]),
                1e-6);
    icl_batch_free(batches[0]);
    icl_batch_free(batches[1]);
    icl_engine_close(engine);
    icl_model_close(model);
}

/* Law 4: a budget of a path and a little more gives the same answers, within the budget. */
static void test_engine__small_budgets_give_the_same_answers(void **state)
{
    (void)state;
    static question_set questions;
    draw_questions(&questions, 78);
    icl_model *model = open_table(NULL);
    icl_engine *free_engine = open_engine(model, NULL);
    icl_batch *expected = batch_of(&questions, NULL, questions.count);
    assert_int_equal(icl_engine_run(free_engine, expected), ICL_OK);
    for (size_t cells = 46; cells < 70; cells += 4)
        for (size_t call = 1; call < 20; call += 6) {
            icl_engine_options options = icl_engine_options_default();
            options.cache_bytes_max = cells * sizeof(int32_t);
            options.call_tokens_max = call;
            icl_engine *engine = open_engine(model, &options);
            icl_batch *batch = batch_of(&questions, NULL, questions.count);
            assert_int_equal(icl_engine_limits(engine).cells_max, cells);
            assert_int_equal(icl_engine_run(engine, batch), ICL_OK);
            for (size_t r = 0; r < questions.count; r++) {
                const double a = icl_batch_logprob_nats(batch, r),
                             b = icl_batch_logprob_nats(expected, r);
                assert_memory_equal(&a, &b, sizeof a);
            }
            assert_int_equal(icl_engine_get_meter(engine).tokens_evaluated,
                             icl_engine_get_meter(free_engine).tokens_trie);
            icl_batch_free(batch);
            icl_engine_close(engine);
        }
    icl_batch_free(expected);
    icl_engine_close(free_engine);
    icl_model_close(model);
}

static void test_engine__a_path_beyond_the_budget_is_refused(void **state)
{
    (void)state;
    icl_model *model = open_table(NULL);
    icl_engine_options options = icl_engine_options_default();
    options.cache_bytes_max = 3 * sizeof(int32_t);
    icl_engine *engine = open_engine(model, &options);
    icl_batch *batch = NULL;
    size_t prefix, request;
    const int32_t tokens[] = { 'a', 'b', 'c', 'd' };
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    assert_int_equal(icl_batch_add_prefix(batch, tokens, 4, &prefix), ICL_OK);
    assert_int_equal(icl_batch_add_score(batch, prefix, tokens, 1, &request), ICL_OK);
    assert_int_equal(icl_engine_run(engine, batch), ICL_ECONTEXT);
    assert_string_equal(icl_error_message(),
                        "a prompt of 4 tokens exceeds the cache budget of 3 tokens");
    icl_batch_free(batch);
    icl_engine_close(engine);
    icl_model_close(model);
}

static void test_engine__distribution_matches_the_definition(void **state)
{
    (void)state;
    icl_model *model = open_table(NULL);
    icl_engine *engine = open_engine(model, NULL);
    icl_batch *batch = NULL;
    size_t prefix, request, count;
    const int32_t tokens[] = { 'x', 'y' };
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    assert_int_equal(icl_batch_add_prefix(batch, tokens, 2, &prefix), ICL_OK);
    assert_int_equal(icl_batch_add_distribution(batch, prefix, 5, &request), ICL_OK);
    assert_int_equal(icl_engine_run(engine, batch), ICL_OK);
    const double *logprobs;
    const int32_t *top = icl_batch_top_tokens(batch, request, &logprobs, &count);
    assert_int_equal(count, 5);
    double entropy = 0;
    size_t above = 0;
    for (int32_t token = 0; token < VOCAB_COUNT; token++) {
        const double logprob = reference_logprob(tokens, 2, token);
        entropy -= exp(logprob) * logprob;
        above += logprob > reference_logprob(tokens, 2, top[4]);
    }
    assert_int_equal(above, 4);
    for (size_t i = 0; i < 5; i++)
        assert_near(logprobs[i], reference_logprob(tokens, 2, top[i]), 1e-6);
    for (size_t i = 0; i + 1 < 5; i++) assert_true(logprobs[i] >= logprobs[i + 1]);
    assert_near(icl_batch_entropy_nats(batch, request), entropy, 1e-5);
    icl_batch_free(batch);
    icl_engine_close(engine);
    icl_model_close(model);
}

/* ---- whole distributions and hidden states ---- */

enum { ASKED = 3 };

static icl_model *open_with_states(icl_table_hidden states)
{
    icl_model *model = NULL;
    const icl_table table = { .logits = hashed_logits,
                              .hidden = states,
                              .hidden_size = STATE_SIZE };
    assert_int_equal(icl_model_open_table_of(&model, &table), ICL_OK);
    return model;
}

/* Of every prefix asked for, in this order: whole distribution, hidden state, one token's score. */
static icl_batch *batch_of_vectors(const question_set *questions, const size_t *prefixes,
                                   size_t count)
{
    icl_batch *batch = NULL;
    size_t prefix, request;
    const int32_t token = 'b';
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    for (size_t i = 0; i < count; i++) {
        const size_t p = prefixes == NULL ? i : prefixes[i];
        assert_int_equal(
            icl_batch_add_prefix(batch, questions->prefix[p], questions->prefix_length[p], &prefix),
            ICL_OK);
        assert_int_equal(icl_batch_add_whole_distribution(batch, prefix, &request), ICL_OK);
        assert_int_equal(icl_batch_add_hidden(batch, prefix, &request), ICL_OK);
        assert_int_equal(icl_batch_add_score(batch, prefix, &token, 1, &request), ICL_OK);
        assert_int_equal(request, i * ASKED + 2);
    }
    return batch;
}

static void assert_whole(const icl_batch *batch, size_t request, const int32_t *context,
                         size_t context_count)
{
    size_t count = 0;
    const float *nats = icl_batch_whole_distribution_nats(batch, request, &count);
    assert_int_equal(count, VOCAB_COUNT);
    double mass = 0;
    for (int32_t token = 0; token < VOCAB_COUNT; token++) {
        assert_near(nats[token], reference_logprob(context, context_count, token), 5e-6);
        mass += exp((double)nats[token]);
    }
    assert_near(mass, 1, 1e-5);
}

static void test_engine__vectors_are_those_of_the_prefix(void **state)
{
    (void)state;
    static question_set questions;
    for (uint64_t seed = 0; seed < 10; seed++) {
        draw_questions(&questions, seed);
        icl_model *model = open_with_states(hashed_state);
        icl_engine *engine = open_engine(model, NULL);
        icl_batch *batch = batch_of_vectors(&questions, NULL, questions.prefix_count);
        assert_int_equal(icl_engine_run(engine, batch), ICL_OK);
        for (size_t p = 0; p < questions.prefix_count; p++) {
            float expected[STATE_SIZE];
            size_t count = 0;
            assert_whole(batch, p * ASKED, questions.prefix[p], questions.prefix_length[p]);
            const float *hidden = icl_batch_hidden(batch, p * ASKED + 1, &count);
            assert_int_equal(count, STATE_SIZE);
            hashed_state(NULL, expected, questions.prefix[p], questions.prefix_length[p]);
            assert_memory_equal(hidden, expected, sizeof expected);
        }
        icl_batch_free(batch);
        icl_engine_close(engine);
        icl_model_close(model);
    }
}

/* Law 2: everything asked of a prefix is read from one row. */
static void test_engine__vectors_share_their_row(void **state)
{
    (void)state;
    static question_set questions;
    draw_questions(&questions, 5);
    const size_t prefix = 0;
    icl_model *model = open_with_states(hashed_state);
    icl_engine *engine = open_engine(model, NULL);
    icl_batch *batch = batch_of_vectors(&questions, &prefix, 1);
    assert_int_equal(icl_engine_run(engine, batch), ICL_OK);
    assert_int_equal(icl_engine_get_meter(engine).logits_rows, 1);
    assert_int_equal(icl_engine_get_meter(engine).tokens_evaluated, questions.prefix_length[0]);
    icl_batch_free(batch);
    icl_engine_close(engine);
    icl_model_close(model);
}

/* Law 3, of vectors: alone or together, in large calls or small ones, the same bytes. */
static void test_engine__vectors_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    static question_set questions;
    draw_questions(&questions, 79);
    icl_model *model = open_with_states(hashed_state);
    icl_engine_options options = icl_engine_options_default();
    icl_engine *engine = open_engine(model, NULL);
    options.call_tokens_max = 5;
    icl_engine *small = open_engine(model, &options);
    icl_batch *together = batch_of_vectors(&questions, NULL, questions.prefix_count);
    assert_int_equal(icl_engine_run(engine, together), ICL_OK);
    for (size_t p = 0; p < questions.prefix_count; p++) {
        size_t count = 0;
        icl_batch *alone = batch_of_vectors(&questions, &p, 1);
        assert_int_equal(icl_engine_run(small, alone), ICL_OK);
        assert_memory_equal(icl_batch_whole_distribution_nats(together, p * ASKED, &count),
                            icl_batch_whole_distribution_nats(alone, 0, &count),
                            VOCAB_COUNT * sizeof(float));
        assert_memory_equal(icl_batch_hidden(together, p * ASKED + 1, &count),
                            icl_batch_hidden(alone, 1, &count), STATE_SIZE * sizeof(float));
        icl_batch_free(alone);
    }
    icl_batch_free(together);
    icl_engine_close(small);
    icl_engine_close(engine);
    icl_model_close(model);
}

static void one_state_is_not_a_number(void *user, float *out, const int32_t *context, size_t count)
{
    hashed_state(user, out, context, count);
    out[STATE_SIZE - 1] = NAN;
}

static void expect_no_states(icl_table_hidden states, icl_status expected, const char *sentence)
{
    static question_set questions;
    draw_questions(&questions, 3);
    icl_model *model = states == NULL ? open_table(NULL) : open_with_states(states);
    icl_engine *engine = open_engine(model, NULL);
    icl_batch *batch = batch_of_vectors(&questions, NULL, 1);
    assert_int_equal(icl_engine_run(engine, batch), expected);
    assert_string_equal(icl_error_message(), sentence);
    icl_batch_free(batch);
    icl_engine_close(engine);
    icl_model_close(model);
}

static void test_engine__a_model_without_states_is_refused(void **state)
{
    (void)state;
    expect_no_states(NULL, ICL_EUNSUPPORTED, "the table back end does not give hidden states");
    expect_no_states(one_state_is_not_a_number, ICL_EMODEL,
                     "the model's hidden state is not finite");
}

static void not_a_number(void *user, float *out, const int32_t *context, size_t count)
{
    hashed_logits(user, out, context, count);
    out[100] = NAN;
}

static void test_engine__logits_that_are_not_numbers_are_an_error(void **state)
{
    (void)state;
    icl_model *model = NULL;
    assert_int_equal(icl_model_open_table(&model, not_a_number, NULL, 0), ICL_OK);
    icl_engine *engine = open_engine(model, NULL);
    static question_set questions;
    draw_questions(&questions, 3);
    icl_batch *batch = batch_of(&questions, NULL, 1);
    assert_int_equal(icl_engine_run(engine, batch), ICL_EMODEL);
    icl_batch_free(batch);
    icl_engine_close(engine);
    icl_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine__equals_brute_force),
        cmocka_unit_test(test_engine__evaluates_each_distinct_prefix_once),
        cmocka_unit_test(test_engine__reads_only_rows_that_are_asked_for),
        cmocka_unit_test(test_engine__answers_do_not_depend_on_the_batch),
        cmocka_unit_test(test_engine__batches_run_together_share_their_prefixes),
        cmocka_unit_test(test_engine__batches_run_together_ask_what_is_open),
        cmocka_unit_test(test_engine__small_budgets_give_the_same_answers),
        cmocka_unit_test(test_engine__a_path_beyond_the_budget_is_refused),
        cmocka_unit_test(test_engine__distribution_matches_the_definition),
        cmocka_unit_test(test_engine__vectors_are_those_of_the_prefix),
        cmocka_unit_test(test_engine__vectors_share_their_row),
        cmocka_unit_test(test_engine__vectors_do_not_depend_on_the_batch),
        cmocka_unit_test(test_engine__a_model_without_states_is_refused),
        cmocka_unit_test(test_engine__logits_that_are_not_numbers_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
