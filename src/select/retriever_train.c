#include "select/retriever_train.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "learn/graph.h"
#include "learn/optimizer.h"
#include "math/matrix.h"
#include "math/topk.h"

enum { QUERIES_MAX = 32, MAP_FULL = 0, MAP_DIAGONAL = 1 };

const char *const icl_retriever_maps[] = { [MAP_FULL] = "full", [MAP_DIAGONAL] = "diagonal", NULL };

/* The graph of a step, of fixed sizes. A pool item that several queries drew is mapped once: lists
 * overlap, and those of CEIL hold most of a small pool. `slope` is d loss / d scores, which is
 * known only when the scores are: the graph runs once with zeros for the scores and again for the
 * gradients. */
typedef struct step_graph {
    icl_graph *graph;
    icl_value *queries, *contexts, *labels, *slope, *scores;
    size_t query_count, list_length;
    size_t distinct_max; /* rows of `contexts` */
} step_graph;

/* Memory of a step; the doubles are what a lesson sees. */
typedef struct step_memory {
    size_t *items, *contexts;
    size_t *distinct; /* [distinct_max] pool items among the contexts; what is unused is item 0 */
    size_t *places;   /* [columns] of the contexts among them */
    size_t *place_of; /* [pool_count] of a pool item among them; SIZE_MAX: not there */
    float *query_vectors, *context_vectors, *numbers;
    int32_t *labels;
    double *scores, *gradient;
} step_memory;

typedef struct weight_slot {
    size_t index; /* in the parameters; SIZE_MAX: not there */
    float *values;
    float *best;
} weight_slot;

enum { SLOT_QUERY, SLOT_CONTEXT, SLOT_OFFSETS, SLOT_COUNT };

struct icl_retriever_trainer {
    const icl_fit *fit;
    const icl_select_input *input;
    icl_retriever_settings settings;
    icl_device *device;
    icl_parameters *parameters;
    icl_optimizer *optimizer;
    weight_slot slots[SLOT_COUNT];
    icl_retriever retriever;
    size_t *items; /* that can be learned from: dev_count held out, the rest */
    size_t item_count, dev_count, round; /* round: calls of icl_retriever_train */
};

/* What a round achieved: at its start and in the state that is kept; mean losses of the first and
 * the last epoch. */
typedef struct round_report {
    icl_dev_measure dev_start, dev;
    double loss_start, loss;
} round_report;

static icl_status no_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for a retriever");
}

icl_retriever_settings icl_retriever_settings_of(const icl_select_input *input,
                                                 const icl_options *options)
{
    return (icl_retriever_settings){
        .shape = { .vector_size = input->vector_size,
                   .label_count = input->label_count,
                   .diagonal = icl_options_int(options, "map") == MAP_DIAGONAL,
                   .shared = icl_options_bool(options, "shared"),
                   .labels = icl_options_bool(options, "labels") },
        .temperature = icl_options_real(options, "temperature"),
        .rate = icl_options_real(options, "rate"),
        .weight_decay = icl_options_real(options, "decay"),
        .epochs = (size_t)icl_options_int(options, "epochs"),
    };
}

/* ---- weights ---- */

static size_t slot_numbers(const icl_retriever_trainer *self, size_t slot)
{
    const icl_retriever_shape *shape = &self->settings.shape;
    const size_t rows = slot == SLOT_OFFSETS ? shape->label_count : icl_retriever_map_rows(shape);
    return rows * shape->vector_size;
}

static icl_status add_slot(icl_retriever_trainer *self, size_t slot, const char *name)
{
    weight_slot *made = &self->slots[slot];
    const int64_t size = (int64_t)self->settings.shape.vector_size;
    const size_t numbers = slot_numbers(self, slot);
    const int64_t shape[] = { size, (int64_t)numbers / size };
    ICL_TRY(icl_parameters_add(&made->index, self->parameters, name, shape, 2));
    icl_parameters_set_decay(self->parameters, made->index, true);
    made->values = calloc(numbers, sizeof *made->values);
    made->best = calloc(numbers, sizeof *made->best);
    return made->values == NULL || made->best == NULL ? no_memory() : ICL_OK;
}

