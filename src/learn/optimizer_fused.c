/* AdamW over weights in this process's memory: all weights are cut into blocks that the threads of
 * the device share. Two passes over memory, one for the norm and one that does everything else. */
#include <math.h>
#include <stdlib.h>

#include <ggml-backend.h>
#include <ggml.h>

#include "base/error.h"
#include "learn/optimizer_update.h"

/* Numbers in a block: its five arrays stay in the cache of a core. */
enum { BLOCK_NUMBERS = 1 << 13, SUM_LANES = 16 };

typedef struct block {
    float *weight, *gradient, *moments[2];
    size_t count, trained; /* index of its weight among the trained ones */
} block;

typedef struct fused_update {
    icl_update base;
    icl_device *device;
    block *blocks;
    double *square_sums; /* [block_count] */
    size_t block_count;
    const icl_adam_settings *settings; /* of the running step */
    float factor;
    struct ggml_context *context;
    struct ggml_cgraph *sum_graph, *step_graph;
} fused_update;

/* --- kernels --- */

/* The lanes fix the order of the sum, whatever vectors the machine has. */
static double sum_of_squares(const float *values, size_t count)
{
    double lanes[SUM_LANES] = { 0.0 };
    size_t i = 0;
    for (; i + SUM_LANES <= count; i += SUM_LANES) {
        for (size_t lane = 0; lane < SUM_LANES; lane++)
            lanes[lane] += (double)values[i + lane] * (double)values[i + lane];
    }
    double sum = 0.0;
    for (; i < count; i++) sum += (double)values[i] * (double)values[i];
    for (size_t lane = 0; lane < SUM_LANES; lane++) sum += lanes[lane];
    return sum;
}

/* Algorithm 2 of Loshchilov and Hutter 2019; leaves the gradient zero. */
static void adam_step(float *restrict weight, float *restrict gradient, float *restrict moment1,
                      float *restrict moment2, size_t count, const icl_adam_settings *settings,
                      float factor)
{
    const icl_adam_settings s = *settings;
    const float keep = 1.0f - s.rate * s.decay;
    for (size_t i = 0; i < count; i++) {
        const float g = gradient[i] * factor;
        const float m = moment1[i] * s.beta1 + g * (1.0f - s.beta1);
        const float v = moment2[i] * s.beta2 + g * g * (1.0f - s.beta2);
        gradient[i] = 0.0f;
        moment1[i] = m;
        moment2[i] = v;
        weight[i] = weight[i] * keep -
                    s.rate * (m * s.correction1) / (sqrtf(v * s.correction2) + s.epsilon);
    }
}

/* --- their share of each thread --- */

static void sum_share(struct ggml_tensor *node, int thread, int thread_count, void *user)
{
    (void)node;
    fused_update *self = user;
    const size_t end = self->block_count * (size_t)(thread + 1) / (size_t)thread_count;
    for (size_t i = self->block_count * (size_t)thread / (size_t)thread_count; i < end; i++)
        self->square_sums[i] = sum_of_squares(self->blocks[i].gradient, self->blocks[i].count);
}

static void step_share(struct ggml_tensor *node, int thread, int thread_count, void *user)
{
    (void)node;
    fused_update *self = user;
    const size_t end = self->block_count * (size_t)(thread + 1) / (size_t)thread_count;
    for (size_t i = self->block_count * (size_t)thread / (size_t)thread_count; i < end; i++) {
        const block *b = &self->blocks[i];
        adam_step(b->weight, b->gradient, b->moments[0], b->moments[1], b->count,
                  &self->settings[b->trained], self->factor);
    }
}

static icl_status run(fused_update *self, struct ggml_cgraph *graph)
{
    if (ggml_backend_graph_compute(icl_device_backend(self->device), graph) != GGML_STATUS_SUCCESS)
        return icl_error_set(ICL_EMODEL, "the optimizer step failed on the device");
    return ICL_OK;
}

static icl_status square_sum(icl_update *update, double *out)
{
    fused_update *self = (fused_update *)update;
    ICL_TRY(run(self, self->sum_graph));
    double sum = 0.0;
    for (size_t i = 0; i < self->block_count; i++) sum += self->square_sums[i];
    *out = sum;
    return ICL_OK;
}

static icl_status apply(icl_update *update, const icl_adam_settings *settings, float factor)
{
    fused_update *self = (fused_update *)update;
    self->settings = settings;
    self->factor = factor;
    return run(self, self->step_graph);
}

/* --- making --- */

static void add_blocks(fused_update *self, const icl_parameter *item, size_t trained)
{
    for (size_t at = 0; at < item->count; at += BLOCK_NUMBERS) {
        const size_t left = item->count - at;
        self->blocks[self->block_count++] = (block){
            .weight = (float *)item->tensor->data + at,
            .gradient = (float *)item->gradient->data + at,
            .moments = { (float *)item->moments[0]->data + at,
                         (float *)item->moments[1]->data + at },
            .count = left < BLOCK_NUMBERS ? left : BLOCK_NUMBERS,
            .trained = trained,
        };
    }
}

static icl_status cut(fused_update *self, const icl_parameter *const *trained, size_t count)
{
    size_t blocks = 0;
    for (size_t i = 0; i < count; i++)
        blocks += (trained[i]->count + BLOCK_NUMBERS - 1) / BLOCK_NUMBERS;
    self->blocks = malloc(blocks * sizeof *self->blocks);
    self->square_sums = malloc(blocks * sizeof *self->square_sums);
    if (self->blocks == NULL || self->square_sums == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for an optimizer of %zu blocks", blocks);
    for (size_t i = 0; i < count; i++) add_blocks(self, trained[i], i);
    return ICL_OK;
}

/* A graph of one node that calls `share` on every thread of the device. */
static struct ggml_cgraph *new_graph(fused_update *self, ggml_custom_op_t share)
{
    struct ggml_tensor *node = ggml_custom_4d(self->context, GGML_TYPE_F32, 1, 1, 1, 1, NULL, 0,
                                              share, GGML_N_TASKS_MAX, self);
    struct ggml_cgraph *graph = ggml_new_graph_custom(self->context, 1, false);
    ggml_build_forward_expand(graph, node);
    return graph;
}

static icl_status make_graphs(fused_update *self)
{
    const struct ggml_init_params settings = {
        .mem_size = 2 * (ggml_tensor_overhead() + ggml_graph_overhead_custom(1, false)) + 4096,
    };
    self->context = ggml_init(settings);
    if (self->context == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an optimizer");
    self->sum_graph = new_graph(self, sum_share);
    self->step_graph = new_graph(self, step_share);
    return ICL_OK;
}

static void fused_free(icl_update *update)
{
    fused_update *self = (fused_update *)update;
    ggml_free(self->context);
    free(self->square_sums);
    free(self->blocks);
    free(self);
}

icl_status icl_update_new_fused(icl_update **out, icl_parameters *parameters,
                                const icl_parameter *const *trained, size_t trained_count)
{
    fused_update *self = calloc(1, sizeof *self);
    if (self == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an optimizer");
    self->base = (icl_update){ square_sum, apply, fused_free };
    self->device = icl_parameters_device(parameters);
    icl_status status = cut(self, trained, trained_count);
    if (status == ICL_OK) status = make_graphs(self);
    if (status == ICL_OK)
        *out = &self->base;
    else
        fused_free(&self->base);
    return status;
}
