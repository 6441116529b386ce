/* select/q_world.h - choosing demonstrations one by one as a game: a situation is what is shown so
 * far, an action shows one more candidate, and what can be known of it is asked of the model.
 *
 *   icl_q_world world = { 0 };
 *   icl_status status = icl_q_world_init(&world, input, &shape);
 *   if (status == ICL_OK) status = icl_q_open(&world);
 *   ... world.root->choice, world.root->accuracy ...
 *   icl_q_world_deinit(&world);
 */
#ifndef ICL_SELECT_Q_WORLD_H
#define ICL_SELECT_Q_WORLD_H

#include "base/arena.h"
#include "score/calibrate.h"
#include "select/q_network.h"
#include "select/select.h"

typedef struct icl_q_situation {
    const size_t *shown; /* [shown_count] pool indices, nearest to the query last */
    size_t shown_count;
    double accuracy;       /* on the validation part; NAN: not asked */
    const size_t *actions; /* [choice.action_count] pool indices; NULL: not asked */
    icl_q_choice choice;   /* state: number shown, perplexity of the demonstrations. Action, from
                              running them on the candidate: entropy of the label probabilities
                              over that of uniform ones, their minimum, maximum and standard
                              deviation, perplexity of the whole prompt */
} icl_q_situation;

typedef struct icl_q_shape {
    const char *method;      /* name on the card */
    const char *calibrate;   /* calibration of label scores, by name */
    size_t candidate_count;  /* at most */
    size_t validation_count; /* at most; never more than half of the pool */
    size_t steps;            /* picks of an episode */
} icl_q_shape;

/* With the counts that a pool of this size allows. */
icl_q_shape icl_q_shape_within(icl_q_shape shape, size_t pool_count);

typedef struct icl_q_world {
    const icl_select_input *input;
    const char *method;
    const icl_calibrate_method *calibrate;
    icl_options calibrate_options;
    size_t steps;
    size_t candidate_count, validation_count;
    size_t *candidates;       /* [pool_count] pool indices at random: the candidates first, */
    const size_t *validation; /* [validation_count] after them, then the others */
    icl_q_situation *root;    /* nothing is shown */
    icl_arena arena;          /* situations */
} icl_q_world;

/* Parts the pool at random, by seed and task. Nothing is asked. ICL_ENOMEM. */
icl_status icl_q_world_init(icl_q_world *out, const icl_select_input *input,
                            const icl_q_shape *shape);
void icl_q_world_deinit(icl_q_world *world);

/* Ask about all situations at once. ICL_ENOMEM; what the model says. */
icl_status icl_q_measure_accuracy(icl_q_world *world, icl_q_situation *const *situations,
                                  size_t count);
icl_status icl_q_measure_actions(icl_q_world *world, icl_q_situation *const *situations,
                                 size_t count);
/* Both of the root. */
icl_status icl_q_open(icl_q_world *world);

/* What `before` shows and one more pool item, nothing where `before` is NULL; the world's. */
icl_status icl_q_situation_after(icl_q_situation **out, icl_q_world *world,
                                 const icl_q_situation *before, size_t item);

#endif
