#include "train/objective.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* Added to the logit of a candidate that only fills up the list. */
static const float hidden_logit = -1e30F;

/* One list of predictions: which hidden rows, which targets, with which weights. */
typedef struct prediction {
    icl_value *rows, *targets, *weights, *logits, *loss;
} prediction;

struct icl_objective {
    icl_objective_options options;
    icl_graph *graph;
    size_t vocab_count, vector_size;
    icl_value *tokens, *positions, *first;
    prediction answer, text, meaning; /* loss NULL: not part of it */
    icl_value *candidates, *candidate_mask;
    float *mask;      /* [candidates_max] */
    int32_t *targets; /* [answers_max] over the vocabulary */
    float *read;      /* logits, read back */
};

icl_objective_options icl_objective_options_of(const icl_recipe_phase *phase)
{
    return (icl_objective_options){ .limits = phase->limits,
                                    .backward = true,
                                    .answers_over = phase->answers_over,
                                    .answer_weight = phase->answer_weight,
                                    .text_weight = phase->text_weight,
                                    .meaning_weight = phase->meaning_weight,
                                    .meaning_layer = phase->meaning_layer };
}

/* --- building --- */

static void add_lists(prediction *list, icl_graph *graph, size_t count)
{
    list->rows = icl_graph_input_ids(graph, "rows", (int64_t)count);
    list->targets = icl_graph_input_ids(graph, "targets", (int64_t)count);
    list->weights = icl_graph_input(graph, "weights", (int64_t)count, 1, false);
}

static void add_cross_entropy(prediction *list, icl_objective *self, const char *name,
                              double weight)
{
    icl_graph *graph = self->graph;
    icl_graph_keep(graph, list->logits);
    list->loss = icl_loss_cross_entropy(graph, list->logits, list->targets, list->weights, 0);
    icl_graph_keep(graph, list->loss);
    icl_graph_add_loss(graph, name, list->loss, (float)weight);
}

static void add_answers(icl_objective *self, icl_transformer *model, icl_value *hidden)
{
    const icl_batch_limits *limits = &self->options.limits;
    icl_graph *graph = self->graph;
    add_lists(&self->answer, graph, limits->answers_max);
    icl_value *rows = icl_op_rows(graph, hidden, self->answer.rows);
    if (self->options.answers_over == ICL_OVER_VOCABULARY) {
        self->answer.logits = icl_transformer_logits(model, graph, rows);
    } else {
        const int64_t count = (int64_t)limits->candidates_max;
        self->candidates = icl_graph_input_ids(graph, "candidates", count);
        self->candidate_mask = icl_graph_input(graph, "candidate_mask", count, 1, false);
        icl_value *logits = icl_transformer_logits_of(model, graph, rows, self->candidates);
        self->answer.logits = icl_op_add(graph, logits, self->candidate_mask);
    }
    add_cross_entropy(&self->answer, self, "answers", self->options.answer_weight);
}

static void add_text(icl_objective *self, icl_transformer *model, icl_value *hidden)
{
    icl_graph *graph = self->graph;
    add_lists(&self->text, graph, self->options.limits.texts_max);
    icl_value *rows = icl_op_rows(graph, hidden, self->text.rows);
    self->text.logits = icl_transformer_logits(model, graph, rows);
    add_cross_entropy(&self->text, self, "text", self->options.text_weight);
}

/* 1 - cosine is half the squared distance of unit vectors, and the mean squared difference is that
 * over the width. */
