#include "learn/concept.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "math/logspace.h"

/* A computation over sequences of one length, padded at their ends. */
typedef struct reading {
    icl_graph *graph;
    icl_transformer_io io;
    size_t sequence_count, text_tokens, asked_count; /* asked tokens of a sequence */
    icl_value *concepts, *ids, *places, *asked, *targets, *weights, *loss;
    /* what goes in */
    int32_t *id_values;       /* [sequence_count * text_tokens] */
    int32_t *place_values;    /* [token_count] rows of the concepts and the text, end to end */
    int32_t *position_values; /* [token_count] */
    int32_t *asked_values;    /* [sequence_count * asked_count] tokens whose successor is asked */
    int32_t *target_values;   /* the same: the successors */
    float *weight_values;     /* the same */
} reading;

struct icl_concepts {
    icl_transformer *model;
    icl_concepts_shape shape;
    size_t row_count, width, vocab_count;
    float *vectors;    /* [row_count][width] */
    double *weights;   /* the same, as the optimizer has them */
    double *gradient;  /* the same */
    float *gradient32; /* the same */
    icl_adamw adam;
    reading learning, scoring;
};

/* --- the computation --- */

static size_t table_of(const icl_concepts *self, bool output)
{
    const icl_parameters *parameters = icl_transformer_parameters(self->model);
    const bool own = output && !icl_transformer_get_config(self->model)->tied;
    return icl_parameters_find(parameters, own ? "output.weight" : "token_embd.weight");
}

static void describe(reading *r, icl_concepts *self, bool learns)
{
    icl_graph *graph = r->graph;
    const int64_t tokens = r->io.token_count, asked = (int64_t)(r->sequence_count * r->asked_count);
    r->concepts =
        icl_graph_input(graph, "concepts", (int64_t)self->width, (int64_t)self->row_count, learns);
    r->ids = icl_graph_input_ids(graph, "text", (int64_t)(r->sequence_count * r->text_tokens));
    r->places = icl_graph_input_ids(graph, "places", tokens);
    r->asked = icl_graph_input_ids(graph, "asked", asked);
    r->targets = icl_graph_input_ids(graph, "targets", asked);
    r->weights = icl_graph_input(graph, "weights", asked, 1, false);
    icl_value *table = icl_graph_parameter(graph, table_of(self, false));
    icl_value *rows = icl_op_concat_rows(graph, r->concepts, icl_op_rows(graph, table, r->ids));
    r->io.vectors = icl_op_rows(graph, rows, r->places);
    icl_transformer_build(self->model, graph, &r->io);
    icl_value *hidden = r->io.hidden[icl_transformer_get_config(self->model)->layers];
    icl_value *output =
        icl_op_concat_rows(graph, icl_graph_parameter(graph, table_of(self, true)), r->concepts);
    icl_value *logits = icl_op_linear(graph, output, icl_op_rows(graph, hidden, r->asked));
    r->loss = icl_loss_cross_entropy(graph, logits, r->targets, r->weights, 1.0f);
    icl_graph_add_loss(graph, "loss", r->loss, 1.0f);
}