static icl_status add_weights(icl_retriever_trainer *self)
{
    const icl_retriever_shape *shape = &self->settings.shape;
    for (size_t i = 0; i < SLOT_COUNT; i++) self->slots[i].index = SIZE_MAX;
    ICL_TRY(add_slot(self, SLOT_QUERY, "query_map"));
    if (!shape->shared) ICL_TRY(add_slot(self, SLOT_CONTEXT, "context_map"));
    if (shape->labels) ICL_TRY(add_slot(self, SLOT_OFFSETS, "offsets"));
    ICL_TRY(icl_parameters_allocate(self->parameters));
    self->retriever =
        (icl_retriever){ .shape = *shape,
                         .query_map = self->slots[SLOT_QUERY].values,
                         .context_map =
                             self->slots[shape->shared ? SLOT_QUERY : SLOT_CONTEXT].values,
                         .offsets = self->slots[SLOT_OFFSETS].values };
    return ICL_OK;
}

/* Copies the parameters to where the retriever reads them. */
static void read_weights(icl_retriever_trainer *self)
{
    for (size_t i = 0; i < SLOT_COUNT; i++)
        if (self->slots[i].index != SIZE_MAX)
            icl_parameters_get(self->parameters, self->slots[i].index, self->slots[i].values);
}

static void keep_best(icl_retriever_trainer *self)
{
    for (size_t i = 0; i < SLOT_COUNT; i++)
        if (self->slots[i].index != SIZE_MAX)
            memcpy(self->slots[i].best, self->slots[i].values,
                   slot_numbers(self, i) * sizeof(float));
}

static void return_to_best(icl_retriever_trainer *self)
{
    for (size_t i = 0; i < SLOT_COUNT; i++)
        if (self->slots[i].index != SIZE_MAX)
            icl_parameters_set(self->parameters, self->slots[i].index, self->slots[i].best);
    read_weights(self);
}

icl_status icl_retriever_trainer_new(icl_retriever_trainer **out, const icl_fit *fit,
                                     const icl_select_input *input,
                                     const icl_retriever_settings *settings)
{
    /* One thread: a step is small, and other work shall not wait for it. */
    const icl_device_options device = { .name = "cpu", .thread_count = 1 };
    icl_retriever_trainer *self = calloc(1, sizeof *self);
    if (self == NULL) return no_memory();
    self->fit = fit;
    self->input = input;
    self->settings = *settings;
    self->items = malloc(input->pool_count * sizeof *self->items);
    icl_status status = self->items == NULL ? no_memory() : icl_device_open(&self->device, &device);
    if (status == ICL_OK) status = icl_parameters_new(&self->parameters, self->device);
    if (status == ICL_OK) status = add_weights(self);
    if (status != ICL_OK) {
        icl_retriever_trainer_free(self);
        return status;
    }
    *out = self;
    return ICL_OK;
}

void icl_retriever_trainer_free(icl_retriever_trainer *self)
{
    if (self == NULL) return;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        free(self->slots[i].values);
        free(self->slots[i].best);
    }
    icl_optimizer_free(self->optimizer);
    icl_parameters_free(self->parameters);
    icl_device_close(self->device);
    free(self->items);
    free(self);
}

void icl_retriever_trainer_freeze_contexts(icl_retriever_trainer *self)
{
    assert(!self->settings.shape.shared);
    icl_parameters_set_rate_scale(self->parameters, self->slots[SLOT_CONTEXT].index, 0);
    if (self->settings.shape.labels)
        icl_parameters_set_rate_scale(self->parameters, self->slots[SLOT_OFFSETS].index, 0);
}

const icl_retriever *icl_retriever_trainer_result(const icl_retriever_trainer *self)
{
    return &self->retriever;
}

/* ---- the graph of a step ---- */

