/* Orders of the same demonstrations through the engine: each beginning is evaluated once, and the
 * answers are those of each order asked alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <icl/sys/model.h>

#include "base/hash.h"
#include "near.h"
#include "order/order_call.h"
#include "order/permutations.h"
#include "pipeline/ask.h"

enum { VOCAB_COUNT = 257, K_MAX = 6, SEGMENT_TOKENS = 5, ORDERS_MAX = 720 };

/* Hangs on the whole context, so that every order has its own likelihood. */
static void logits_of(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user;
    const uint64_t hash = icl_hash(context, count * sizeof *context).low;
    for (size_t i = 0; i < VOCAB_COUNT; i++) out[i] = (float)((hash >> (i % 7 * 8) & 255) + i) / 90;
}

/* "b: a\n", and so on: five bytes each, told apart by the first. */
static const char *const inputs[K_MAX] = { "b", "c", "d", "e", "f", "g" };
static const size_t labels[K_MAX] = { 0 };

typedef struct world {
    icl_model *model;
    icl_engine *engine;
    icl_verbalizer *verbalizer;
    icl_ask_service *service;
    const icl_asker *asker;
} world;

static world open_world(void)
{
    static const icl_template_forms forms = { .content_free = { "N/A", "", "[MASK]" } };
    world w = { 0 };
    const icl_engine_options options = icl_engine_options_default();
    assert_int_equal(icl_model_open_table(&w.model, logits_of, NULL, 0), ICL_OK);
    assert_int_equal(icl_engine_open(&w.engine, w.model, &options), ICL_OK);
    assert_int_equal(icl_verbalizer_parse(&w.verbalizer, "yes=a,no=n"), ICL_OK);
    const icl_ask_source source = {
        .engine = w.engine,
        .prompts = { .instruction = "", .answer_prefix = ": ", .separator = "\n" },
        .verbalizer = w.verbalizer,
        .pool = { .count = K_MAX, .inputs = inputs, .ids = inputs },
        .pool_labels = labels,
        .forms = &forms,
        .task = "orders",
    };
    assert_int_equal(icl_ask_service_new(&w.service, &source), ICL_OK);
    w.asker = icl_ask_service_asker(w.service);
    return w;
}

static void close_world(world *w)
{
    icl_ask_service_free(w->service);
    icl_verbalizer_free(w->verbalizer);
    icl_engine_close(w->engine);
    icl_model_close(w->model);
}

static icl_ask_prompt demonstrations_alone(const size_t *shown, size_t k)
{
    return (
        icl_ask_prompt){ .shown = shown, .shown_count = k, .of = ICL_ASK_WRITTEN, .written = "" };
}

static uint64_t tokens_evaluated(const world *w)
{
    return icl_engine_get_meter(w->engine).tokens_evaluated;
}

/* floor(e k!) - 1 demonstrations instead of k k!, and BOS. The last token of a text is not
 * evaluated, which spares one of every order. */
static void test_order_trie__a_beginning_is_evaluated_once(void **state)
{
    (void)state;
    for (size_t k = 3; k <= K_MAX; k++) {
        world w = open_world();
        icl_permutations all = { 0 };
        assert_int_equal(icl_permutations_all(&all, k), ICL_OK);
        icl_ask_prompt prompts[ORDERS_MAX];
        icl_ask_text together[ORDERS_MAX];
        for (size_t i = 0; i < all.count; i++)
            prompts[i] = demonstrations_alone(&all.rows[i * k], k);
        assert_int_equal(w.asker->texts(w.asker->user, together, prompts, all.count), ICL_OK);
        const size_t segments = (size_t)floor(exp(1) * (double)all.count) - 1;
        assert_int_equal(tokens_evaluated(&w), 1 + SEGMENT_TOKENS * segments - all.count);
        for (size_t i = 0; i < all.count; i += 7) {
            icl_ask_text alone;
            assert_int_equal(w.asker->texts(w.asker->user, &alone, &prompts[i], 1), ICL_OK);
            assert_near(alone.nats, together[i].nats, 0); /* bit for bit */
            assert_int_equal(alone.tokens, together[i].tokens);
        }
        icl_permutations_deinit(&all);
        close_world(&w);
    }
}