static icl_status reading_init(reading *out, icl_concepts *self, size_t sequences, size_t asked,
                               bool learns)
{
    const size_t text = self->shape.tokens_max;
    const size_t tokens = sequences * (text + self->shape.concept_tokens);
    reading *r = out;
    *r = (reading){ .sequence_count = sequences, .text_tokens = text, .asked_count = asked };
    r->io = (icl_transformer_io){ .token_count = (int64_t)tokens, .batch = (int64_t)sequences };
    r->id_values = calloc(sequences * text, sizeof *r->id_values);
    r->place_values = calloc(tokens, sizeof *r->place_values);
    r->position_values = calloc(tokens, sizeof *r->position_values);
    r->asked_values = calloc(sequences * asked, sizeof *r->asked_values);
    r->target_values = calloc(sequences * asked, sizeof *r->target_values);
    r->weight_values = calloc(sequences * asked, sizeof *r->weight_values);
    if (r->id_values == NULL || r->place_values == NULL || r->position_values == NULL ||
        r->asked_values == NULL || r->target_values == NULL || r->weight_values == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for sequences of %zu tokens", text);
    ICL_TRY(icl_graph_new(&r->graph, icl_transformer_parameters(self->model)));
    describe(r, self, learns);
    return icl_graph_finish(r->graph, learns);
}

static void reading_deinit(reading *r)
{
    icl_graph_free(r->graph);
    free(r->weight_values);
    free(r->target_values);
    free(r->asked_values);
    free(r->position_values);
    free(r->place_values);
    free(r->id_values);
}

static icl_status run(double *out_loss_nats, const icl_concepts *self, reading *r)
{
    icl_graph_set(r->graph, r->concepts, self->vectors);
    icl_graph_set_ids(r->graph, r->ids, r->id_values);
    icl_graph_set_ids(r->graph, r->places, r->place_values);
    if (r->io.positions != NULL) icl_graph_set_ids(r->graph, r->io.positions, r->position_values);
    icl_graph_set_ids(r->graph, r->asked, r->asked_values);
    icl_graph_set_ids(r->graph, r->targets, r->target_values);
    icl_graph_set(r->graph, r->weights, r->weight_values);
    ICL_TRY(icl_graph_run(r->graph));
    const double loss = (double)icl_graph_scalar(r->graph, r->loss);
    if (!isfinite(loss))
        return icl_error_set(ICL_EMODEL, "the loss of the concept's tokens is %g", loss);
    *out_loss_nats = loss;
    return ICL_OK;
}

/* --- making --- */

static icl_status allocate(icl_concepts *self)
{
    const size_t count = self->row_count * self->width;
    self->vectors = calloc(count, sizeof *self->vectors);
    self->weights = calloc(count, sizeof *self->weights);
    self->gradient = calloc(count, sizeof *self->gradient);
    self->gradient32 = calloc(count, sizeof *self->gradient32);
    if (self->vectors == NULL || self->weights == NULL || self->gradient == NULL ||
        self->gradient32 == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu concept tokens", self->row_count);
    return icl_adamw_init(&self->adam, count);
}

static void start_with(icl_concepts *self, const float *vectors)
{
    const size_t count = self->row_count * self->width;
    memcpy(self->vectors, vectors, count * sizeof *vectors);
    for (size_t i = 0; i < count; i++) self->weights[i] = (double)vectors[i];
}

/* The first rows of the vocabulary. */
static icl_status start_with_vocabulary(icl_concepts *self)
{
    const icl_parameters *parameters = icl_transformer_parameters(self->model);
    const size_t table = table_of(self, false);
    float *rows = malloc(icl_parameters_at(parameters, table)->count * sizeof *rows);
    if (rows == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a vocabulary of %zu tokens",
                             self->vocab_count);
    icl_parameters_get(parameters, table, rows);
    start_with(self, rows);
    free(rows);
    return ICL_OK;
}

static icl_status start(icl_concepts *self, const float *vectors)
{
    if (vectors == NULL) return start_with_vocabulary(self);
    start_with(self, vectors);
    return ICL_OK;
}

static icl_status describe_readings(icl_concepts *self)
{
    const icl_concepts_shape *shape = &self->shape;
    if (shape->batch_size > 0)
        ICL_TRY(reading_init(&self->learning, self, shape->batch_size, shape->answer_max, true));
    return reading_init(&self->scoring, self, 1, shape->concept_tokens, false);
}

icl_status icl_concepts_new(icl_concepts **out, icl_transformer *model,
                            const icl_concepts_shape *shape, const float *vectors)
{
    const icl_transformer_config *config = icl_transformer_get_config(model);
    const size_t rows = shape->concept_tokens * shape->group_count;
    if (rows > config->vocab_count)
        return icl_error_set(
            ICL_EINVAL, "%zu x %zu concept tokens start as rows of the vocabulary, which has %zu",
            shape->group_count, shape->concept_tokens, config->vocab_count);
    icl_concepts *self = calloc(1, sizeof *self);
    if (self == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for concepts");
    self->model = model;
    self->shape = *shape;
    self->row_count = rows;
    self->width = config->width;
    self->vocab_count = config->vocab_count;
    icl_status status = allocate(self);
    if (status == ICL_OK) status = start(self, vectors);
    if (status == ICL_OK) status = describe_readings(self);
    if (status == ICL_OK)
        *out = self;
    else
        icl_concepts_free(self);
    return status;
}

void icl_concepts_free(icl_concepts *concepts)
{
    if (concepts == NULL) return;
    reading_deinit(&concepts->scoring);
    reading_deinit(&concepts->learning);
    icl_adamw_deinit(&concepts->adam);
    free(concepts->gradient32);
    free(concepts->gradient);
    free(concepts->weights);
    free(concepts->vectors);
    free(concepts);
}

const float *icl_concepts_vectors(const icl_concepts *concepts)
{
    return concepts->vectors;
}

size_t icl_concepts_width(const icl_concepts *concepts)
{
    return concepts->width;
}

/* --- laying out --- */

/* Writes sequence `at` of the reading with the concept of `group` before text token `gap`. */
static void lay_out(reading *r, const icl_concepts *self, size_t at,
                    const icl_labelled_tokens *example, size_t group, size_t gap)
{
    const size_t concept = self->shape.concept_tokens, length = r->text_tokens + concept;
    const size_t text = self->row_count + at * r->text_tokens;
    assert(example->token_count <= r->text_tokens && gap <= example->token_count);
    for (size_t i = 0; i < r->text_tokens; i++)
        r->id_values[at * r->text_tokens + i] =
            i < example->token_count ? example->tokens[i] : example->tokens[0];
    for (size_t p = 0; p < length; p++) {
        const size_t place = p < gap             ? text + p
                             : p < gap + concept ? group * concept + (p - gap)
                                                 : text + (p - concept);
        r->place_values[at * length + p] = (int32_t)place;
        r->position_values[at * length + p] = (int32_t)p;
    }
}

/* Asks for `target` after token `after` of sequence `at`. */
static void ask(reading *r, const icl_concepts *self, size_t at, size_t question, size_t after,
                size_t target, float weight)
{
    const size_t length = r->text_tokens + self->shape.concept_tokens;
    const size_t i = at * r->asked_count + question;
    r->asked_values[i] = (int32_t)(at * length + after);
    r->target_values[i] = (int32_t)target;
    r->weight_values[i] = weight;
}

/* The label's words after concept and prompt; what the label does not fill weighs nothing. */
static void lay_out_lesson(icl_concepts *self, size_t at, const icl_concept_sequence *sequence)
{
    reading *r = &self->learning;
    const icl_labelled_tokens *example = &sequence->example;
    const size_t concept = self->shape.concept_tokens, first = example->answer_first;
    const size_t answers = example->token_count - first;
    assert(example->lead_count < first + (concept > 0) && answers <= r->asked_count);
    lay_out(r, self, at, example, sequence->group, example->lead_count);
    for (size_t i = 0; i < r->asked_count; i++) {
        const bool real = i < answers;
        ask(r, self, at, i, real ? concept + first + i - 1 : 0,
            real ? (size_t)example->tokens[first + i] : 0,
            real ? 1.0f / (float)(answers * r->sequence_count) : 0.0f);
    }
}

/* --- learning and scoring --- */

icl_status icl_concepts_learn(double *out_loss_nats, icl_concepts *concepts,
                              const icl_concept_sequence *batch, const icl_adamw_options *options)
{
    icl_concepts *self = concepts;
    const size_t count = self->row_count * self->width;
    assert(self->shape.batch_size > 0);
    for (size_t i = 0; i < self->shape.batch_size; i++) lay_out_lesson(self, i, &batch[i]);
    ICL_TRY(run(out_loss_nats, self, &self->learning));
    icl_graph_get_gradient(self->learning.graph, self->learning.concepts, self->gradient32);
    for (size_t i = 0; i < count; i++) self->gradient[i] = (double)self->gradient32[i];
    icl_adamw_step(&self->adam, self->weights, self->gradient, options);
    for (size_t i = 0; i < count; i++) self->vectors[i] = (float)self->weights[i];
    return ICL_OK;
}

icl_status icl_concepts_score(double *out_nats, icl_concepts *concepts,
                              const icl_labelled_tokens *example, size_t group)
{
    icl_concepts *self = concepts;
    const size_t concept = self->shape.concept_tokens, last = example->token_count - 1;
    double loss = 0.0;
    assert(group < self->shape.group_count);
    lay_out(&self->scoring, self, 0, example, group, example->token_count);
    for (size_t i = 0; i < concept; i++)
        ask(&self->scoring, self, 0, i, last + i, self->vocab_count + group * concept + i,
            1.0f / (float)concept);
    ICL_TRY(run(&loss, self, &self->scoring));
    *out_nats = -loss;
    return ICL_OK;
}
