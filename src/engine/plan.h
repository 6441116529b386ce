/* engine/plan.h - the order in which a trie is evaluated: calls of bounded size over a cache of
 * bounded size. Pure: no clock, no model, no randomness.
 *
 * The planner walks the trie depth first and keeps the current path, the trunk, in sequence 0. A
 * wave is a run of complete sibling subtrees below the end of the trunk; each of its leaf paths is
 * a sequence of its own, so tokens shared inside a wave are evaluated once too. When the wave is
 * done, all of it is dropped and the trunk is cut back to where the next wave branches off. So the
 * cache never holds more than a path and a wave, and no token is evaluated twice. Cells are taken
 * in ascending order and only the tail is ever dropped, so a token's cell always lies after its
 * ancestors' cells, whatever the waves.
 */
#ifndef ICL_ENGINE_PLAN_H
#define ICL_ENGINE_PLAN_H

#include <icl/sys/model.h>

#include "engine/trie.h"

typedef struct plan_call {
    bool begins_wave;
    uint32_t keep_tokens;
    uint32_t leaf_count;
    size_t token_first, token_count; /* in icl_plan.tokens and icl_plan.nodes */
} plan_call;

struct icl_plan {
    icl_trie trie;
    icl_plan_limits limits;
    icl_plan_stats stats;
    icl_decode_token *tokens;
    uint32_t *nodes; /* [token_count], parallel to tokens */
    size_t token_count, token_capacity, node_capacity;
    plan_call *calls;
    size_t call_count, call_capacity;
};

#endif
