#include "select/q_episode.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cancel.h"
#include "base/error.h"
#include "math/topk.h"

/* --- episodes --- */

void icl_q_replay_deinit(icl_q_replay *replay)
{
    free(replay->transitions);
    *replay = (icl_q_replay){ 0 };
}

static icl_status remember(icl_q_replay *replay, const icl_q_transition *transition)
{
    ICL_TRY(icl_array_reserve(&replay->transitions, &replay->capacity, replay->count + 1));
    replay->transitions[replay->count++] = *transition;
    return ICL_OK;
}

/* Episodes that go on, side by side. */
typedef struct table {
    icl_q_situation **now, **next; /* [count] */
    size_t *numbers, *actions;     /* [count] of the episodes; what they did */
    size_t count;
} table;

static icl_status table_init(table *out, const icl_q_world *world, size_t count)
{
    *out = (table){ .count = count };
    out->now = calloc(count + 1, sizeof *out->now);
    out->next = calloc(count + 1, sizeof *out->next);
    out->numbers = calloc(count + 1, sizeof *out->numbers);
    out->actions = calloc(count + 1, sizeof *out->actions);
    if (out->now == NULL || out->next == NULL || out->numbers == NULL || out->actions == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu episodes", count);
    for (size_t i = 0; i < count; i++) {
        out->now[i] = world->root;
        out->numbers[i] = i;
    }
    return ICL_OK;
}

static void table_deinit(table *t)
{
    free(t->actions);
    free(t->numbers);
    free(t->next);
    free(t->now);
}

/* Everyone acts; those who stop leave the table. */
static icl_status act(icl_q_replay *replay, icl_q_world *world, table *t, icl_q_policy *policy,
                      void *user)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        icl_q_situation *now = t->now[i];
        const size_t action = policy(user, t->numbers[i], &now->choice);
        if (action == now->choice.action_count) {
            ICL_TRY(
                remember(replay, &(icl_q_transition){ .choice = &now->choice, .action = action }));
            continue;
        }
        ICL_TRY(icl_q_situation_after(&t->next[kept], world, now, now->actions[action]));
        t->now[kept] = now;
        t->numbers[kept] = t->numbers[i];
        t->actions[kept++] = action;
    }
    t->count = kept;
    return ICL_OK;
}

static icl_status reward(icl_q_replay *replay, table *t, bool last)
{
    for (size_t i = 0; i < t->count; i++) {
        const icl_q_situation *now = t->now[i], *next = t->next[i];
        ICL_TRY(remember(replay, &(icl_q_transition){ .choice = &now->choice,
                                                      .action = t->actions[i],
                                                      .reward = next->accuracy - now->accuracy,
                                                      .next = last ? NULL : &next->choice }));
        t->now[i] = t->next[i];
    }
    return ICL_OK;
}

icl_status icl_q_play(icl_q_replay *replay, icl_q_world *world, size_t count, icl_q_policy *policy,
                      void *user)
{
    assert(world->root->actions != NULL && !isnan(world->root->accuracy));
    table t;
    icl_status status = table_init(&t, world, count);
    for (size_t s = 1; status == ICL_OK && s <= world->steps && t.count > 0; s++) {
        const bool last = s == world->steps;
        status = act(replay, world, &t, policy, user);
        if (status == ICL_OK) status = icl_q_measure_accuracy(world, t.next, t.count);
        if (status == ICL_OK && !last) status = icl_q_measure_actions(world, t.next, t.count);
        if (status == ICL_OK) status = reward(replay, &t, last);
    }
    table_deinit(&t);
    return status;
}

/* --- the network's own choice --- */

static void append_rest(size_t *order, size_t picked, icl_scored *ranked, const double *values,
                        const icl_q_situation *situation)
{
    const size_t count = situation->choice.action_count;
    for (size_t a = 0; a < count; a++) ranked[a] = (icl_scored){ values[a], a };
    icl_topk(ranked, count, count);
    for (size_t a = 0; a < count; a++) order[picked + a] = situation->actions[ranked[a].index];
}

static icl_status pick_on(size_t *order, size_t *picked, icl_q_world *world,
                          const icl_q_network *network, size_t needed, double *values,
                          icl_scored *ranked)
{
    icl_q_situation *now = world->root;
    for (;;) {
        ICL_TRY(icl_cancel_check(world->input->cancelled));
        if (now->actions == NULL) ICL_TRY(icl_q_measure_actions(world, &now, 1));
        const size_t best = icl_q_best(values, network, &now->choice);
        if (best == now->choice.action_count || *picked == world->steps) break;
        order[(*picked)++] = now->actions[best];
        if (*picked >= needed) return ICL_OK;
        ICL_TRY(icl_q_situation_after(&now, world, now, now->actions[best]));
    }
    append_rest(order, *picked, ranked, values, now);
    return ICL_OK;
}

icl_status icl_q_rank(size_t *order, size_t *out_picked, icl_q_world *world,
                      const icl_q_network *network, size_t needed)
{
    double *values = calloc(world->candidate_count + 1, sizeof *values);
    icl_scored *ranked = calloc(world->candidate_count + 1, sizeof *ranked);
    size_t picked = 0;
    icl_status status = ICL_OK;
    if (values == NULL || ranked == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory to rank %zu candidates",
                               world->candidate_count);
    if (status == ICL_OK) status = pick_on(order, &picked, world, network, needed, values, ranked);
    if (status == ICL_OK) *out_picked = picked;
    free(ranked);
    free(values);
    return status;
}

icl_status icl_q_accuracy_of(double *out, icl_q_world *world, const size_t *order,
                             size_t shown_count)
{
    icl_q_situation situation = { .shown = order, .shown_count = shown_count };
    icl_q_situation *asked = &situation;
    ICL_TRY(icl_q_measure_accuracy(world, &asked, 1));
    *out = situation.accuracy;
    return ICL_OK;
}
