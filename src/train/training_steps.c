/* The steps of a run: draw, forward and backward, AdamW; phase after phase. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logits.h"
#include "train/training_parts.h"

/* Of the losses that progress shows. */
static const double smoothing = 0.9;

/* A phase while it runs. */
typedef struct phase_run {
    icl_training *training;
    const icl_recipe_phase *phase;
    uint64_t first_step; /* of the whole run */
    icl_feeder *feeder;
    icl_train_batch *batch;
    icl_objective *objective;
    const char **names; /* [source_count] */
} phase_run;

/* --- sums --- */

static void add_loss(icl_loss_sum *sum, double loss, double weight)
{
    if (isnan(loss)) return;
    sum->nats += loss * weight;
    sum->weight += weight;
}

static double weight_of(const float *weights, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)weights[i];
    return sum;
}

static double row_nats(const float *logits, size_t width, size_t row, size_t target)
{
    const float *at = logits + row * width;
    return icl_logits_summarise(at, width).log_sum - (double)at[target];
}

/* Predictions of one kind in a batch. */
typedef struct predictions {
    const uint32_t *sources;
    const float *weights;
    size_t count;
    double mean_nats;
} predictions;

/* All of one source: their mean is its own. False: there are several sources. */
static bool add_only_source(icl_loss_sum *sums, const predictions *made)
{
    for (size_t i = 1; i < made->count; i++)
        if (made->sources[i] != made->sources[0]) return false;
    if (made->count > 0)
        add_loss(&sums[made->sources[0]], made->mean_nats, weight_of(made->weights, made->count));
    return true;
}

/* Losses of each source. What several sources share is told apart on the host, and only in steps
 * that are logged: it costs a pass over all logits. */
static void add_answers(phase_run *run, const predictions *made, bool logged)
{
    icl_loss_sum *sums = run->training->sums.sources;
    size_t width = 0;
    if (add_only_source(sums, made) || !logged || isnan(made->mean_nats)) return;
    const float *logits = icl_objective_answer_logits(&width, run->objective);
    for (size_t i = 0; i < made->count; i++) {
        const size_t column = icl_objective_answer_column(run->objective, run->batch, i);
        add_loss(&sums[made->sources[i]], row_nats(logits, width, i, column),
                 (double)made->weights[i]);
    }
}

static void add_texts(phase_run *run, const predictions *made, bool logged)
{
    icl_loss_sum *sums = run->training->sums.sources;
    size_t width = 0;
    if (add_only_source(sums, made) || !logged || isnan(made->mean_nats)) return;
    const float *logits = icl_objective_text_logits(&width, run->objective);
    for (size_t i = 0; i < made->count; i++)
        add_loss(&sums[made->sources[i]],
                 row_nats(logits, width, i, (size_t)run->batch->text_targets[i]),
                 (double)made->weights[i]);
}

static void add_batch(phase_run *run, const icl_losses *losses, bool logged)
{
    icl_interval_sums *sums = &run->training->sums;
    const icl_train_batch *batch = run->batch;
    add_loss(&sums->total, losses->total, 1);
    add_loss(&sums->answer, losses->answer, weight_of(batch->answer_weights, batch->answer_count));
    add_loss(&sums->text, losses->text, weight_of(batch->text_weights, batch->text_count));
    add_loss(&sums->meaning, losses->meaning, (double)batch->meaning_count);
    const predictions answers = { batch->answer_sources, batch->answer_weights, batch->answer_count,
                                  losses->answer };
    const predictions texts = { batch->text_sources, batch->text_weights, batch->text_count,
                                losses->text };
    add_answers(run, &answers, logged);
    add_texts(run, &texts, logged);
    sums->tokens += batch->token_count;
    sums->positions += batch->limits.rows * batch->limits.context;
}

static void clear_sums(icl_interval_sums *sums, size_t source_count)
{
    icl_loss_sum *sources = sums->sources;
    memset(sources, 0, source_count * sizeof *sources);
    *sums = (icl_interval_sums){ .sources = sources };
}

