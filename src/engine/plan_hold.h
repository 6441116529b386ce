/* engine/plan_hold.h - which paths of a trie stay in the cache when the plan is done, and how they
 * go on from those that are there. Pure.
 *
 * A kept path is a leaf of the trie with a sequence of its own. Those that are there already come
 * first, then the others in the order of the trie, as long as there are cells for what is new, for
 * what is yet to come, and for the rest of the batch; what finds no room is evaluated in waves like
 * any other request.
 */
#ifndef ICL_ENGINE_PLAN_HOLD_H
#define ICL_ENGINE_PLAN_HOLD_H

#include <icl/sys/model.h>

#include "engine/residents.h"
#include "engine/trie.h"

typedef struct plan_holds {
    uint32_t *leaves;   /* [count] nodes, in the order of the trie */
    int32_t *sequences; /* [count] where they are held, from sequence_count - 1 downwards */
    size_t count;
    size_t missed;          /* kept leaves without room */
    icl_decode_edit *edits; /* [edit_count] of the sequences that are there */
    size_t edit_count;
    size_t sequence_count; /* that the cache has to have */
    size_t leaf_max;       /* sequences 1..leaf_max are free for waves */
    size_t rows_max;       /* of a call, so that rows never outgrow the cache that is ready */
    size_t cells_taken;    /* before the plan, by dropped paths too */
    size_t cells_live;     /* of these, on the paths */
    size_t tokens_to_come; /* of the paths */
} plan_holds;

/* Sets trie_node.held_by to what the residents have on the paths, and subtree_size and leaf_count
 * to what the paths still need. count is 0 where no request is kept, or no path finds room; the
 * trie is then as it was. ICL_ENOMEM. *out is yours: icl_holds_deinit. */
icl_status icl_holds_choose(plan_holds *out, icl_trie *trie, const icl_batch *batch,
                            const icl_plan_limits *limits, const icl_residents *residents);
/* The paths are there: held_by and the counts of the trie are those of the rest of the batch. */
void icl_holds_settle(const plan_holds *holds, icl_trie *trie);
void icl_holds_deinit(plan_holds *holds);

/* Replaces the residents by the paths of a plan that has run. ICL_ENOMEM leaves them as they were.
 */
icl_status icl_holds_become_residents(icl_residents *residents, const plan_holds *holds,
                                      const icl_trie *trie, size_t cells);

#endif
