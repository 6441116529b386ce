#include "engine/plan.h"

#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/error.h"
#include "base/text.h"

/* A wave of a few calls fills its calls well; a larger one would only enlarge the cache. The same
 * for leaves, for each of which a back end may hold a row and a list of positions; a subtree with
 * more gets a wave of its own. */
enum { WAVE_CALLS = 4, WAVE_LEAVES = 128 };

typedef struct plan_walker {
    icl_plan *plan;
    size_t block_first; /* first token since the cache was last cut */
    uint32_t keep;      /* trunk tokens in the cache at that cut */
} plan_walker;

static const trie_node *node_at(const plan_walker *walker, uint32_t index)
{
    return &walker->plan->trie.nodes[index];
}

static uint32_t child_at(const plan_walker *walker, const trie_node *node, uint32_t index)
{
    return walker->plan->trie.children[node->child_first + index];
}

static icl_status add_token(plan_walker *walker, uint32_t index, uint32_t leaf_first, bool trunk)
{
    icl_plan *plan = walker->plan;
    ICL_TRY(icl_array_reserve(&plan->tokens, &plan->token_capacity, plan->token_count + 1));
    ICL_TRY(icl_array_reserve(&plan->nodes, &plan->node_capacity, plan->token_count + 1));
    const trie_node *node = node_at(walker, index);
    plan->tokens[plan->token_count] =
        (icl_decode_token){ .token = node->token,
                            .position = (int32_t)node->depth - 1,
                            .leaf_first = (int32_t)leaf_first,
                            .leaf_last = (int32_t)(leaf_first + node->leaf_count - 1),
                            .trunk = trunk,
                            .row = node->ask_first != TRIE_NONE,
                            .hidden = node->hidden };
    plan->nodes[plan->token_count++] = index;
    return ICL_OK;
}

