/* What a run will take, before it starts: the model and every phase's computation are built once
 * with empty weights, measured and dropped. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "train/training_parts.h"

static const double mib = 1024.0 * 1024.0;

/* --- shape --- */

static icl_status count_vocabulary(size_t *out, const char *path)
{
    icl_bpe *bpe = NULL;
    ICL_TRY(icl_bpe_open_gguf(&bpe, path));
    *out = icl_bpe_vocab_count(bpe);
    icl_bpe_free(bpe);
    return ICL_OK;
}

static icl_status refuse_output(const icl_training *self)
{
    return icl_error_prefix(ICL_EINVAL, "%s: output (`type: none` writes no model)",
                            self->recipe->path);
}

static icl_status check_output(const icl_training *self)
{
    if (!self->recipe->writes_model) return ICL_OK;
    return icl_model_file_check(&self->config) == ICL_OK ? ICL_OK : refuse_output(self);
}

static icl_status check_output_type(const icl_training *self, const icl_parameters *parameters)
{
    if (!self->recipe->writes_model) return ICL_OK;
    const icl_status status = icl_model_file_check_type(parameters, self->recipe->output_type);
    return status == ICL_OK ? ICL_OK : refuse_output(self);
}

static icl_status find_shape(icl_training *self)
{
    const icl_recipe *recipe = self->recipe;
    self->config = recipe->model;
    if (recipe->from != NULL) {
        ICL_TRY(icl_training_find_file(&self->from_path, self, recipe->from));
        ICL_TRY(icl_model_file_config(&self->config, self->from_path));
        self->config.frozen = recipe->model.frozen;
    } else if (recipe->tokenizer_file != NULL) {
        ICL_TRY(icl_training_find_file(&self->tokenizer_path, self, recipe->tokenizer_file));
        ICL_TRY(count_vocabulary(&self->config.vocab_count, self->tokenizer_path));
    } else {
        self->config.vocab_count = recipe->tokenizer_vocab;
    }
    ICL_TRY(icl_transformer_config_check(&self->config));
    ICL_TRY(icl_recipe_check_shape(self->recipe, &self->config));
    return check_output(self);
}

/* --- memory --- */

static icl_status does_not_fit(const icl_training *self, const char *what, double bytes)
{
    return icl_error_set(ICL_ENOMEM, "%s: %s needs %.0f MiB, and %.0f MiB are free on %s",
                         self->recipe->path, what, bytes / mib,
                         (double)icl_device_free_bytes(self->device) / mib,
                         icl_device_description(self->device));
}

/* What every computation keeps at the least: a few rows of the model's width a token and block. */
static double activation_bytes_min(const icl_training *self, const icl_batch_limits *limits)
{
    enum { ROWS_KEPT = 6, BYTES = 4 };
    const double positions = (double)limits->rows * (double)limits->context;
    return positions * (double)self->config.layers *
           (ROWS_KEPT * (double)self->config.width + (double)self->config.feed_width) * BYTES;
}

/* Before anything is allocated. */
static icl_status check_roughly(const icl_training *self)
{
    enum { COPIES_TRAINED = 4, COPIES_FROZEN = 1, BYTES = 4 };
    const icl_recipe *recipe = self->recipe;
    const double free_bytes = (double)icl_device_free_bytes(self->device);
    const int copies = recipe->lora.rank > 0 ? COPIES_FROZEN : COPIES_TRAINED;
    const double weights =
        (double)icl_transformer_config_parameters(&self->config) * copies * BYTES;
    if (weights > free_bytes) return does_not_fit(self, "training of these weights", weights);
    for (size_t i = 0; i < recipe->phase_count; i++) {
        const double wanted = weights + activation_bytes_min(self, &recipe->phases[i].limits);
        if (wanted > free_bytes) return does_not_fit(self, "training", wanted);
    }
    return ICL_OK;
}

/* --- time of a step --- */

/* Every position and list in use, every token in sight of all before it. */
static void fill_batch(icl_train_batch *batch)
{
    const icl_batch_limits *limits = &batch->limits;
    for (size_t i = 0; i < limits->rows * limits->context; i++) {
        batch->first[i] = 0;
        batch->positions[i] = (int32_t)(i % limits->context);
    }
    for (size_t i = 0; i < limits->answers_max; i++) batch->answer_weights[i] = 1;
    for (size_t i = 0; i < limits->texts_max; i++) batch->text_weights[i] = 1;
    for (size_t i = 0; i < limits->meanings_max; i++) batch->meaning_weights[i] = 1;
    batch->answer_count = limits->answers_max;
    batch->text_count = limits->texts_max;
    batch->meaning_count = limits->meanings_max;
    batch->candidate_count = limits->candidates_max;
}