static icl_value *build_map(step_graph *step, const icl_retriever_trainer *self, size_t slot,
                            icl_value *x)
{
    icl_value *map = icl_graph_parameter(step->graph, self->slots[slot].index);
    icl_value *change = self->settings.shape.diagonal ? icl_op_multiply(step->graph, x, map)
                                                      : icl_op_linear(step->graph, map, x);
    return icl_op_add(step->graph, x, change);
}

static void build_scores(step_graph *step, const icl_retriever_trainer *self)
{
    static const float epsilon = 1e-12F; /* a zero vector stays zero */
    icl_graph *graph = step->graph;
    const icl_retriever_shape *shape = &self->settings.shape;
    const int64_t size = (int64_t)shape->vector_size, rows = (int64_t)step->query_count;
    const int64_t columns = (int64_t)step->distinct_max;
    step->queries = icl_graph_input(graph, "queries", size, rows, false);
    step->contexts = icl_graph_input(graph, "contexts", size, columns, false);
    icl_value *query = build_map(step, self, SLOT_QUERY, step->queries);
    icl_value *context =
        build_map(step, self, shape->shared ? SLOT_QUERY : SLOT_CONTEXT, step->contexts);
    if (shape->labels) {
        icl_value *offsets = icl_graph_parameter(graph, self->slots[SLOT_OFFSETS].index);
        step->labels = icl_graph_input_ids(graph, "labels", columns);
        context = icl_op_add(graph, context, icl_op_rows(graph, offsets, step->labels));
    }
    query = icl_op_unit_rows(graph, query, epsilon);
    context = icl_op_unit_rows(graph, context, epsilon);
    step->scores = icl_op_scale(graph, icl_op_linear(graph, context, query),
                                (float)(1 / self->settings.temperature));
    icl_graph_keep(graph, step->scores);
}

/* The loss that is differentiated is slope . scores. */
static icl_status build_step(step_graph *step, const icl_retriever_trainer *self)
{
    ICL_TRY(icl_graph_new(&step->graph, self->parameters));
    build_scores(step, self);
    const int64_t count = (int64_t)(step->query_count * step->distinct_max);
    step->slope = icl_graph_input(step->graph, "slope", count, 1, false);
    icl_value *scores = icl_op_reshape(step->graph, step->scores, count, 1, 1, 1);
    icl_graph_add_loss(step->graph, "slope", icl_op_linear(step->graph, step->slope, scores), 1);
    return icl_graph_finish(step->graph, true);
}

static icl_status memory_new(step_memory *out, const step_graph *step,
                             const icl_select_input *input)
{
    const size_t rows = step->query_count, columns = rows * step->list_length;
    const size_t size = input->vector_size, distinct = step->distinct_max;
    *out = (step_memory){ .items = calloc(rows, sizeof *out->items),
                          .contexts = calloc(columns, sizeof *out->contexts),
                          .distinct = calloc(distinct, sizeof *out->distinct),
                          .places = calloc(columns, sizeof *out->places),
                          .place_of = calloc(input->pool_count, sizeof *out->place_of),
                          .query_vectors = calloc(rows * size, sizeof *out->query_vectors),
                          .context_vectors = calloc(distinct * size, sizeof *out->context_vectors),
                          .numbers = calloc(rows * distinct, sizeof *out->numbers),
                          .labels = calloc(distinct, sizeof *out->labels),
                          .scores = calloc(rows * columns, sizeof *out->scores),
                          .gradient = calloc(rows * columns, sizeof *out->gradient) };
    return out->items == NULL || out->contexts == NULL || out->distinct == NULL ||
                   out->places == NULL || out->place_of == NULL || out->query_vectors == NULL ||
                   out->context_vectors == NULL || out->numbers == NULL || out->labels == NULL ||
                   out->scores == NULL || out->gradient == NULL
               ? no_memory()
               : ICL_OK;
}

static void memory_free(step_memory *memory)
{
    free(memory->items);
    free(memory->contexts);
    free(memory->distinct);
    free(memory->places);
    free(memory->place_of);
    free(memory->query_vectors);
    free(memory->context_vectors);
    free(memory->numbers);
    free(memory->labels);
    free(memory->scores);
    free(memory->gradient);
}