/* A path of one order and a wave of one leaf: k demonstrations live at once are enough. */
static void test_order_trie__k_demonstrations_of_memory_suffice(void **state)
{
    (void)state;
    for (size_t k = 3; k <= K_MAX; k++) {
        icl_permutations all = { 0 };
        icl_batch *batch = NULL;
        icl_plan *plan = NULL;
        assert_int_equal(icl_permutations_all(&all, k), ICL_OK);
        assert_int_equal(icl_batch_new(&batch), ICL_OK);
        for (size_t i = 0; i < all.count; i++) {
            int32_t tokens[K_MAX];
            size_t prefix, request;
            for (size_t p = 0; p < k; p++) tokens[p] = (int32_t)all.rows[i * k + p];
            assert_int_equal(icl_batch_add_prefix(batch, tokens, k, &prefix), ICL_OK);
            assert_int_equal(icl_batch_add_distribution(batch, prefix, 1, &request), ICL_OK);
        }
        const icl_plan_limits limits = {
            .cells_max = k, .call_tokens_max = 64, .sequences_max = 64, .row_floor = 1
        };
        assert_int_equal(icl_plan_new(&plan, batch, &limits), ICL_OK);
        const icl_plan_stats *stats = icl_plan_get_stats(plan);
        assert_int_equal(stats->tokens_asked, k * all.count);
        assert_int_equal(stats->tokens_trie, (size_t)floor(exp(1) * (double)all.count) - 1);
        assert_int_equal(stats->tokens_evaluated, stats->tokens_trie);
        assert_true(stats->cells_peak <= k);
        icl_plan_free(plan);
        icl_batch_free(batch);
        icl_permutations_deinit(&all);
    }
}

/* The method finds what each order asked alone says is the least surprising. */
static void test_order_trie__the_order_of_lowest_perplexity_is_found(void **state)
{
    (void)state;
    enum { K = 5 };
    world w = open_world();
    static const size_t selected[K] = { 4, 1, 0, 5, 2 };
    static const double scores[K] = { 0 };
    static const char *const ids[] = { "q" };
    const icl_order_input input = { .query_count = 1,
                                    .k = K,
                                    .indices = selected,
                                    .scores = scores,
                                    .pool_count = K_MAX,
                                    .label_count = 2,
                                    .pool_texts = inputs,
                                    .pool_labels = labels,
                                    .query_ids = ids,
                                    .task = "orders",
                                    .asker = w.asker };
    icl_ordering ordering = order_well(&input, "perplexity(orders=120)");
    assert_int_equal(tokens_evaluated(&w), 1 + SEGMENT_TOKENS * 325 - 120);
    icl_permutations all = { 0 };
    assert_int_equal(icl_permutations_all(&all, K), ICL_OK);
    double least = INFINITY, found = NAN;
    for (size_t i = 0; i < all.count; i++) {
        size_t shown[K];
        for (size_t p = 0; p < K; p++) shown[p] = selected[all.rows[i * K + p]];
        const icl_ask_prompt prompt = demonstrations_alone(shown, K);
        icl_ask_text text;
        assert_int_equal(w.asker->texts(w.asker->user, &text, &prompt, 1), ICL_OK);
        const double nats = -text.nats / (double)text.tokens;
        if (nats < least) least = nats;
        if (memcmp(&all.rows[i * K], ordering.permutations, K * sizeof(size_t)) == 0) found = nats;
    }
    assert_near(found, least, 0);
    icl_permutations_deinit(&all);
    icl_ordering_deinit(&ordering);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_trie__a_beginning_is_evaluated_once),
        cmocka_unit_test(test_order_trie__k_demonstrations_of_memory_suffice),
        cmocka_unit_test(test_order_trie__the_order_of_lowest_perplexity_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
