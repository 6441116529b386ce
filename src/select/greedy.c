#include "select/greedy.h"

#include <assert.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/topk.h"

/* Most candidates measured in one call: enough for a product to reuse what it has loaded. */
enum { MEASURED_AT_ONCE = 64 };

typedef struct race {
    const icl_greedy *problem;
    icl_scored *heap; /* [count] by last known gain, the best at the root */
    size_t count;
    size_t *measured; /* [candidate_count] picks that stood when a candidate was last measured */
    size_t picked;
} race;

static void sift_down(race *r, size_t at)
{
    for (;;) {
        size_t best = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < r->count; child++)
            if (icl_scored_before(r->heap[child], r->heap[best])) best = child;
        if (best == at) return;
        const icl_scored held = r->heap[at];
        r->heap[at] = r->heap[best];
        r->heap[best] = held;
        at = best;
    }
}

static icl_scored pop(race *r)
{
    const icl_scored top = r->heap[0];
    r->heap[0] = r->heap[--r->count];
    sift_down(r, 0);
    return top;
}

static void push(race *r, icl_scored item)
{
    size_t at = r->count++;
    for (; at > 0 && icl_scored_before(item, r->heap[(at - 1) / 2]); at = (at - 1) / 2)
        r->heap[at] = r->heap[(at - 1) / 2];
    r->heap[at] = item;
}

static bool is_fresh(const race *r, icl_scored item)
{
    return r->measured[item.index] == r->picked;
}

/* Measures every candidate once, before the first pick. */
static icl_status race_start(race *r)
{
    const icl_greedy *problem = r->problem;
    for (size_t first = 0; first < problem->candidate_count; first += MEASURED_AT_ONCE) {
        size_t candidates[MEASURED_AT_ONCE], count = 0;
        double gains[MEASURED_AT_ONCE];
        for (; count < MEASURED_AT_ONCE && first + count < problem->candidate_count; count++)
            candidates[count] = first + count;
        ICL_TRY(icl_cancel_check(problem->cancelled));
        ICL_TRY(problem->gains(problem->user, gains, candidates, count));
        for (size_t i = 0; i < count; i++)
            r->heap[first + i] = (icl_scored){ .score = gains[i], .index = candidates[i] };
    }
    r->count = problem->candidate_count;
    for (size_t at = r->count / 2; at-- > 0;) sift_down(r, at);
    return ICL_OK;
}

/* Measures up to `limit` stale candidates from the top of the heap, as far as the first fresh one.
 */
static icl_status refresh(race *r, size_t limit)
{
    size_t candidates[MEASURED_AT_ONCE], count = 0;
    double gains[MEASURED_AT_ONCE];
    while (count < limit && r->count > 0 && !is_fresh(r, r->heap[0]))
        candidates[count++] = pop(r).index;
    ICL_TRY(icl_cancel_check(r->problem->cancelled));
    ICL_TRY(r->problem->gains(r->problem->user, gains, candidates, count));
    for (size_t i = 0; i < count; i++) {
        r->measured[candidates[i]] = r->picked;
        push(r, (icl_scored){ .score = gains[i], .index = candidates[i] });
    }
    return ICL_OK;
}

static icl_status pick_all(size_t *out, size_t pick_count, race *r)
{
    for (; r->picked < pick_count; r->picked++) {
        size_t limit = 1;
        while (!is_fresh(r, r->heap[0])) {
            ICL_TRY(refresh(r, limit));
            if (limit < MEASURED_AT_ONCE) limit *= 2;
        }
        out[r->picked] = pop(r).index;
        r->problem->add(r->problem->user, out[r->picked]);
    }
    return ICL_OK;
}

icl_status icl_greedy_run(size_t *out, size_t pick_count, const icl_greedy *problem)
{
    assert(pick_count <= problem->candidate_count);
    if (pick_count == 0) return ICL_OK;
    race r = { .problem = problem };
    icl_status status = ICL_OK;
    r.heap = malloc(problem->candidate_count * sizeof *r.heap);
    r.measured = calloc(problem->candidate_count, sizeof *r.measured);
    if (r.heap == NULL || r.measured == NULL)
        status =
            icl_error_set(ICL_ENOMEM, "out of memory for %zu candidates", problem->candidate_count);
    if (status == ICL_OK) status = race_start(&r);
    if (status == ICL_OK) status = pick_all(out, pick_count, &r);
    free(r.measured);
    free(r.heap);
    return status;
}