static void add_meaning(icl_objective *self, icl_transformer *model, icl_value *hidden)
{
    icl_graph *graph = self->graph;
    const size_t count = self->options.limits.meanings_max;
    self->meaning.rows = icl_graph_input_ids(graph, "meaning_rows", (int64_t)count);
    self->meaning.targets = icl_graph_input(graph, "meaning_targets", (int64_t)self->vector_size,
                                            (int64_t)count, false);
    self->meaning.weights = icl_graph_input(graph, "meaning_weights", (int64_t)count, 1, false);
    icl_value *rows = icl_op_rows(graph, hidden, self->meaning.rows);
    icl_value *read = icl_op_unit_rows(graph, icl_transformer_readout(model, graph, rows), 1e-12F);
    icl_value *mean = icl_loss_mse(graph, read, self->meaning.targets, self->meaning.weights);
    self->meaning.loss = icl_op_scale(graph, mean, (float)self->vector_size / 2);
    icl_graph_keep(graph, self->meaning.loss);
    icl_graph_add_loss(graph, "meaning", self->meaning.loss, (float)self->options.meaning_weight);
}

static icl_status build(icl_objective *self, icl_transformer *model)
{
    const icl_objective_options *options = &self->options;
    const size_t layers = icl_transformer_get_config(model)->layers;
    const int64_t positions = (int64_t)(options->limits.rows * options->limits.context);
    icl_graph *graph = self->graph;
    self->tokens = icl_graph_input_ids(graph, "tokens", positions);
    self->positions = icl_graph_input_ids(graph, "positions", positions);
    self->first = icl_graph_input_ids(graph, "first", positions);
    icl_transformer_io io = { .token_count = positions,
                              .batch = (int64_t)options->limits.rows,
                              .ids = self->tokens,
                              .positions = self->positions,
                              .first = self->first };
    icl_transformer_build(model, graph, &io);
    assert(options->meaning_layer <= layers);
    if (options->answer_weight > 0) add_answers(self, model, io.hidden[layers]);
    if (options->text_weight > 0) add_text(self, model, io.hidden[layers]);
    if (options->meaning_weight > 0) add_meaning(self, model, io.hidden[options->meaning_layer]);
    return icl_graph_finish(graph, options->backward);
}

static icl_status allocate(icl_objective *self)
{
    const icl_batch_limits *limits = &self->options.limits;
    const bool wide = self->options.answers_over == ICL_OVER_VOCABULARY;
    const size_t width = wide ? self->vocab_count : limits->candidates_max;
    const size_t answers = self->answer.loss != NULL ? limits->answers_max * width : 0;
    const size_t texts = self->text.loss != NULL ? limits->texts_max * self->vocab_count : 0;
    self->mask = malloc(limits->candidates_max * sizeof *self->mask);
    self->targets = malloc(limits->answers_max * sizeof *self->targets);
    self->read = malloc(((answers > texts ? answers : texts) + 1) * sizeof *self->read);
    if (self->mask != NULL && self->targets != NULL && self->read != NULL) return ICL_OK;
    return icl_error_set(ICL_ENOMEM, "out of memory for the logits of a batch");
}