/* --- progress --- */

static double smooth(double before, const icl_loss_sum *sum)
{
    if (sum->weight <= 0) return before;
    const double now = sum->nats / sum->weight;
    return isnan(before) ? now : smoothing * before + (1 - smoothing) * now;
}

/* Losses since the last line of the curve, smoothed over lines. */
static void update_progress(phase_run *run)
{
    icl_training *self = run->training;
    icl_train_progress *progress = &self->progress;
    const icl_interval_sums *sums = &self->sums;
    for (size_t i = 0; i < run->phase->source_count; i++)
        self->smoothed[i] = smooth(self->smoothed[i], &sums->sources[i]);
    progress->loss_nats = smooth(progress->loss_nats, &sums->answer);
    progress->tokens_per_second = sums->seconds > 0 ? (double)sums->tokens / sums->seconds : 0;
    double flops_done = 0, flops_left = 0;
    for (size_t i = 0; i < self->recipe->phase_count; i++) {
        const icl_train_phase_plan *plan = &self->phases[i];
        const bool current = &self->recipe->phases[i] == run->phase;
        const uint64_t into = current ? self->state.step - run->first_step : 0;
        if (current) flops_done = plan->flops_per_step;
        if (current || flops_done > 0)
            flops_left += plan->flops_per_step * (double)(plan->steps - into);
    }
    const double step_seconds = sums->steps > 0 ? sums->seconds / (double)sums->steps : 0;
    progress->seconds_left = flops_done > 0 ? flops_left / flops_done * step_seconds : 0;
}

static void say_step(phase_run *run)
{
    run->training->progress.step = run->training->state.step;
    icl_training_say(run->training, "training", 0, 0);
}

/* --- one step --- */

static icl_status not_finite(const phase_run *run, const char *what, double value)
{
    const icl_training *self = run->training;
    return icl_error_set(ICL_EMODEL, "step %" PRIu64 " of phase \"%s\": the %s is %g; %s \"%s\"",
                         self->state.step + 1, run->phase->name, what, value,
                         icl_training_has_checkpoint(self) ? "the last good checkpoint is kept in"
                                                           : "there was no checkpoint yet in",
                         self->out_folder);
}

/* Forward and backward over all micro-batches. */
static icl_status accumulate(phase_run *run, bool logged)
{
    for (size_t i = 0; i < run->phase->micro_batches; i++) {
        icl_losses losses;
        ICL_TRY(icl_feeder_fill(run->feeder, run->batch));
        ICL_TRY(icl_objective_run(run->objective, run->batch, &losses));
        if (!isfinite(losses.total)) return not_finite(run, "loss", losses.total);
        add_batch(run, &losses, logged);
    }
    return ICL_OK;
}

static bool is_due(uint64_t every, uint64_t step)
{
    return every > 0 && step > 0 && step % every == 0;
}

/* A checkpoint is of the state before this step: its loss has just been found finite, so what is
 * kept is known to be good. */
static icl_status keep_checkpoint(phase_run *run, icl_status cancelled)
{
    icl_training *self = run->training;
    if (cancelled == ICL_OK && !is_due(self->recipe->checkpoint_every, self->state.step))
        return ICL_OK;
    ICL_TRY(icl_training_save_checkpoint(self, &self->state));
    return cancelled == ICL_OK ? ICL_OK : icl_cancel_check(&self->cancelled);
}