/* ---- steps ---- */

static void find_distinct(step_memory *memory, const step_graph *step, size_t pool_count)
{
    size_t count = 0;
    for (size_t i = 0; i < pool_count; i++) memory->place_of[i] = SIZE_MAX;
    memset(memory->distinct, 0, step->distinct_max * sizeof *memory->distinct);
    for (size_t j = 0; j < step->query_count * step->list_length; j++) {
        size_t *place = &memory->place_of[memory->contexts[j]];
        if (*place == SIZE_MAX) {
            *place = count;
            memory->distinct[count++] = memory->contexts[j];
        }
        memory->places[j] = *place;
    }
}

static void gather(float *out, const icl_select_input *input, const size_t *items, size_t count)
{
    const size_t size = input->vector_size;
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * size, input->pool_vectors + items[i] * size, size * sizeof *out);
}

static void set_inputs(step_graph *step, step_memory *memory, const icl_select_input *input)
{
    find_distinct(memory, step, input->pool_count);
    gather(memory->query_vectors, input, memory->items, step->query_count);
    gather(memory->context_vectors, input, memory->distinct, step->distinct_max);
    icl_graph_set(step->graph, step->queries, memory->query_vectors);
    icl_graph_set(step->graph, step->contexts, memory->context_vectors);
    if (step->labels == NULL) return;
    for (size_t i = 0; i < step->distinct_max; i++)
        memory->labels[i] = (int32_t)input->pool_labels[memory->distinct[i]];
    icl_graph_set_ids(step->graph, step->labels, memory->labels);
}

static icl_status find_scores(step_graph *step, step_memory *memory)
{
    const size_t columns = step->query_count * step->list_length;
    memset(memory->numbers, 0, step->query_count * step->distinct_max * sizeof *memory->numbers);
    icl_graph_set(step->graph, step->slope, memory->numbers);
    ICL_TRY(icl_graph_run(step->graph));
    icl_graph_get(step->graph, step->scores, memory->numbers);
    for (size_t q = 0; q < step->query_count; q++)
        for (size_t j = 0; j < columns; j++)
            memory->scores[q * columns + j] =
                memory->numbers[q * step->distinct_max + memory->places[j]];
    return ICL_OK;
}

static icl_status follow_gradient(step_graph *step, step_memory *memory)
{
    const size_t columns = step->query_count * step->list_length;
    memset(memory->numbers, 0, step->query_count * step->distinct_max * sizeof *memory->numbers);
    for (size_t q = 0; q < step->query_count; q++)
        for (size_t j = 0; j < columns; j++)
            memory->numbers[q * step->distinct_max + memory->places[j]] +=
                (float)memory->gradient[q * columns + j];
    icl_graph_set(step->graph, step->slope, memory->numbers);
    return icl_graph_run(step->graph);
}

static icl_status run_step(double *out_loss, icl_retriever_trainer *self, step_graph *step,
                           step_memory *memory, const icl_lesson *lesson)
{
    const size_t columns = step->query_count * step->list_length;
    set_inputs(step, memory, self->input);
    ICL_TRY(find_scores(step, memory));
    memset(memory->gradient, 0, step->query_count * columns * sizeof *memory->gradient);
    const icl_lesson_step seen = { .query_count = step->query_count,
                                   .list_length = step->list_length,
                                   .items = memory->items,
                                   .contexts = memory->contexts,
                                   .columns = columns,
                                   .scores = memory->scores,
                                   .gradient = memory->gradient };
    ICL_TRY(lesson->loss(lesson->user, out_loss, &seen));
    ICL_TRY(follow_gradient(step, memory));
    icl_optimizer_report report;
    return icl_optimizer_step(self->optimizer, 1, &report);
}

/* ---- what is held out ---- */

