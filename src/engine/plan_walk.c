/* The walk over the trie that makes waves and calls of it. */
#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/error.h"
#include "engine/plan.h"

/* A wave of a few calls fills its calls well; a larger one would only enlarge the cache. The same
 * for leaves, for each of which a back end may hold a row and a list of positions; a subtree with
 * more gets a wave of its own. */
enum { WAVE_CALLS = 4, WAVE_LEAVES = 128 };

typedef struct plan_walker {
    icl_plan *plan;
    size_t block_first;  /* first token since the cache was last cut */
    uint32_t keep;       /* trunk tokens in the cache at that cut */
    uint32_t trunk_from; /* kept path that these are copied from, or 0 */
    size_t cells;        /* taken then */
} plan_walker;

static const trie_node *node_at(const plan_walker *walker, uint32_t index)
{
    return &walker->plan->trie.nodes[index];
}

static uint32_t child_at(const plan_walker *walker, const trie_node *node, uint32_t index)
{
    return walker->plan->trie.children[node->child_first + index];
}

/* The first child from rank `next` on with something to evaluate below; child_count: none. */
static uint32_t wanted_child(const plan_walker *walker, const trie_node *node, uint32_t next)
{
    while (next < node->child_count &&
           node_at(walker, child_at(walker, node, next))->leaf_count == 0)
        next++;
    return next;
}

/* Cells that are taken when the trunk ends at a node: kept paths have some of the trunk. */
static size_t cells_with_trunk(const plan_walker *walker, uint32_t index)
{
    const uint32_t depth = node_at(walker, index)->depth;
    if (walker->plan->holds.count == 0) return depth;
    while (index != TRIE_ROOT && node_at(walker, index)->held_by == 0)
        index = node_at(walker, index)->parent;
    return walker->plan->cells_held + depth - node_at(walker, index)->depth;
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
                                            .trunk_from = walker->trunk_from,
                                            .leaf_count = leaf_count,
                                            .token_first = first,
                                            .token_count = count }));
        first += count;
    }
    plan->stats.waves++;
    plan->stats.cells_peak = max_size(plan->stats.cells_peak, walker->cells + total);
    plan->stats.sequences_peak = max_size(plan->stats.sequences_peak, leaf_count + 1);
    walker->block_first = first;
    return ICL_OK;
}

/* Tokens of a complete subtree that are to be evaluated, parents first; leaves are numbered from
 * `leaf`. */