static icl_status step(phase_run *run)
{
    icl_training *self = run->training;
    icl_interval_sums *sums = &self->sums;
    const double begin = icl_training_now();
    const uint64_t tokens_before = sums->tokens, number = self->state.step + 1;
    const bool logged = number % self->recipe->log_every == 0 || number == self->plan.steps ||
                        number == run->first_step + run->phase->steps;
    ICL_TRY(accumulate(run, logged));
    ICL_TRY(keep_checkpoint(run, icl_cancel_check(&self->cancelled)));

    icl_optimizer_report report;
    ICL_TRY(icl_optimizer_step(self->optimizer, run->phase->micro_batches, &report));
    if (report.skipped) return not_finite(run, "gradient's norm", report.gradient_norm);
    self->state.step = number;
    self->state.schedule_steps = icl_optimizer_steps(self->optimizer);
    self->state.adam_steps = icl_optimizer_adam_steps(self->optimizer);
    self->state.sequences_drawn = icl_feeder_next(run->feeder);
    self->state.tokens_seen += sums->tokens - tokens_before;
    sums->gradient_norm = report.gradient_norm;
    sums->rate = report.rate;
    sums->steps++;
    sums->seconds += icl_training_now() - begin;
    if (logged) {
        update_progress(run);
        ICL_TRY(icl_training_log_step(self, run->phase));
        clear_sums(sums, run->phase->source_count);
    }
    say_step(run);
    return ICL_OK;
}

/* --- phases --- */

static icl_status no_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory");
}

static icl_status begin_phase(phase_run *run)
{
    icl_training *self = run->training;
    const icl_recipe_phase *phase = run->phase;
    const icl_objective_options options = icl_objective_options_of(phase);
    const size_t count = phase->source_count;
    icl_loss_sum *sums = calloc(count, sizeof *sums);
    self->sums = (icl_interval_sums){ .sources = sums };
    self->smoothed = malloc(count * sizeof *self->smoothed);
    run->names = malloc(count * sizeof *run->names);
    if (sums == NULL || self->smoothed == NULL || run->names == NULL) return no_memory();
    for (size_t i = 0; i < count; i++) {
        self->smoothed[i] = NAN;
        run->names[i] = phase->sources[i].call;
    }
    self->progress.phase = phase->name;
    self->progress.source_losses = self->smoothed;
    self->progress.source_names = run->names;
    self->progress.source_count = count;
    self->progress.loss_nats = NAN;
    icl_optimizer_set_options(self->optimizer, &phase->optimizer);
    icl_optimizer_set_steps(self->optimizer, self->state.step - run->first_step,
                            self->state.adam_steps);
    ICL_TRY(icl_feeder_new(&run->feeder, phase, &self->world, self->state.sequences_drawn));
    ICL_TRY(icl_train_batch_new(&run->batch, &phase->limits, self->config.readout_width));
    return icl_objective_new(&run->objective, self->model, &options);
}

static void end_phase(phase_run *run)
{
    icl_training *self = run->training;
    icl_objective_free(run->objective);
    icl_train_batch_free(run->batch);
    icl_feeder_free(run->feeder);
    free(run->names);
    free(self->smoothed);
    free(self->sums.sources);
    self->smoothed = NULL;
    self->sums = (icl_interval_sums){ 0 };
    self->progress.source_count = 0;
}

static bool evaluation_is_due(const icl_training *self)
{
    return self->state.step == 0 || is_due(self->recipe->evaluate_every, self->state.step);
}

static icl_status run_phase(icl_training *self, const icl_recipe_phase *phase, uint64_t first_step)
{
    phase_run run = { .training = self, .phase = phase, .first_step = first_step };
    icl_status status = begin_phase(&run);
    while (status == ICL_OK && self->state.step < first_step + phase->steps) {
        if (evaluation_is_due(self)) status = icl_training_evaluate(self, true);
        /* Stopped there, the step stops too, with a checkpoint; resuming evaluates again. */
        if (status == ICL_OK || status == ICL_ECANCELLED) status = step(&run);
    }
    end_phase(&run);
    return status;
}

icl_status icl_training_steps(icl_training *self)
{
    uint64_t first_step = 0;
    icl_parameters_zero_gradients(icl_transformer_parameters(self->model));
    for (size_t i = 0; i < self->recipe->phase_count; i++) {
        const icl_recipe_phase *phase = &self->recipe->phases[i];
        if (self->state.step < first_step + phase->steps)
            ICL_TRY(run_phase(self, phase, first_step));
        first_step += phase->steps;
    }
    return ICL_OK;
}
