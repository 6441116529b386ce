/* What every plan promises, checked by playing it on a simulated cache: for the planner's tests and
 * its fuzz target. */
#ifndef ICL_TESTS_ENGINE_PLAN_CHECK_H
#define ICL_TESTS_ENGINE_PLAN_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "engine/plan.h"

typedef struct plan_path {
    uint32_t *nodes; /* [room] */
    size_t count;
} plan_path;

/* A cache that holds node numbers instead of keys and values. */
typedef struct plan_simulation {
    const icl_plan *plan;
    plan_path *sequences; /* [limits.sequences_max] */
    size_t room;          /* longest path */
    size_t cells_used, cells_peak;
    uint32_t leaf_count;
    unsigned char *evaluated; /* [node_count] times */
    unsigned char
        *wanted; /* [node_count] bit 0: on a request's path, 1: row asked for, 2: hidden */
} plan_simulation;

static uint32_t plan_find_child(const icl_trie *trie, uint32_t parent, int32_t token)
{
    for (uint32_t node = 1; node < trie->node_count; node++)
        if (trie->nodes[node].parent == parent && trie->nodes[node].token == token) return node;
    return TRIE_NONE;
}

/* Walks a request's context down the trie by its tokens alone; marks the path and its row. */
static const char *plan_want_context(plan_simulation *self, const icl_batch *batch, size_t request,
                                     size_t place)
{
    size_t prefix_count, count;
    const int32_t *prefix =
        icl_batch_prefix(batch, icl_batch_request_prefix(batch, request), &prefix_count);
    const int32_t *continuation = icl_batch_continuation(batch, request, &count);
    uint32_t node = TRIE_ROOT;
    for (size_t i = 0; i < prefix_count + place; i++) {
        const int32_t token = i < prefix_count ? prefix[i] : continuation[i - prefix_count];
        node = plan_find_child(&self->plan->trie, node, token);
        if (node == TRIE_NONE) return "a context of a request is not in the trie";
        self->wanted[node] |= 1;
    }
    self->wanted[node] |= batch->requests[request].kind == REQUEST_HIDDEN ? 6 : 2;
    return NULL;
}

static const char *plan_want_batch(plan_simulation *self, const icl_batch *batch)
{
    for (size_t r = 0; r < icl_batch_count(batch); r++) {
        size_t count;
        icl_batch_continuation(batch, r, &count);
        if (count == 0) count = 1; /* what is no continuation is read once, after the prefix */
        for (size_t place = 0; place < count; place++) {
            const char *broken = plan_want_context(self, batch, r, place);
            if (broken != NULL) return broken;
        }
    }
    for (uint32_t node = 1; node < self->plan->trie.node_count; node++)
        if (self->wanted[node] == 0) return "a node of the trie serves no request";
    return NULL;
}

static const char *plan_begin_wave(plan_simulation *self, const plan_call *call)
{
    plan_path *trunk = &self->sequences[0];
    if (call->keep_tokens > trunk->count) return "a wave keeps tokens that are not there";
    if (call->leaf_count + (size_t)1 > self->plan->limits.sequences_max)
        return "a wave has more leaves than there are sequences";
    trunk->count = call->keep_tokens;
    self->cells_used = call->keep_tokens;
    self->leaf_count = call->leaf_count;
    for (uint32_t leaf = 1; leaf <= call->leaf_count; leaf++) {
        self->sequences[leaf].count = trunk->count;
        for (size_t i = 0; i < trunk->count; i++) self->sequences[leaf].nodes[i] = trunk->nodes[i];
    }
    return NULL;
}

/* A token goes into a sequence that holds exactly the path of its parent. */
static const char *plan_extend(plan_simulation *self, uint32_t sequence, uint32_t node)
{
    plan_path *path = &self->sequences[sequence];
    const trie_node *facts = &self->plan->trie.nodes[node];
    if (path->count + 1 != facts->depth) return "a token's position is not the next one";
    if (path->count > 0 && path->nodes[path->count - 1] != facts->parent)
        return "a token's sequence does not hold its ancestors";
    path->nodes[path->count++] = node;
    return NULL;
}

