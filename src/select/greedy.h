/* select/greedy.h - greedy maximisation of a set function whose gains diminish.
 *
 *   size_t picks[100];
 *   icl_status status = icl_greedy_run(picks, 100, &(icl_greedy){
 *       .candidate_count = n, .user = &problem, .gains = gains, .add = add });
 *
 * Lazy (Minoux 1978): a gain of an earlier round bounds that of every later one, so only candidates
 * at the top of a heap are measured again. The picks are those of measuring all, ties included: the
 * largest gain, of equal gains the lowest candidate.
 */
#ifndef ICL_SELECT_GREEDY_H
#define ICL_SELECT_GREEDY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

typedef struct icl_greedy {
    size_t candidate_count;
    void *user;
    /* out [count]: what adding each of `candidates` would gain now. Never more than it would have
     * gained before any of the additions made since. */
    icl_status (*gains)(void *user, double *out, const size_t *candidates, size_t count);
    void (*add)(void *user, size_t candidate);
    const atomic_bool *cancelled; /* may be NULL */
} icl_greedy;

/* Writes out [pick_count], in order of picking; pick_count <= candidate_count. Each pick has been
 * added. ICL_ECANCELLED, ICL_ENOMEM, what `gains` returns. */
icl_status icl_greedy_run(size_t *out, size_t pick_count, const icl_greedy *problem);

#endif