static icl_status add_call(icl_plan *plan, plan_call call)
{
    ICL_TRY(icl_array_reserve(&plan->calls, &plan->call_capacity, plan->call_count + 1));
    plan->calls[plan->call_count++] = call;
    return ICL_OK;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Ends a wave of the next `total` tokens: cuts them into calls of nearly equal size. */
static icl_status end_wave(plan_walker *walker, size_t total, uint32_t leaf_count)
{
    icl_plan *plan = walker->plan;
    const size_t calls = (total + plan->limits.call_tokens_max - 1) / plan->limits.call_tokens_max;
    size_t first = walker->block_first;
    for (size_t c = 0; c < calls; c++) {
        const size_t count = total / calls + (c < total % calls);
        ICL_TRY(add_call(plan, (plan_call){ .begins_wave = c == 0,
                                            .keep_tokens = walker->keep,
                                            .leaf_count = leaf_count,
                                            .token_first = first,
                                            .token_count = count }));
        first += count;
    }
    plan->stats.waves++;
    plan->stats.cells_peak = max_size(plan->stats.cells_peak, walker->keep + total);
    plan->stats.sequences_peak = max_size(plan->stats.sequences_peak, leaf_count + 1);
    walker->block_first = first;
    return ICL_OK;
}

/* Tokens of a complete subtree, parents first; leaves are numbered from `leaf`. */
static icl_status add_subtree(plan_walker *walker, uint32_t top, uint32_t leaf)
{
    /* Depth-first without recursion: a node's next sibling is found through its parent. */
    uint32_t index = top;
    for (;;) {
        const trie_node *node = node_at(walker, index);
        ICL_TRY(add_token(walker, index, leaf, false));
        if (node->child_count > 0) {
            index = child_at(walker, node, 0);
            continue;
        }
        leaf++;
        while (index != top) {
            const trie_node *done = node_at(walker, index), *parent = node_at(walker, done->parent);
            if (done->rank + 1 < parent->child_count) {
                index = child_at(walker, parent, done->rank + 1);
                break;
            }
            index = done->parent;
        }
        if (index == top) return ICL_OK;
    }
}

/* A frame of the walk: the trunk ends at `node`; children before `next` are done. */
typedef struct trunk_frame {
    uint32_t node;
    uint32_t next;
} trunk_frame;

static bool fits(const plan_walker *walker, uint32_t depth, size_t tokens, size_t leaves,
                 bool first, bool chain)
{
    const icl_plan_limits *limits = &walker->plan->limits;
    const size_t room = limits->cells_max - depth; /* depth <= cells_max: checked before */
    const size_t wave_max = limits->call_tokens_max * WAVE_CALLS;
    if (leaves > limits->sequences_max - 1) return false;
    if (!first && leaves > WAVE_LEAVES) return false;
    return tokens <= room && (chain || tokens <= wave_max);
}

/* Puts as many further children of the frame as fit into one wave. Returns with leaves == 0 when
 * not even the next one fits. */
static icl_status add_wave(plan_walker *walker, trunk_frame *frame, uint32_t *out_leaves)
{
    const trie_node *node = node_at(walker, frame->node);
    size_t tokens = 0;
    uint32_t leaves = 0;
    while (frame->next < node->child_count) {
        const uint32_t child = child_at(walker, node, frame->next);
        const trie_node *below = node_at(walker, child);
        const bool chain = leaves == 0 && below->leaf_count == 1;
        if (!fits(walker, node->depth, tokens + below->subtree_size, leaves + below->leaf_count,
                  leaves == 0, chain))
            break;
        ICL_TRY(add_subtree(walker, child, leaves + 1));
        tokens += below->subtree_size;
        leaves += below->leaf_count;
        frame->next++;
    }
    *out_leaves = leaves;
    return ICL_OK;
}

/* New trunk tokens and leaves below them. Evaluated in one wave, each trunk token carries all
 * leaves; a long trunk gets a wave of its own, since copying a sequence is cheaper than naming it
 * on every token. */
static icl_status end_leaves(plan_walker *walker, uint32_t leaf_count)
{
    icl_plan *plan = walker->plan;
    const size_t total = plan->token_count - walker->block_first;
    size_t trunk = 0;
    while (trunk < total && plan->tokens[walker->block_first + trunk].trunk) trunk++;
    const bool apart = leaf_count > 1 && trunk * 2 >= plan->limits.call_tokens_max;
    for (size_t i = 0; i < trunk; i++) {
        icl_decode_token *token = &plan->tokens[walker->block_first + i];
        token->leaf_first = 1;
        token->leaf_last = apart ? 0 : (int32_t)leaf_count;
    }
    if (!apart) return end_wave(walker, total, leaf_count);
    ICL_TRY(end_wave(walker, trunk, 0));
    walker->keep += (uint32_t)trunk;
    return end_wave(walker, total - trunk, leaf_count);
}

static icl_status too_long(const plan_walker *walker, uint32_t depth)
{
    const icl_plan_limits *limits = &walker->plan->limits;
    if (limits->window_tokens > 0 && depth > limits->window_tokens)
        return icl_error_set(ICL_ECONTEXT,
                             "a prompt of %u tokens exceeds the model's window of %zu tokens",
                             depth, limits->window_tokens);
    return icl_error_set(ICL_ECONTEXT,
                         "a prompt of %u tokens exceeds the cache budget of %zu tokens", depth,
                         limits->cells_max);
}

/* The trunk grows down the next child to its first branching; pushes that frame. */
static icl_status grow_trunk(plan_walker *walker, trunk_frame **frames, size_t *frame_count,
                             size_t *frame_capacity)
{
    trunk_frame *top = &(*frames)[*frame_count - 1];
    uint32_t index = child_at(walker, node_at(walker, top->node), top->next++);
    for (;;) {
        const trie_node *node = node_at(walker, index);
        if (node->depth >= walker->plan->limits.cells_max) return too_long(walker, node->depth + 1);
        ICL_TRY(add_token(walker, index, 1, true));
        if (node->child_count != 1) break;
        index = child_at(walker, node, 0);
    }
    ICL_TRY(icl_array_reserve(frames, frame_capacity, *frame_count + 1));
    (*frames)[(*frame_count)++] = (trunk_frame){ .node = index };
    return ICL_OK;
}

static icl_status walk(plan_walker *walker, trunk_frame **frames, size_t *frame_capacity)
{
    size_t frame_count = 0;
    ICL_TRY(icl_array_reserve(frames, frame_capacity, 1));
    (*frames)[frame_count++] = (trunk_frame){ .node = TRIE_ROOT };
    while (frame_count > 0) {
        trunk_frame *top = &(*frames)[frame_count - 1];
        const trie_node *node = node_at(walker, top->node);
        if (top->next == node->child_count) {
            frame_count--;
            continue;
        }
        if (walker->block_first == walker->plan->token_count) walker->keep = node->depth;
        uint32_t leaves = 0;
        ICL_TRY(add_wave(walker, top, &leaves));
        if (leaves > 0) {
            ICL_TRY(end_leaves(walker, leaves));
            continue;
        }
        const trie_node *next = node_at(walker, child_at(walker, node, top->next));
        if (next->leaf_count == 1) return too_long(walker, node->depth + next->subtree_size);
        ICL_TRY(grow_trunk(walker, frames, &frame_count, frame_capacity));
    }
    return ICL_OK;
}

static void count_stats(icl_plan *plan, const icl_batch *batch)
{
    icl_plan_stats *stats = &plan->stats;
    for (size_t r = 0; r < batch->request_count; r++) {
        const icl_request *request = &batch->requests[r];
        if (request->answered) continue;
        stats->request_count++;
        stats->whole_distributions += request->kind == REQUEST_WHOLE_DISTRIBUTION;
        stats->hidden_states += request->kind == REQUEST_HIDDEN;
        stats->tokens_asked += icl_request_tokens(batch, request);
    }
    stats->prefix_count = batch->prefix_count;
    stats->tokens_trie = plan->trie.node_count - 1;
    stats->calls = plan->call_count;
    const size_t floor = plan->limits.row_floor;
    for (size_t c = 0; c < plan->call_count; c++) {
        const plan_call *call = &plan->calls[c];
        size_t rows = 0;
        for (size_t i = 0; i < call->token_count; i++) {
            const icl_decode_token *token = &plan->tokens[call->token_first + i];
            rows += token->row;
            stats->visible_cells += (uint64_t)token->position + 1;
            stats->depth_max = max_size(stats->depth_max, (size_t)token->position + 1);
        }
        stats->logits_rows += rows;
        if (rows > 0 && rows < floor) stats->rows_padding += floor - rows;
        stats->tokens_evaluated += max_size(call->token_count, floor);
        stats->call_tokens_peak = max_size(stats->call_tokens_peak, call->token_count);
        stats->call_rows_peak = max_size(stats->call_rows_peak, rows);
    }
}

icl_status icl_plan_new(icl_plan **out, const icl_batch *batch, const icl_plan_limits *limits)
{
    if (limits->sequences_max < 2 || limits->call_tokens_max < 1 || limits->cells_max < 1 ||
        limits->row_floor < 1)
        return icl_error_set(
            ICL_EINVAL, "plan limits need at least 2 sequences, 1 cell, 1 token per call and a "
                        "row floor of 1");
    icl_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a plan");
    plan->limits = *limits;
    plan_walker walker = { .plan = plan };
    trunk_frame *frames = NULL;
    size_t frame_capacity = 0;
    icl_status status = icl_trie_build(&plan->trie, batch);
    if (status == ICL_OK) status = walk(&walker, &frames, &frame_capacity);
    free(frames);
    if (status == ICL_OK) count_stats(plan, batch);
    if (status == ICL_OK && limits->window_tokens > 0 &&
        plan->stats.depth_max > limits->window_tokens)
        status = too_long(&walker, (uint32_t)plan->stats.depth_max);
    if (status != ICL_OK) {
        icl_plan_free(plan);
        return status;
    }
    *out = plan;
    return ICL_OK;
}

void icl_plan_free(icl_plan *plan)
{
    if (plan == NULL) return;
    icl_trie_deinit(&plan->trie);
    free(plan->tokens);
    free(plan->nodes);
    free(plan->calls);
    free(plan);
}

const icl_plan_stats *icl_plan_get_stats(const icl_plan *plan)
{
    return &plan->stats;
}

static void print_token(icl_text *text, const icl_decode_token *token)
{
    icl_text_printf(text, " %d@%d[", token->token, token->position);
    if (token->trunk) icl_text_append_string(text, "t");
    if (token->leaf_first <= token->leaf_last)
        icl_text_printf(text, "%s%d", token->trunk ? "+" : "", token->leaf_first);
    if (token->leaf_first < token->leaf_last) icl_text_printf(text, "-%d", token->leaf_last);
    icl_text_printf(text, "]%s%s", token->row ? "*" : "", token->hidden ? "h" : "");
}

icl_status icl_plan_print(char **out_text, const icl_plan *plan)
{
    icl_text text = { 0 };
    const icl_plan_stats *stats = &plan->stats;
    icl_text_printf(
        &text, "asked %llu trie %llu evaluated %llu rows %llu calls %zu waves %zu cells %zu\n",
        (unsigned long long)stats->tokens_asked, (unsigned long long)stats->tokens_trie,
        (unsigned long long)stats->tokens_evaluated, (unsigned long long)stats->logits_rows,
        stats->calls, stats->waves, stats->cells_peak);
    for (size_t c = 0; c < plan->call_count; c++) {
        const plan_call *call = &plan->calls[c];
        if (call->begins_wave)
            icl_text_printf(&text, "wave keep %u leaves %u\n", call->keep_tokens, call->leaf_count);
        icl_text_append_string(&text, "  call");
        for (size_t i = 0; i < call->token_count; i++)
            print_token(&text, &plan->tokens[call->token_first + i]);
        icl_text_append_char(&text, '\n');
    }
    ICL_TRY(icl_text_status(&text));
    *out_text = icl_text_take(&text, NULL);
    return ICL_OK;
}
