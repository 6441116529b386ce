#include "select/reward.h"

#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "learn/graph.h"
#include "learn/optimizer.h"

enum { ITEMS_AT_ONCE = 16, HIDDEN = 32, PARAMETER_COUNT = 4 };

typedef struct scorer {
    const icl_select_input *input;
    const icl_feedback *feedback;
    size_t list_length, feature_count;
    icl_device *device;
    icl_parameters *parameters;
    size_t indices[PARAMETER_COUNT];
    icl_optimizer *optimizer;
    icl_graph *graph;
    icl_value *features, *targets, *weights, *scores, *loss;
    float *rows; /* [ITEMS_AT_ONCE * list_length][feature_count] */
} scorer;

static icl_status no_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for a reward model");
}

/* ---- what it looks at ---- */

static void fill_row(float *out, const icl_select_input *input, size_t item, size_t candidate)
{
    const size_t size = input->vector_size;
    const float *query = input->pool_vectors + item * size;
    const float *shown = input->pool_vectors + candidate * size;
    memcpy(out, query, size * sizeof *out);
    memcpy(out + size, shown, size * sizeof *out);
    for (size_t i = 0; i < size; i++) out[2 * size + i] = query[i] * shown[i];
    out[3 * size] = input->pool_labels[item] == input->pool_labels[candidate];
}

/* ---- the network ---- */

static icl_status add_parameters(scorer *self, uint64_t seed)
{
    static const char *const names[PARAMETER_COUNT] = { "hidden", "hidden_bias", "score",
                                                        "score_bias" };
    const int64_t inputs = (int64_t)self->feature_count;
    const int64_t shapes[PARAMETER_COUNT][2] = {
        { inputs, HIDDEN }, { HIDDEN, 1 }, { HIDDEN, 1 }, { 1, 1 }
    };
    for (size_t i = 0; i < PARAMETER_COUNT; i++)
        ICL_TRY(icl_parameters_add(&self->indices[i], self->parameters, names[i], shapes[i], 2));
    ICL_TRY(icl_parameters_allocate(self->parameters));
    /* Features are parts of unit vectors, so that their squares sum to about 2. */
    ICL_TRY(icl_parameters_fill_normal(self->parameters, self->indices[0], seed, 1));
    return icl_parameters_fill_normal(self->parameters, self->indices[2], seed, 0.25);
}

static icl_value *weight(scorer *self, size_t i)
{
    return icl_graph_parameter(self->graph, self->indices[i]);
}

static icl_status build_graph(scorer *self)
{
    const int64_t lists = ITEMS_AT_ONCE, length = (int64_t)self->list_length;
    ICL_TRY(icl_graph_new(&self->graph, self->parameters));
    icl_graph *graph = self->graph;
    self->features =
        icl_graph_input(graph, "features", (int64_t)self->feature_count, lists * length, false);
    self->targets = icl_graph_input_ids(graph, "targets", lists);
    self->weights = icl_graph_input(graph, "weights", lists, 1, false);
    icl_value *hidden =
        icl_op_add(graph, icl_op_linear(graph, weight(self, 0), self->features), weight(self, 1));
    hidden = icl_op_relu(graph, hidden);
    icl_value *scores =
        icl_op_add(graph, icl_op_linear(graph, weight(self, 2), hidden), weight(self, 3));
    self->scores = icl_op_reshape(graph, scores, length, lists, 1, 1);
    icl_graph_keep(graph, self->scores);
    self->loss = icl_loss_cross_entropy(graph, self->scores, self->targets, self->weights, 0);
    icl_graph_add_loss(graph, "best", self->loss, 1);
    return icl_graph_finish(graph, true);
}

/* The loss is computed with the scores, also before anything is learned: it needs places to read.
 * The best candidate is the first of each list. */
static void set_targets(scorer *self)
{
    static const int32_t first[ITEMS_AT_ONCE];
    static const float nothing[ITEMS_AT_ONCE];
    icl_graph_set_ids(self->graph, self->targets, first);
    icl_graph_set(self->graph, self->weights, nothing);
}

static icl_status new_optimizer(scorer *self, size_t step_count)
{
    icl_optimizer_options options = icl_optimizer_options_default();
    options.rate = 3e-3;
    options.rate_end = 0;
    options.warmup_steps = step_count / 10;
    options.step_count = step_count;
    return icl_optimizer_new(&self->optimizer, self->parameters, &options);
}

