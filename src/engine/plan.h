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
 *
 * Paths that the batch keeps are evaluated first, in one wave that is not dropped: what earlier
 * plans have left of them is there (engine/residents.h), the rest is put behind it. The other waves
 * then stand on top, and where their trunk runs along a kept path it is copied from there.
 */
#ifndef ICL_ENGINE_PLAN_H
#define ICL_ENGINE_PLAN_H

#include <icl/sys/model.h>

#include "engine/plan_hold.h"
#include "engine/trie.h"

typedef struct plan_call {
    bool begins_wave;
    bool held; /* of the wave of kept paths */
    uint32_t keep_tokens;
    uint32_t trunk_from;
    uint32_t leaf_count;
    size_t token_first, token_count; /* in icl_plan.tokens and icl_plan.nodes */
} plan_call;

struct icl_plan {
    icl_trie trie;
    icl_plan_limits limits;
    icl_plan_stats stats;
    plan_holds holds;
    size_t cells_held; /* taken when the kept paths are there */
    icl_decode_token *tokens;
    uint32_t *nodes; /* [token_count], parallel to tokens */
    size_t token_count, token_capacity, node_capacity;
    plan_call *calls;
    size_t call_count, call_capacity;
};

/* plan_walk.c: fills tokens, calls and some stats of a plan with trie, limits and holds. */
icl_status icl_plan_walk(icl_plan *plan);
icl_status icl_plan_too_long(const icl_plan *plan, size_t depth); /* leaves the sentence */

/* As icl_plan_new, on a cache that is not empty; `residents` is borrowed for the call. A plan whose
 * holds.count is 0 wants an empty cache all the same. */
icl_status icl_plan_new_on(icl_plan **out, const icl_batch *batch, const icl_plan_limits *limits,
                           const icl_residents *residents);

/* The call as a back end takes it. Borrows from the plan. */
icl_decode_call icl_plan_decode_call(const icl_plan *plan, const plan_call *call);

/* What the calls need of a cache, and with `to_come` what the next plans will, if nothing changes.
 */
icl_decode_limits icl_plan_decode_limits(const icl_plan *plan, bool to_come);

#endif