icl_status icl_objective_new(icl_objective **out, icl_transformer *model,
                             const icl_objective_options *options)
{
    const icl_transformer_config *config = icl_transformer_get_config(model);
    icl_objective *self = calloc(1, sizeof *self);
    if (self == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    self->options = *options;
    self->vocab_count = config->vocab_count;
    self->vector_size = config->readout_width;
    icl_status status = icl_graph_new(&self->graph, icl_transformer_parameters(model));
    if (status == ICL_OK) status = build(self, model);
    if (status == ICL_OK) status = allocate(self);
    if (status == ICL_OK)
        *out = self;
    else
        icl_objective_free(self);
    return status;
}

void icl_objective_free(icl_objective *objective)
{
    if (objective == NULL) return;
    free(objective->read);
    free(objective->targets);
    free(objective->mask);
    icl_graph_free(objective->graph);
    free(objective);
}

uint64_t icl_objective_bytes(const icl_objective *objective)
{
    return icl_graph_bytes(objective->graph);
}

double icl_objective_flops(const icl_objective *objective)
{
    return icl_graph_flops(objective->graph);
}

/* --- running --- */

size_t icl_objective_answer_column(const icl_objective *objective, const icl_train_batch *batch,
                                   size_t answer)
{
    const size_t candidate = (size_t)batch->answer_targets[answer];
    const bool wide = objective->options.answers_over == ICL_OVER_VOCABULARY;
    return wide ? (size_t)batch->candidates[candidate] : candidate;
}

static void set_answers(icl_objective *self, const icl_train_batch *batch)
{
    const size_t count = self->options.limits.candidates_max;
    for (size_t i = 0; i < self->options.limits.answers_max; i++)
        self->targets[i] = (int32_t)icl_objective_answer_column(self, batch, i);
    icl_graph_set_ids(self->graph, self->answer.rows, batch->answer_rows);
    icl_graph_set_ids(self->graph, self->answer.targets, self->targets);
    icl_graph_set(self->graph, self->answer.weights, batch->answer_weights);
    if (self->candidates == NULL) return;
    for (size_t i = 0; i < count; i++)
        self->mask[i] = i < batch->candidate_count ? 0 : hidden_logit;
    /* Without any candidate no row has a weight; the mask must leave something to divide by. */
    self->mask[0] = 0;
    icl_graph_set_ids(self->graph, self->candidates, batch->candidates);
    icl_graph_set(self->graph, self->candidate_mask, self->mask);
}

static void set_inputs(icl_objective *self, const icl_train_batch *batch)
{
    icl_graph *graph = self->graph;
    icl_graph_set_ids(graph, self->tokens, batch->tokens);
    icl_graph_set_ids(graph, self->positions, batch->positions);
    icl_graph_set_ids(graph, self->first, batch->first);
    if (self->answer.loss != NULL) set_answers(self, batch);
    if (self->text.loss != NULL) {
        icl_graph_set_ids(graph, self->text.rows, batch->text_rows);
        icl_graph_set_ids(graph, self->text.targets, batch->text_targets);
        icl_graph_set(graph, self->text.weights, batch->text_weights);
    }
    if (self->meaning.loss != NULL) {
        icl_graph_set_ids(graph, self->meaning.rows, batch->meaning_rows);
        icl_graph_set(graph, self->meaning.targets, batch->meaning_targets);
        icl_graph_set(graph, self->meaning.weights, batch->meaning_weights);
    }
}

/* Adds weight * loss to the total; a part that is missing is NAN by itself and nothing in the sum.
 */
static double take_loss(double *total, const icl_objective *self, const prediction *list,
                        double weight, size_t count)
{
    if (list->loss == NULL || count == 0) return NAN;
    const double loss = (double)icl_graph_scalar(self->graph, list->loss);
    *total += weight * loss;
    return loss;
}

icl_status icl_objective_run(icl_objective *objective, const icl_train_batch *batch,
                             icl_losses *out)
{
    const icl_objective_options *options = &objective->options;
    assert(memcmp(&batch->limits, &options->limits, sizeof batch->limits) == 0);
    set_inputs(objective, batch);
    ICL_TRY(icl_graph_run(objective->graph));
    icl_losses losses = { .total = 0 };
    losses.answer = take_loss(&losses.total, objective, &objective->answer, options->answer_weight,
                              batch->answer_count);
    losses.text = take_loss(&losses.total, objective, &objective->text, options->text_weight,
                            batch->text_count);
    losses.meaning = take_loss(&losses.total, objective, &objective->meaning,
                               options->meaning_weight, batch->meaning_count);
    *out = losses;
    return ICL_OK;
}

static const float *read_logits(size_t *out_width, icl_objective *self, const prediction *list)
{
    assert(list->loss != NULL);
    icl_graph_get(self->graph, list->logits, self->read);
    *out_width = (size_t)icl_value_size(list->logits, 0);
    return self->read;
}

const float *icl_objective_answer_logits(size_t *out_width, icl_objective *objective)
{
    return read_logits(out_width, objective, &objective->answer);
}

const float *icl_objective_text_logits(size_t *out_width, icl_objective *objective)
{
    return read_logits(out_width, objective, &objective->text);
}