static icl_status open_scorer(scorer *self, size_t step_count)
{
    const icl_device_options device = { .name = "cpu", .thread_count = 1 };
    self->feature_count = 3 * self->input->vector_size + 1;
    self->rows = malloc(ITEMS_AT_ONCE * self->list_length * self->feature_count * sizeof(float));
    if (self->rows == NULL) return no_memory();
    ICL_TRY(icl_device_open(&self->device, &device));
    ICL_TRY(icl_parameters_new(&self->parameters, self->device));
    ICL_TRY(add_parameters(self, self->input->seed));
    ICL_TRY(build_graph(self));
    set_targets(self);
    return step_count > 0 ? new_optimizer(self, step_count) : ICL_OK;
}

static void close_scorer(scorer *self)
{
    icl_optimizer_free(self->optimizer);
    icl_graph_free(self->graph);
    icl_parameters_free(self->parameters);
    icl_device_close(self->device);
    free(self->rows);
}

/* ---- learning ---- */

/* The best candidate, then others of the rest at random. */
static void draw_rows(scorer *self, size_t list, size_t item, icl_rng *rng)
{
    const size_t width = self->feedback->width;
    const size_t *candidates = self->feedback->candidates + item * width;
    for (size_t i = 0; i < self->list_length; i++) {
        const size_t rank = i == 0 ? 0 : 1 + icl_rng_below(rng, width - 1);
        fill_row(self->rows + (list * self->list_length + i) * self->feature_count, self->input,
                 item, candidates[rank]);
    }
}

static icl_status learn_step(scorer *self, const size_t *items, icl_rng *rng)
{
    float weights[ITEMS_AT_ONCE];
    icl_optimizer_report report;
    for (size_t i = 0; i < ITEMS_AT_ONCE; i++) {
        draw_rows(self, i, items[i], rng);
        weights[i] = icl_feedback_tells(self->feedback, items[i]) ? 1 : 0;
    }
    icl_graph_set(self->graph, self->features, self->rows);
    icl_graph_set(self->graph, self->weights, weights);
    ICL_TRY(icl_graph_run(self->graph));
    return icl_optimizer_step(self->optimizer, 1, &report);
}

static icl_status learn(scorer *self, const icl_fit *fit, size_t step_count)
{
    icl_rng rng = icl_rng_new(self->input->seed, self->input->task, "", "reward");
    size_t items[ITEMS_AT_ONCE];
    for (size_t step = 0; step < step_count; step++) {
        ICL_TRY(icl_cancel_check(self->input->cancelled));
        if (step % 32 == 0) icl_fit_say(fit, "steps of the reward model", step, step_count);
        for (size_t i = 0; i < ITEMS_AT_ONCE; i++)
            items[i] = icl_rng_below(&rng, self->feedback->pool_count);
        ICL_TRY(learn_step(self, items, &rng));
    }
    icl_fit_say(fit, "steps of the reward model", step_count, step_count);
    return ICL_OK;
}

/* ---- judging ---- */

static icl_status judge(double *out, scorer *self)
{
    const size_t width = self->feedback->width, total = self->feedback->pool_count * width;
    const size_t at_once = ITEMS_AT_ONCE * self->list_length;
    float *scores = malloc(at_once * sizeof *scores);
    icl_status status = scores == NULL ? no_memory() : ICL_OK;
    for (size_t first = 0; status == ICL_OK && first < total; first += at_once) {
        const size_t some = total - first < at_once ? total - first : at_once;
        status = icl_cancel_check(self->input->cancelled);
        if (status != ICL_OK) break;
        for (size_t i = 0; i < some; i++)
            fill_row(self->rows + i * self->feature_count, self->input, (first + i) / width,
                     self->feedback->candidates[first + i]);
        icl_graph_set(self->graph, self->features, self->rows);
        status = icl_graph_run(self->graph);
        if (status == ICL_OK) icl_graph_get(self->graph, self->scores, scores);
        for (size_t i = 0; status == ICL_OK && i < some; i++) out[first + i] = scores[i];
    }
    free(scores);
    return status;
}

icl_status icl_reward_scores(double *out, const icl_fit *fit, const icl_select_input *input,
                             const icl_feedback *feedback, const icl_reward_settings *settings)
{
    scorer self = { .input = input, .feedback = feedback, .list_length = settings->list_length };
    const size_t per_epoch = (feedback->pool_count + ITEMS_AT_ONCE - 1) / ITEMS_AT_ONCE;
    const size_t step_count = settings->epochs * per_epoch;
    icl_status status = open_scorer(&self, step_count);
    if (status == ICL_OK) status = learn(&self, fit, step_count);
    if (status == ICL_OK) status = judge(out, &self);
    close_scorer(&self);
    return status;
}