/* Of one micro-batch. What would take long is guessed from the rate of products. */
static icl_status measure_objective(double *out_seconds, const icl_training *self,
                                    icl_objective *objective, const icl_recipe_phase *phase)
{
    enum { RUNS = 3 };
    static const double guessed_from = 4, once_from = 0.5, over_products = 2;
    const double products = icl_objective_flops(objective) / self->plan.flops_per_second;
    double best = products * over_products;
    icl_train_batch *batch = NULL;
    icl_losses losses;
    if (products < guessed_from) {
        ICL_TRY(icl_train_batch_new(&batch, &phase->limits, self->config.readout_width));
        fill_batch(batch);
    }
    icl_status status = ICL_OK;
    for (int i = 0; batch != NULL && status == ICL_OK && i < RUNS; i++) {
        const double begin = icl_training_now();
        status = icl_objective_run(objective, batch, &losses);
        const double seconds = icl_training_now() - begin;
        if (i == 0 || seconds < best) best = seconds;
        if (best > once_from) break;
    }
    icl_train_batch_free(batch);
    *out_seconds = best;
    return status;
}

/* --- phases --- */

static icl_status plan_phase(icl_training *self, icl_transformer *model, size_t index)
{
    const icl_recipe_phase *phase = &self->recipe->phases[index];
    const icl_objective_options options = icl_objective_options_of(phase);
    icl_objective *objective = NULL;
    double seconds = 0;
    ICL_TRY(icl_objective_new(&objective, model, &options));
    const icl_status status = measure_objective(&seconds, self, objective, phase);
    const size_t positions = phase->limits.rows * phase->limits.context * phase->micro_batches;
    self->phases[index] = (icl_train_phase_plan){
        .name = phase->name,
        .steps = phase->steps,
        .tokens_per_step = positions,
        .context = phase->limits.context,
        .rows = phase->limits.rows,
        .flops_per_step = icl_objective_flops(objective) * (double)phase->micro_batches,
        .activation_bytes = icl_objective_bytes(objective),
        .seconds_per_step = seconds * (double)phase->micro_batches,
    };
    icl_objective_free(objective);
    return status;
}

static icl_status plan_evaluation(uint64_t *out_bytes, const icl_training *self,
                                  icl_transformer *model)
{
    icl_objective *objective = NULL;
    const icl_objective_options options = {
        .limits = icl_evaluate_limits(self->recipe, self->config.vocab_count), .answer_weight = 1
    };
    if (self->recipe->set_count == 0) return ICL_OK;
    ICL_TRY(icl_objective_new(&objective, model, &options));
    *out_bytes = icl_objective_bytes(objective);
    icl_objective_free(objective);
    return ICL_OK;
}

static void add_up_phases(icl_training *self)
{
    icl_train_plan *plan = &self->plan;
    for (size_t i = 0; i < self->recipe->phase_count; i++) {
        const icl_train_phase_plan *phase = &self->phases[i];
        plan->steps += phase->steps;
        plan->tokens += phase->steps * phase->tokens_per_step;
        plan->flops += (double)phase->steps * phase->flops_per_step;
        plan->seconds += (double)phase->steps * phase->seconds_per_step;
        if (phase->activation_bytes > plan->activation_bytes)
            plan->activation_bytes = phase->activation_bytes;
    }
}

/* Files as they are read into memory; a compressed one is about four times as large then. */
static icl_status plan_data(icl_training *self)
{
    enum { COMPRESSION = 4, BYTES = 4 };
    for (size_t i = 0; i < self->recipe->pool_count; i++) {
        const icl_recipe_pool *pool = &self->recipe->pools[i];
        char *path = NULL;
        struct stat info;
        ICL_TRY(icl_training_find_file(&path, self, pool->file));
        const char *dot = strrchr(path, '.');
        const bool packed = dot != NULL && (strcmp(dot, ".gz") == 0 || strcmp(dot, ".zst") == 0);
        if (stat(path, &info) == 0)
            self->plan.data_bytes += (uint64_t)info.st_size * (packed ? COMPRESSION : 1);
        self->plan.data_bytes += pool->vectors_max * self->config.readout_width * BYTES;
        free(path);
    }
    return ICL_OK;
}

