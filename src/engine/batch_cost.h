/* engine/batch_cost.h - what a batch takes on its own, answered or not. */
#ifndef ICL_ENGINE_BATCH_COST_H
#define ICL_ENGINE_BATCH_COST_H

#include <icl/engine.h>

/* As in icl_plan_stats, but depending on the requests alone: not on the machine, and not on what a
 * journal knew. */
typedef struct icl_batch_cost {
    size_t requests;
    uint64_t tokens_asked, tokens_trie;
} icl_batch_cost;

/* ICL_ENOMEM; ICL_EINVAL: a trie beyond 2^31 nodes. */
icl_status icl_batch_cost_of(icl_batch_cost *out, const icl_batch *batch);

#endif