/* The item's candidates by score, equal ones by lower item. */
static icl_dev_measure judge_item(const icl_feedback *feedback, const float *query,
                                  const float *contexts, size_t item, size_t size)
{
    const size_t *candidates = feedback->candidates + item * feedback->width;
    icl_scored first = { 0 };
    double wanted = 0;
    size_t first_rank = 0, place = 1;
    for (size_t rank = 0; rank < feedback->width; rank++) {
        const icl_scored now = { icl_vector_dot(query, contexts + candidates[rank] * size, size),
                                 candidates[rank] };
        if (rank == 0) wanted = now.score;
        place += now.score > wanted;
        if (rank > 0 && !icl_scored_before(now, first)) continue;
        first = now;
        first_rank = rank;
    }
    return (icl_dev_measure){ .nats = feedback->nats[item * feedback->width + first_rank],
                              .mrr = 1 / (double)place };
}

static icl_status measure_dev(icl_dev_measure *out, const icl_retriever_trainer *self,
                              const icl_feedback *feedback, const icl_lesson *lesson)
{
    const icl_select_input *input = self->input;
    const size_t size = input->vector_size;
    float *contexts = malloc(input->pool_count * size * sizeof *contexts);
    float *query = malloc(size * sizeof *query);
    icl_dev_measure sum = { 0 };
    if (contexts == NULL || query == NULL) {
        free(contexts);
        free(query);
        return no_memory();
    }
    icl_retriever_map_contexts(contexts, &self->retriever, input->pool_vectors, input->pool_labels,
                               input->pool_count);
    icl_matrix_normalise_rows(contexts, contexts, input->pool_count, size);
    for (size_t i = 0; i < self->dev_count; i++) {
        const size_t item = self->items[i];
        icl_retriever_map_queries(query, &self->retriever, input->pool_vectors + item * size, 1);
        icl_matrix_normalise_rows(query, query, 1, size);
        const icl_dev_measure one = lesson->judge != NULL
                                        ? lesson->judge(lesson->user, query, contexts, item)
                                        : judge_item(feedback, query, contexts, item, size);
        sum.nats += one.nats / (double)self->dev_count;
        sum.mrr += one.mrr / (double)self->dev_count;
    }
    free(contexts);
    free(query);
    *out = sum;
    return ICL_OK;
}

/* ---- training ---- */

/* The same items are held out in every round: the first tenth of one shuffled order, as far as the
 * model prefers some of their candidates. */
static icl_status divide_items(icl_retriever_trainer *self, const icl_feedback *feedback)
{
    icl_rng rng = icl_rng_new(self->input->seed, self->input->task, "", "retriever items");
    const size_t count = feedback->pool_count;
    for (size_t i = 0; i < count; i++) self->items[i] = i;
    icl_rng_shuffle(&rng, self->items, count);
    self->item_count = self->dev_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!icl_feedback_tells(feedback, self->items[i])) continue;
        self->dev_count += i < count / 10;
        self->items[self->item_count++] = self->items[i];
    }
    if (self->dev_count == 0) self->dev_count = 1;
    if (self->item_count > self->dev_count) return ICL_OK;
    return icl_error_set(ICL_EINVAL,
                         "the model prefers some candidates to others for %zu of %zu pool items: "
                         "too few to learn from",
                         self->item_count, count);
}

static icl_status new_optimizer(icl_retriever_trainer *self, size_t step_count)
{
    icl_optimizer_options options = icl_optimizer_options_default();
    options.shape = ICL_RATE_LINEAR;
    options.rate = self->settings.rate;
    options.rate_end = 0;
    options.warmup_steps = step_count / 10;
    options.step_count = step_count;
    options.beta2 = 0.999;
    options.weight_decay = self->settings.weight_decay;
    icl_optimizer_free(self->optimizer);
    self->optimizer = NULL;
    return icl_optimizer_new(&self->optimizer, self->parameters, &options);
}

