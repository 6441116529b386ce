/* Plans one after the other on a cache that is not emptied, played on a simulated one: what a plan
 * counts on is there, no cell is taken twice, and every token lies behind its ancestors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/plan.h"
#include "engine/writer.h"

enum { SEQUENCES = 40, PROMPT = 24 };

typedef struct simulated_sequence {
    int32_t tokens[WRITER_TOKENS];
    size_t cells[WRITER_TOKENS], count;
} simulated_sequence;

typedef struct simulated_cache {
    simulated_sequence sequences[SEQUENCES];
    size_t cells_held, next_cell, cells_peak, leaf_count;
} simulated_cache;

static void copy_sequence(simulated_cache *cache, int32_t to, int32_t from, size_t tokens)
{
    assert_in_range(to, 0, SEQUENCES - 1);
    assert_true(tokens <= cache->sequences[from].count);
    cache->sequences[to] = cache->sequences[from];
    cache->sequences[to].count = tokens;
}

static void begin_wave(simulated_cache *cache, const icl_decode_call *call)
{
    const bool held = call->leaf_sequences != NULL;
    for (size_t s = 1; s <= cache->leaf_count; s++) cache->sequences[s].count = 0;
    cache->leaf_count = held ? 0 : call->leaf_count;
    cache->next_cell = cache->cells_held;
    copy_sequence(cache, 0, held ? 0 : call->trunk_from, held ? 0 : call->keep_tokens);
    for (size_t e = 0; e < call->edit_count; e++)
        copy_sequence(cache, call->edits[e].to, call->edits[e].from, call->edits[e].tokens);
    for (size_t i = 0; i < cache->sequences[0].count; i++)
        if (cache->sequences[0].cells[i] >= cache->next_cell)
            cache->next_cell = cache->sequences[0].cells[i] + 1;
    for (size_t s = 1; s <= cache->leaf_count; s++) {
        assert_int_equal(cache->sequences[s].count, 0); /* nobody holds it */
        copy_sequence(cache, (int32_t)s, 0, call->keep_tokens);
    }
}

/* The sequence holds the node's ancestors, in earlier cells. */
static void extend(simulated_cache *cache, int32_t sequence, const icl_trie *trie, uint32_t node)
{
    simulated_sequence *path = &cache->sequences[sequence];
    assert_int_equal(path->count + 1, trie->nodes[node].depth);
    path->tokens[path->count] = trie->nodes[node].token;
    path->cells[path->count++] = cache->next_cell;
    for (uint32_t at = node; at != TRIE_ROOT; at = trie->nodes[at].parent) {
        const size_t place = trie->nodes[at].depth - 1;
        assert_int_equal(path->tokens[place], trie->nodes[at].token);
        assert_true(place == 0 || path->cells[place - 1] < path->cells[place]);
    }
}

static void play(simulated_cache *cache, const icl_plan *plan)
{
    size_t next = 0;
    cache->cells_peak = cache->cells_held;
    for (size_t c = 0; c < plan->call_count; c++) {
        const icl_decode_call call = icl_plan_decode_call(plan, &plan->calls[c]);
        assert_true(call.begins_wave || c > 0);
        assert_in_range(call.token_count, 1, plan->limits.call_tokens_max);
        if (call.begins_wave) begin_wave(cache, &call);
        for (size_t i = 0; i < call.token_count; i++, next++, cache->next_cell++) {
            const icl_decode_token *token = &call.tokens[i];
            if (token->trunk) extend(cache, 0, &plan->trie, plan->nodes[next]);
            for (int32_t leaf = token->leaf_first; leaf <= token->leaf_last; leaf++)
                extend(cache, icl_decode_sequence(&call, leaf), &plan->trie, plan->nodes[next]);
        }
        if (cache->next_cell > cache->cells_peak) cache->cells_peak = cache->next_cell;
        if (call.leaf_sequences != NULL) cache->cells_held = cache->next_cell;
    }
    assert_int_equal(next, plan->token_count);
    assert_int_equal(cache->cells_peak, plan->stats.cells_peak);
    assert_true(cache->cells_peak <= plan->limits.cells_max);
}

/* A row for whatever is asked, once; what is not evaluated was there. */
static void check_asked(const icl_plan *plan)
{
    unsigned char *evaluated = calloc(plan->trie.node_count, 1);
    assert_non_null(evaluated);
    for (size_t i = 0; i < plan->token_count; i++) {
        const trie_node *node = &plan->trie.nodes[plan->nodes[i]];
        assert_int_equal(evaluated[plan->nodes[i]]++, 0);
        assert_int_equal(plan->tokens[i].row, node->ask_first != TRIE_NONE);
    }
    for (size_t i = 1; i < plan->trie.node_count; i++)
        assert_true(evaluated[i] || plan->trie.nodes[i].ask_first == TRIE_NONE);
    free(evaluated);
}

static void check_residents(const simulated_cache *cache, const icl_residents *residents)
{
    assert_int_equal(residents->cells, cache->cells_held);
    for (size_t s = 1; s < residents->sequence_count; s++) {
        const resident_path *path = &residents->paths[s];
        if (path->count == 0) continue;
        assert_int_equal(cache->sequences[s].count, path->count);
        assert_memory_equal(cache->sequences[s].tokens, path->tokens,
                            path->count * sizeof *path->tokens);
    }
}

/* Goes on in the cache where it can, however little of it is of use; returns whether it did. */
static bool plan_and_play(simulated_cache *cache, icl_residents *residents, const icl_batch *batch,
                          const icl_plan_limits *limits)
{
    icl_plan *plan = NULL;
    if (icl_plan_new_on(&plan, batch, limits, residents) != ICL_OK || plan->holds.count == 0) {
        icl_plan_free(plan);
        icl_residents_deinit(residents);
        memset(cache, 0, sizeof *cache);
        assert_int_equal(icl_plan_new(&plan, batch, limits), ICL_OK);
    }
    const bool went_on = residents->cells > 0;
    play(cache, plan);
    check_asked(plan);
    if (plan->holds.count > 0)
        assert_int_equal(
            icl_holds_become_residents(residents, &plan->holds, &plan->trie, plan->cells_held),
            ICL_OK);
    check_residents(cache, residents);
    icl_plan_free(plan);
    return went_on;
}

static void test_plan_hold__every_plan_finds_what_it_counts_on(void **state)
{
    static writer self;
    static simulated_cache cache;
    size_t went_on = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        icl_rng rng = icl_rng_new(seed, "limits", NULL, NULL);
        const icl_plan_limits limits = { .cells_max = WRITER_TOKENS + icl_rng_below(&rng, 800),
                                         .call_tokens_max = 1 + icl_rng_below(&rng, 60),
                                         .sequences_max = 2 + icl_rng_below(&rng, SEQUENCES - 1),
                                         .row_floor = 1 };
        icl_residents residents = { 0 };
        memset(&cache, 0, sizeof cache);
        memset(&self, 0, sizeof self);
        self.keeps = self.hidden = true;
        writer_begin(&self, seed, 1 + seed % WRITER_TEXTS, PROMPT, 257);
        for (size_t round = 0; round < 20; round++) {
            icl_batch *batch = NULL;
            assert_int_equal(icl_batch_new(&batch), ICL_OK);
            assert_int_equal(writer_ask(&self, batch, icl_rng_below(&rng, 30)), ICL_OK);
            went_on += plan_and_play(&cache, &residents, batch, &limits);
            writer_extend(&self, PROMPT);
            icl_batch_free(batch);
        }
        icl_residents_deinit(&residents);
    }
    assert_true(went_on > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_hold__every_plan_finds_what_it_counts_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
