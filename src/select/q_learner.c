#include "select/q_learner.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "math/adamw.h"
#include "math/logspace.h"
#include "select/draw.h"

struct icl_q_learner {
    icl_q_options options;
    icl_q_network network, target;
    icl_adamw adam;
    uint64_t updates;
    icl_rng rng;
    size_t *items, *swaps; /* [item_capacity] the replay's indices, and scratch of a draw */
    size_t item_capacity;
    size_t *drawn;                  /* [batch_size] */
    const icl_q_transition **batch; /* [batch_size] */
    double *targets;                /* [batch_size] */
    double *values, *slopes;        /* [actions_max + 1] */
    icl_q_pass *passes;             /* [actions_max + 1] */
};

icl_q_options icl_q_options_default(void)
{
    return (icl_q_options){
        .batch_size = 16,
        .target_every = 400,
        .rate = 3e-4,
        .decay = 1e-3,
        .clip_norm = 1.0,
        .conservative = 0.2,
        .dropout = 0.25,
        .task = "",
    };
}

static icl_status allocate(icl_q_learner *self)
{
    const size_t batch = self->options.batch_size, values = self->options.actions_max + 1;
    self->drawn = calloc(batch, sizeof *self->drawn);
    self->batch = calloc(batch, sizeof *self->batch);
    self->targets = calloc(batch, sizeof *self->targets);
    self->values = calloc(values, sizeof *self->values);
    self->slopes = calloc(values, sizeof *self->slopes);
    self->passes = calloc(values, sizeof *self->passes);
    if (self->drawn == NULL || self->batch == NULL || self->targets == NULL ||
        self->values == NULL || self->slopes == NULL || self->passes == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for choices between %zu actions", values);
    return icl_adamw_init(&self->adam, ICL_Q_WEIGHTS);
}

icl_status icl_q_learner_new(icl_q_learner **out, const icl_q_options *options)
{
    assert(options->batch_size > 0 && options->target_every > 0);
    icl_q_learner *self = calloc(1, sizeof *self);
    if (self == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a Q network");
    self->options = *options;
    self->rng = icl_rng_new(options->seed, options->task, "", "q-learner");
    icl_q_network_start(&self->network, &self->rng);
    const icl_status status = allocate(self);
    if (status == ICL_OK)
        *out = self;
    else
        icl_q_learner_free(self);
    return status;
}

void icl_q_learner_free(icl_q_learner *learner)
{
    if (learner == NULL) return;
    icl_adamw_deinit(&learner->adam);
    free(learner->passes);
    free(learner->slopes);
    free(learner->values);
    free(learner->targets);
    free(learner->batch);
    free(learner->drawn);
    free(learner->swaps);
    free(learner->items);
    free(learner);
}

icl_q_network *icl_q_learner_network(icl_q_learner *learner)
{
    return &learner->network;
}

/* --- loss --- */

double icl_q_target(const icl_q_network *target, const icl_q_transition *transition, double *values)
{
    if (transition->next == NULL) return transition->reward;
    return transition->reward + values[icl_q_best(values, target, transition->next)];
}

/* Adds one transition's part of the loss, `share` of it, and its gradient. */
static void add_loss(icl_q_loss *loss, icl_q_weights *gradient, icl_q_learner *self,
                     const icl_q_transition *transition, double target, double share,
                     double dropout)
{
    const icl_q_choice *choice = transition->choice;
    const size_t count = choice->action_count + 1, action = transition->action;
    assert(choice->action_count <= self->options.actions_max && action < count);
    icl_q_forward(self->values, self->passes, &self->network, choice, dropout, &self->rng);
    const double error = self->values[action] - target;
    loss->temporal += share * fabs(error);
    loss->conservative += share * (icl_logsumexp(self->values, count) - self->values[action]);
    icl_softmax(self->slopes, self->values, count);
    self->slopes[action] -= 1.0;
    for (size_t a = 0; a < count; a++) self->slopes[a] *= share * self->options.conservative;
    self->slopes[action] += error > 0.0 ? share : error < 0.0 ? -share : 0.0;
    icl_q_backward(gradient, &self->network, self->slopes, self->passes, choice);
}

icl_q_loss icl_q_learner_loss(icl_q_weights *gradient, icl_q_learner *learner,
                              const icl_q_transition *const *batch, const double *targets,
                              size_t count, double dropout)
{
    icl_q_loss loss = { 0 };
    *gradient = (icl_q_weights){ 0 };
    for (size_t i = 0; i < count; i++)
        add_loss(&loss, gradient, learner, batch[i], targets[i], 1.0 / (double)count, dropout);
    return loss;
}

/* --- update --- */

static icl_status grow_items(icl_q_learner *self, size_t count)
{
    if (count <= self->item_capacity) return ICL_OK;
    size_t *items = realloc(self->items, count * sizeof *items);
    if (items != NULL) self->items = items;
    size_t *swaps = realloc(self->swaps, count * sizeof *swaps);
    if (swaps != NULL) self->swaps = swaps;
    if (items == NULL || swaps == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu transitions", count);
    for (size_t i = self->item_capacity; i < count; i++) items[i] = i;
    self->item_capacity = count;
    return ICL_OK;
}

/* How many of the drawn transitions go on. */
static size_t draw_batch(icl_q_learner *self, const icl_q_transition *replay, size_t count)
{
    const size_t size = self->options.batch_size;
    size_t open = 0;
    icl_draw(self->drawn, size, self->items, count, self->swaps, &self->rng);
    for (size_t i = 0; i < size; i++) {
        self->batch[i] = &replay[self->drawn[i]];
        open += self->batch[i]->next != NULL;
    }
    return open;
}

static void step(icl_q_learner *self)
{
    const icl_q_options *o = &self->options;
    icl_adamw_options adam = icl_adamw_options_default();
    adam.rate = o->rate;
    adam.decay = o->decay;
    adam.clip_norm = o->clip_norm;
    if (self->updates++ % o->target_every == 0) self->target = self->network;
    for (size_t i = 0; i < o->batch_size; i++)
        icl_q_network_track(&self->network, self->batch[i]->choice);
    self->target.norm = self->network.norm; /* both read inputs alike */
    for (size_t i = 0; i < o->batch_size; i++)
        self->targets[i] = icl_q_target(&self->target, self->batch[i], self->values);
    icl_q_weights gradient;
    icl_q_learner_loss(&gradient, self, self->batch, self->targets, o->batch_size, o->dropout);
    icl_adamw_step(&self->adam, self->network.weights.all, gradient.all, &adam);
}

icl_status icl_q_learner_update(bool *out_changed, icl_q_learner *learner,
                                const icl_q_transition *replay, size_t count)
{
    bool changed = false;
    if (count >= learner->options.batch_size) {
        ICL_TRY(grow_items(learner, count));
        changed = draw_batch(learner, replay, count) >= 2;
        if (changed) step(learner);
    }
    if (out_changed != NULL) *out_changed = changed;
    return ICL_OK;
}