static const char *plan_play_token(plan_simulation *self, size_t index)
{
    const icl_decode_token *token = &self->plan->tokens[index];
    const uint32_t node = self->plan->nodes[index];
    const trie_node *facts = &self->plan->trie.nodes[node];
    const char *broken = NULL;
    if (node == TRIE_ROOT || node >= self->plan->trie.node_count) return "a token is no node";
    if (self->evaluated[node]++ > 0) return "a token is evaluated twice";
    if (token->token != facts->token || token->position + 1 != (int32_t)facts->depth)
        return "a token is not its node's";
    if (token->row != ((self->wanted[node] & 2) != 0))
        return "a row is read where nobody asks, or not read where somebody does";
    if (token->hidden != ((self->wanted[node] & 4) != 0))
        return "a hidden state is read where nobody asks, or not read where somebody does";
    if (!token->trunk && token->leaf_first > token->leaf_last) return "a token without a sequence";
    if (token->leaf_first < 1 || token->leaf_last > (int32_t)self->leaf_count)
        return "a token names a leaf that the wave does not have";
    if (token->trunk) broken = plan_extend(self, 0, node);
    for (int32_t s = token->leaf_first; s <= token->leaf_last && broken == NULL; s++)
        broken = plan_extend(self, (uint32_t)s, node);
    return broken;
}

static const char *plan_play(plan_simulation *self)
{
    const icl_plan *plan = self->plan;
    size_t next = 0;
    for (size_t c = 0; c < plan->call_count; c++) {
        const plan_call *call = &plan->calls[c];
        const char *broken = NULL;
        if (c == 0 && !call->begins_wave) return "the first call begins no wave";
        if (call->token_first != next) return "calls leave tokens out";
        if (call->token_count < 1 || call->token_count > plan->limits.call_tokens_max)
            return "a call is empty or too large";
        if (call->begins_wave) broken = plan_begin_wave(self, call);
        for (size_t i = 0; i < call->token_count && broken == NULL; i++)
            broken = plan_play_token(self, next++);
        if (broken != NULL) return broken;
        self->cells_used += call->token_count;
        if (self->cells_used > self->cells_peak) self->cells_peak = self->cells_used;
    }
    if (next != plan->trie.node_count - 1) return "a node of the trie is not evaluated";
    return NULL;
}

static const char *plan_check_stats(const plan_simulation *self)
{
    const icl_plan *plan = self->plan;
    size_t rows = 0;
    for (uint32_t node = 1; node < plan->trie.node_count; node++)
        rows += (self->wanted[node] & 2) != 0;
    if (self->cells_peak > plan->limits.cells_max) return "the cache budget is exceeded";
    if (plan->stats.cells_peak != self->cells_peak) return "stats: cells_peak";
    if (plan->stats.tokens_trie != plan->trie.node_count - 1) return "stats: tokens_trie";
    if (plan->stats.logits_rows != rows) return "stats: logits_rows";
    if (plan->stats.calls != plan->call_count) return "stats: calls";
    return NULL;
}

static bool plan_simulation_init(plan_simulation *self, const icl_plan *plan)
{
    *self = (plan_simulation){ .plan = plan, .room = plan->stats.depth_max + 1 };
    const size_t sequences = plan->limits.sequences_max, nodes = plan->trie.node_count;
    self->sequences = calloc(sequences, sizeof *self->sequences);
    self->evaluated = calloc(nodes, 1);
    self->wanted = calloc(nodes, 1);
    if (self->sequences == NULL || self->evaluated == NULL || self->wanted == NULL) return false;
    for (size_t s = 0; s < sequences; s++) {
        self->sequences[s].nodes = calloc(self->room, sizeof(uint32_t));
        if (self->sequences[s].nodes == NULL) return false;
    }
    return true;
}

static void plan_simulation_deinit(plan_simulation *self)
{
    if (self->sequences != NULL)
        for (size_t s = 0; s < self->plan->limits.sequences_max; s++)
            free(self->sequences[s].nodes);
    free(self->sequences);
    free(self->evaluated);
    free(self->wanted);
}

/* NULL when the plan answers all requests of the batch, each distinct context evaluated once,
 * within its limits; otherwise the promise it breaks. */
static const char *plan_broken_promise(const icl_plan *plan, const icl_batch *batch)
{
    plan_simulation self;
    const char *broken = "no memory for the simulation";
    if (plan_simulation_init(&self, plan)) {
        broken = plan_want_batch(&self, batch);
        if (broken == NULL) broken = plan_play(&self);
        if (broken == NULL) broken = plan_check_stats(&self);
    }
    plan_simulation_deinit(&self);
    return broken;
}

#endif
