/* select/q_episode.h - episodes of choosing demonstrations one by one: the reward of a pick is what
 * accuracy on the validation part gains by it, so the rewards of an episode add up to its whole
 * gain. Stopping earns nothing.
 *
 *   icl_q_replay replay = { 0 };
 *   icl_status status = icl_q_play(&replay, &world, 8, policy, user);
 *   ... icl_q_learner_update(NULL, learner, replay.transitions, replay.count) ...
 *   icl_q_replay_deinit(&replay);
 */
#ifndef ICL_SELECT_Q_EPISODE_H
#define ICL_SELECT_Q_EPISODE_H

#include "select/q_learner.h"
#include "select/q_world.h"

typedef struct icl_q_replay {
    icl_q_transition *transitions; /* [count]; the choices are the world's */
    size_t count, capacity;
} icl_q_replay;

void icl_q_replay_deinit(icl_q_replay *replay);

/* The action, choice->action_count to stop, in episode 0 .. count - 1 of a call. */
typedef size_t icl_q_policy(void *user, size_t episode, const icl_q_choice *choice);

/* Plays `count` episodes side by side and remembers their transitions, after icl_q_open. */
icl_status icl_q_play(icl_q_replay *replay, icl_q_world *world, size_t count, icl_q_policy *policy,
                      void *user);

/* Writes the first `needed` of order[candidate_count], or all: what the network picks, one after
 * another, until it stops or has picked `steps`; then the others by the values they have then.
 * *out_picked says how many it picked. */
icl_status icl_q_rank(size_t *order, size_t *out_picked, icl_q_world *world,
                      const icl_q_network *network, size_t needed);
/* Accuracy with the first `shown_count` of them shown. */
icl_status icl_q_accuracy_of(double *out, icl_q_world *world, const size_t *order,
                             size_t shown_count);

#endif