static icl_status add_subtree(plan_walker *walker, uint32_t top, uint32_t leaf)
{
    /* Depth-first without recursion: a node's next sibling is found through its parent. */
    uint32_t index = top;
    for (;;) {
        const trie_node *node = node_at(walker, index);
        if (node->held_by == 0) ICL_TRY(add_token(walker, index, leaf, false));
        if (node->child_count > 0) {
            index = child_at(walker, node, wanted_child(walker, node, 0));
            continue;
        }
        leaf++;
        while (index != top) {
            const trie_node *done = node_at(walker, index), *parent = node_at(walker, done->parent);
            const uint32_t sibling = wanted_child(walker, parent, done->rank + 1);
            if (sibling < parent->child_count) {
                index = child_at(walker, parent, sibling);
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

static bool fits(const plan_walker *walker, size_t room, size_t tokens, size_t leaves, bool first,
                 bool chain)
{
    const size_t wave_max = walker->plan->limits.call_tokens_max * WAVE_CALLS;
    if (leaves > walker->plan->holds.leaf_max) return false;
    if (!first && leaves > WAVE_LEAVES) return false;
    return tokens <= room && (chain || tokens <= wave_max);
}

/* Puts as many further children of the frame as fit into one wave. Returns with leaves == 0 when
 * not even the next one fits. */
static icl_status add_wave(plan_walker *walker, trunk_frame *frame, uint32_t *out_leaves)
{
    const trie_node *node = node_at(walker, frame->node);
    /* What is taken never exceeds cells_max: checked before. */
    const size_t room = walker->plan->limits.cells_max - cells_with_trunk(walker, frame->node);
    size_t tokens = 0;
    uint32_t leaves = 0;
    while (frame->next < node->child_count) {
        const uint32_t child = child_at(walker, node, frame->next);
        const trie_node *below = node_at(walker, child);
        const bool chain = leaves == 0 && below->leaf_count == 1;
        if (below->held_by != 0) break; /* the trunk is to be copied further */
        if (!fits(walker, room, tokens + below->subtree_size, leaves + below->leaf_count,
                  leaves == 0, chain))
            break;
        ICL_TRY(add_subtree(walker, child, leaves + 1));
        tokens += below->subtree_size;
        leaves += below->leaf_count;
        frame->next = wanted_child(walker, node, frame->next + 1);
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
    walker->cells += trunk;
    walker->trunk_from = 0;
    return end_wave(walker, total - trunk, leaf_count);
}

/* The trunk grows down the next child to its first branching, or to where kept paths end; pushes
 * that frame. */
static icl_status grow_trunk(plan_walker *walker, trunk_frame **frames, size_t *frame_count,
                             size_t *frame_capacity)
{
    trunk_frame *top = &(*frames)[*frame_count - 1];
    const trie_node *parent = node_at(walker, top->node);
    uint32_t index = child_at(walker, parent, top->next);
    top->next = wanted_child(walker, parent, top->next + 1);
    const bool held = node_at(walker, index)->held_by != 0;
    uint32_t first;
    for (;;) {
        const trie_node *node = node_at(walker, index);
        if (cells_with_trunk(walker, index) >= walker->plan->limits.cells_max)
            return icl_plan_too_long(walker->plan, node->depth + 1);
        if (!held) ICL_TRY(add_token(walker, index, 1, true));
        first = wanted_child(walker, node, 0);
        if (first == node->child_count || wanted_child(walker, node, first + 1) < node->child_count)
            break;
        const uint32_t child = child_at(walker, node, first);
        if (held != (node_at(walker, child)->held_by != 0)) break;
        index = child;
    }
    ICL_TRY(icl_array_reserve(frames, frame_capacity, *frame_count + 1));
    (*frames)[(*frame_count)++] = (trunk_frame){ .node = index, .next = first };
    return ICL_OK;
}

static icl_status walk_trie(plan_walker *walker, trunk_frame **frames, size_t *frame_capacity)
{
    size_t frame_count = 0;
    ICL_TRY(icl_array_reserve(frames, frame_capacity, 1));
    (*frames)[frame_count++] =
        (trunk_frame){ .node = TRIE_ROOT,
                       .next = wanted_child(walker, node_at(walker, TRIE_ROOT), 0) };
    while (frame_count > 0) {
        trunk_frame *top = &(*frames)[frame_count - 1];
        const trie_node *node = node_at(walker, top->node);
        if (top->next == node->child_count) {
            frame_count--;
            continue;
        }
        if (walker->block_first == walker->plan->token_count) {
            walker->keep = node->depth;
            walker->trunk_from = node->held_by;
            walker->cells = cells_with_trunk(walker, top->node);
        }
        uint32_t leaves = 0;
        ICL_TRY(add_wave(walker, top, &leaves));
        if (leaves > 0) {
            ICL_TRY(end_leaves(walker, leaves));
            continue;
        }
        const trie_node *next = node_at(walker, child_at(walker, node, top->next));
        if (next->held_by == 0 && next->leaf_count == 1)
            return icl_plan_too_long(walker->plan, node->depth + next->subtree_size);
        ICL_TRY(grow_trunk(walker, frames, &frame_count, frame_capacity));
    }
    return ICL_OK;
}

/* ---- kept paths ---- */

/* Calls of the wave of kept paths. */
static icl_status cut_held_wave(icl_plan *plan)
{
    size_t first = 0, rows = 0;
    for (size_t i = 0; i < plan->token_count; i++) {
        rows += plan->tokens[i].row;
        const bool full = i + 1 - first == plan->limits.call_tokens_max ||
                          rows == plan->holds.rows_max || i + 1 == plan->token_count;
        if (!full) continue;
        ICL_TRY(add_call(plan, (plan_call){ .begins_wave = first == 0,
                                            .held = true,
                                            .leaf_count = (uint32_t)plan->holds.count,
                                            .token_first = first,
                                            .token_count = i + 1 - first }));
        first = i + 1;
        rows = 0;
    }
    plan->stats.waves++;
    plan->stats.sequences_peak = plan->holds.sequence_count;
    return ICL_OK;
}

static icl_status add_held_paths(plan_walker *walker)
{
    icl_plan *plan = walker->plan;
    const trie_node *root = node_at(walker, TRIE_ROOT);
    uint32_t leaf = 1;
    for (uint32_t next = wanted_child(walker, root, 0); next < root->child_count;
         next = wanted_child(walker, root, next + 1)) {
        const uint32_t child = child_at(walker, root, next);
        ICL_TRY(add_subtree(walker, child, leaf));
        leaf += node_at(walker, child)->leaf_count;
    }
    ICL_TRY(cut_held_wave(plan));
    plan->cells_held = plan->holds.cells_taken + plan->token_count;
    plan->stats.cells_peak = plan->cells_held;
    walker->block_first = plan->token_count;
    icl_holds_settle(&plan->holds, &plan->trie);
    return ICL_OK;
}

icl_status icl_plan_walk(icl_plan *plan)
{
    plan_walker walker = { .plan = plan };
    trunk_frame *frames = NULL;
    size_t frame_capacity = 0;
    icl_status status = ICL_OK;
    if (plan->holds.count > 0)
        status = add_held_paths(&walker);
    else
        plan->holds.leaf_max = plan->limits.sequences_max - 1;
    if (status == ICL_OK) status = walk_trie(&walker, &frames, &frame_capacity);
    free(frames);
    return status;
}