/* --- speed of the device --- */

/* The rate of one product of the model's width with many rows, the best of a few. */
static icl_status measure_product(double *out_flops_per_second, icl_graph *graph)
{
    enum { ROUNDS_MIN = 3 };
    static const double seconds_max = 0.2;
    const double start = icl_training_now();
    double begin = start, best = 0;
    for (int round = 0; round < ROUNDS_MIN || begin - start < seconds_max; round++) {
        ICL_TRY(icl_graph_run(graph));
        const double end = icl_training_now();
        const double rate = icl_graph_flops(graph) / (end - begin);
        if (rate > best) best = rate;
        begin = end;
    }
    *out_flops_per_second = best;
    return ICL_OK;
}

static icl_status measure_device(icl_training *self)
{
    enum { ROWS = 1024 };
    const int64_t width = (int64_t)self->config.width;
    icl_parameters *parameters = NULL;
    icl_graph *graph = NULL;
    size_t weight = 0;
    icl_status status = icl_parameters_new(&parameters, self->device);
    if (status == ICL_OK)
        status =
            icl_parameters_add(&weight, parameters, "weight", (int64_t[]){ width, 4 * width }, 2);
    if (status == ICL_OK) {
        icl_parameters_set_frozen(parameters, weight, true);
        status = icl_parameters_allocate(parameters);
    }
    if (status == ICL_OK) status = icl_graph_new(&graph, parameters);
    if (status == ICL_OK) {
        icl_value *x = icl_graph_input(graph, "x", width, ROWS, false);
        icl_value *y = icl_op_linear(graph, icl_graph_parameter(graph, weight), x);
        icl_graph_keep(graph, y);
        status = icl_graph_finish(graph, false);
    }
    if (status == ICL_OK) status = measure_product(&self->plan.flops_per_second, graph);
    icl_graph_free(graph);
    icl_parameters_free(parameters);
    return status;
}

/* --- the plan --- */

static icl_status new_model(icl_transformer **out, const icl_training *self)
{
    if (self->recipe->lora.rank > 0)
        return icl_transformer_new_lora(out, self->device, &self->config, &self->recipe->lora);
    return icl_transformer_new(out, self->device, &self->config);
}

static icl_status plan_computation(icl_training *self)
{
    icl_train_plan *plan = &self->plan;
    icl_transformer *model = NULL;
    uint64_t evaluation = 0;
    ICL_TRY(new_model(&model, self));
    const icl_parameters *parameters = icl_transformer_parameters(model);
    plan->parameters = icl_parameters_number_count(parameters, false);
    plan->trained_parameters = icl_parameters_number_count(parameters, true);
    plan->weight_bytes = icl_parameters_bytes(parameters);
    icl_status status = check_output_type(self, parameters);
    for (size_t i = 0; status == ICL_OK && i < self->recipe->phase_count; i++)
        status = plan_phase(self, model, i);
    if (status == ICL_OK) status = plan_evaluation(&evaluation, self, model);
    icl_transformer_free(model);
    if (status != ICL_OK) return status;
    add_up_phases(self);
    plan->activation_bytes += evaluation;
    return ICL_OK;
}

icl_status icl_training_make_plan(icl_training *self)
{
    icl_train_plan *plan = &self->plan;
    plan->name = self->recipe->name;
    plan->device = icl_device_description(self->device);
    plan->phase_count = self->recipe->phase_count;
    self->phases = calloc(plan->phase_count, sizeof *self->phases);
    if (self->phases == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    ICL_TRY(find_shape(self));
    ICL_TRY(check_roughly(self));
    const double free_bytes = (double)icl_device_free_bytes(self->device);
    ICL_TRY(measure_device(self));
    ICL_TRY(plan_computation(self));
    ICL_TRY(plan_data(self));
    plan->total_bytes = plan->weight_bytes + plan->activation_bytes + plan->data_bytes;
    if ((double)plan->total_bytes > free_bytes)
        return does_not_fit(self, "training", (double)plan->total_bytes);
    return ICL_OK;
}