static icl_status run_epoch(double *out_loss, icl_retriever_trainer *self, step_graph *step,
                            step_memory *memory, const icl_lesson *lesson, icl_rng *rng)
{
    size_t *taught = self->items + self->dev_count;
    const size_t count = self->item_count - self->dev_count, steps = count / step->query_count;
    double sum = 0, loss = 0;
    icl_rng_shuffle(rng, taught, count);
    for (size_t s = 0; s < steps; s++) {
        ICL_TRY(icl_cancel_check(self->input->cancelled));
        for (size_t q = 0; q < step->query_count; q++) {
            memory->items[q] = taught[s * step->query_count + q];
            lesson->draw(lesson->user, memory->contexts + q * step->list_length, memory->items[q],
                         rng);
        }
        ICL_TRY(run_step(&loss, self, step, memory, lesson));
        sum += loss;
    }
    *out_loss = sum / (double)steps;
    return ICL_OK;
}

static icl_status run_epochs(round_report *out, icl_retriever_trainer *self, step_graph *step,
                             step_memory *memory, const icl_feedback *feedback,
                             const icl_lesson *lesson)
{
    const size_t epochs = self->settings.epochs;
    char purpose[48];
    snprintf(purpose, sizeof purpose, "retriever round %zu", self->round);
    icl_rng rng = icl_rng_new(self->input->seed, self->input->task, "", purpose);
    icl_dev_measure now;
    ICL_TRY(measure_dev(&out->dev_start, self, feedback, lesson));
    out->dev = out->dev_start;
    keep_best(self);
    for (size_t epoch = 0; epoch < epochs; epoch++) {
        icl_fit_say(self->fit, "epochs trained", epoch, epochs);
        ICL_TRY(run_epoch(&out->loss, self, step, memory, lesson, &rng));
        if (epoch == 0) out->loss_start = out->loss;
        read_weights(self);
        ICL_TRY(measure_dev(&now, self, feedback, lesson));
        if (now.nats <= out->dev.nats) continue;
        out->dev = now;
        keep_best(self);
    }
    icl_fit_say(self->fit, "epochs trained", epochs, epochs);
    return_to_best(self);
    return ICL_OK;
}

static icl_status report_round(const icl_retriever_trainer *self, const round_report *report)
{
    const icl_fit_measure measures[] = {
        { "items", (double)self->item_count },        { "held_out", (double)self->dev_count },
        { "loss_start", report->loss_start },         { "loss", report->loss },
        { "dev_nats_start", report->dev_start.nats }, { "dev_nats", report->dev.nats },
        { "dev_mrr_start", report->dev_start.mrr },   { "dev_mrr", report->dev.mrr },
    };
    char name[64], round[32] = "";
    if (self->round > 0) snprintf(round, sizeof round, "round_%zu_", self->round + 1);
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++) {
        snprintf(name, sizeof name, "%s%s", round, measures[i].name);
        ICL_TRY(icl_fit_file_add_measure(self->fit->file, name, measures[i].value));
    }
    return ICL_OK;
}

icl_status icl_retriever_train(icl_retriever_trainer *self, const icl_feedback *feedback,
                               const icl_lesson *lesson)
{
    ICL_TRY(divide_items(self, feedback));
    const size_t taught = self->item_count - self->dev_count;
    step_graph step = { .query_count = taught < QUERIES_MAX ? taught : QUERIES_MAX,
                        .list_length = lesson->list_length };
    const size_t columns = step.query_count * step.list_length,
                 pool_count = self->input->pool_count;
    step.distinct_max = columns < pool_count ? columns : pool_count;
    step_memory memory = { 0 };
    round_report report = { 0 };
    icl_status status = build_step(&step, self);
    if (status == ICL_OK) status = memory_new(&memory, &step, self->input);
    if (status == ICL_OK && self->settings.epochs > 0)
        status = new_optimizer(self, self->settings.epochs * (taught / step.query_count));
    if (status == ICL_OK) status = run_epochs(&report, self, &step, &memory, feedback, lesson);
    if (status == ICL_OK) status = report_round(self, &report);
    self->round++;
    memory_free(&memory);
    icl_graph_free(step.graph);
    return status;
}
