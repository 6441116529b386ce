#include "select/retriever_train.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "learn/optimizer.h"
#include "math/matrix.h"
#include "math/topk.h"

enum { QUERIES_MAX = 32, MAP_FULL = 0, MAP_DIAGONAL = 1 };

const char *const icl_retriever_maps[] = { [MAP_FULL] = "full", [MAP_DIAGONAL] = "diagonal", NULL };

struct icl_retriever_trainer {
    const icl_fit *fit;
    const icl_select_input *input;
    icl_retriever_settings settings;
    icl_retriever_weights weights;
    icl_optimizer *optimizer;
    size_t *items; /* that can be learned from: dev_count held out, the rest */
    size_t item_count, dev_count, round; /* round: calls of icl_retriever_train */
};

/* What a round achieved: at its start and in the state that is kept; mean losses of the first and
 * the last epoch. */
typedef struct round_report {
    icl_dev_measure dev_start, dev;
    double loss_start, loss;
} round_report;

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

/* ---- making ---- */

icl_status icl_retriever_trainer_new(icl_retriever_trainer **out, const icl_fit *fit,
                                     const icl_select_input *input,
                                     const icl_retriever_settings *settings)
{
    icl_retriever_trainer *self = calloc(1, sizeof *self);
    if (self == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a retriever");
    self->fit = fit;
    self->input = input;
    self->settings = *settings;
    self->items = malloc(input->pool_count * sizeof *self->items);
    const icl_status status =
        self->items == NULL
            ? icl_error_set(ICL_ENOMEM, "out of memory for %zu pool items", input->pool_count)
            : icl_retriever_weights_init(&self->weights, &settings->shape);
    if (status == ICL_OK)
        *out = self;
    else
        icl_retriever_trainer_free(self);
    return status;
}

void icl_retriever_trainer_free(icl_retriever_trainer *self)
{
    if (self == NULL) return;
    icl_optimizer_free(self->optimizer);
    icl_retriever_weights_deinit(&self->weights);
    free(self->items);
    free(self);
}

void icl_retriever_trainer_freeze_contexts(icl_retriever_trainer *self)
{
    icl_retriever_weights_freeze_contexts(&self->weights);
}

const icl_retriever *icl_retriever_trainer_result(const icl_retriever_trainer *self)
{
    return &self->weights.retriever;
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

static icl_status add_dev(icl_dev_measure *sum, const icl_retriever_trainer *self,
                          const icl_feedback *feedback, const icl_lesson *lesson,
                          const float *contexts, float *query)
{
    const icl_select_input *input = self->input;
    const size_t size = input->vector_size;
    for (size_t i = 0; i < self->dev_count; i++) {
        const size_t item = self->items[i];
        ICL_TRY(icl_retriever_map_queries(query, &self->weights.retriever,
                                          input->pool_vectors + item * size, 1, input->cancelled));
        icl_matrix_normalise_rows(query, query, 1, size);
        const icl_dev_measure one = lesson->judge != NULL
                                        ? lesson->judge(lesson->user, query, contexts, item)
                                        : judge_item(feedback, query, contexts, item, size);
        sum->nats += one.nats / (double)self->dev_count;
        sum->mrr += one.mrr / (double)self->dev_count;
    }
    return ICL_OK;
}

static icl_status measure_dev(icl_dev_measure *out, const icl_retriever_trainer *self,
                              const icl_feedback *feedback, const icl_lesson *lesson)
{
    const size_t count = self->input->pool_count, size = self->input->vector_size;
    float *contexts = malloc(count * size * sizeof *contexts);
    float *query = malloc(size * sizeof *query);
    icl_dev_measure sum = { 0 };
    icl_status status = ICL_OK;
    if (contexts == NULL || query == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu mapped vectors", count);
    if (status == ICL_OK)
        status = icl_retriever_map_pool(contexts, &self->weights.retriever, self->input);
    if (status == ICL_OK) {
        icl_matrix_normalise_rows(contexts, contexts, count, size);
        status = add_dev(&sum, self, feedback, lesson, contexts, query);
    }
    free(query);
    free(contexts);
    if (status == ICL_OK) *out = sum;
    return status;
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

static size_t step_queries(const icl_retriever_trainer *self)
{
    const size_t taught = self->item_count - self->dev_count;
    return taught < QUERIES_MAX ? taught : QUERIES_MAX;
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
    return icl_optimizer_new(&self->optimizer, self->weights.parameters, &options);
}

static icl_status run_step(double *out_loss, icl_retriever_trainer *self, icl_retriever_step *step,
                           const icl_lesson *lesson)
{
    icl_lesson_step seen;
    icl_optimizer_report report;
    ICL_TRY(icl_retriever_step_score(&seen, step));
    ICL_TRY(lesson->loss(lesson->user, out_loss, &seen));
    ICL_TRY(icl_retriever_step_differentiate(step));
    return icl_optimizer_step(self->optimizer, 1, &report);
}

static icl_status run_epoch(double *out_loss, icl_retriever_trainer *self, icl_retriever_step *step,
                            const icl_lesson *lesson, icl_rng *rng)
{
    size_t *taught = self->items + self->dev_count;
    const size_t count = self->item_count - self->dev_count;
    const size_t queries = step_queries(self), steps = count / queries;
    double sum = 0, loss = 0;
    icl_rng_shuffle(rng, taught, count);
    for (size_t s = 0; s < steps; s++) {
        ICL_TRY(icl_cancel_check(self->input->cancelled));
        for (size_t q = 0; q < queries; q++) {
            const size_t item = taught[s * queries + q];
            lesson->draw(lesson->user, icl_retriever_step_put(step, q, item), item, rng);
        }
        ICL_TRY(run_step(&loss, self, step, lesson));
        sum += loss;
    }
    *out_loss = sum / (double)steps;
    return ICL_OK;
}

static icl_status run_epochs(round_report *out, icl_retriever_trainer *self,
                             icl_retriever_step *step, const icl_feedback *feedback,
                             const icl_lesson *lesson)
{
    const size_t epochs = self->settings.epochs;
    char purpose[48];
    snprintf(purpose, sizeof purpose, "retriever round %zu", self->round);
    icl_rng rng = icl_rng_new(self->input->seed, self->input->task, "", purpose);
    icl_dev_measure now;
    ICL_TRY(measure_dev(&out->dev_start, self, feedback, lesson));
    out->dev = out->dev_start;
    icl_retriever_weights_keep(&self->weights);
    for (size_t epoch = 0; epoch < epochs; epoch++) {
        icl_fit_say(self->fit, "epochs trained", epoch, epochs);
        ICL_TRY(run_epoch(&out->loss, self, step, lesson, &rng));
        if (epoch == 0) out->loss_start = out->loss;
        icl_retriever_weights_read(&self->weights);
        ICL_TRY(measure_dev(&now, self, feedback, lesson));
        if (now.nats <= out->dev.nats) continue;
        out->dev = now;
        icl_retriever_weights_keep(&self->weights);
    }
    icl_fit_say(self->fit, "epochs trained", epochs, epochs);
    icl_retriever_weights_return(&self->weights);
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
    const size_t taught = self->item_count - self->dev_count, queries = step_queries(self);
    icl_retriever_step *step = NULL;
    round_report report = { 0 };
    ICL_TRY(icl_retriever_step_new(
        &step, &self->weights, self->input,
        &(icl_retriever_step_options){ .query_count = queries,
                                       .list_length = lesson->list_length,
                                       .temperature = self->settings.temperature }));
    icl_status status = ICL_OK;
    if (self->settings.epochs > 0)
        status = new_optimizer(self, self->settings.epochs * (taught / queries));
    if (status == ICL_OK) status = run_epochs(&report, self, step, feedback, lesson);
    if (status == ICL_OK) status = report_round(self, &report);
    self->round++;
    icl_retriever_step_free(step);
    return status;
}
