/* AdamW in ggml's operations, for weights on any device. */
#include <stdlib.h>

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>

#include "base/error.h"
#include "learn/optimizer_update.h"

/* Tensors of one weight in both graphs, results of views included. */
enum { TENSORS_PER_WEIGHT = 8 };

typedef struct composed_update {
    icl_update base;
    icl_parameters *parameters;
    size_t trained_count;
    float *sums_read;                    /* [trained_count] */
    struct ggml_context *fixed, *graphs; /* what outlasts a run; nodes and graphs */
    ggml_backend_buffer_t fixed_buffer;
    struct ggml_tensor *sums;              /* [trained_count] squared gradients, summed */
    struct ggml_tensor *settings, *factor; /* [7, trained_count], [1] */
    struct ggml_cgraph *sum_graph, *step_graph;
    ggml_gallocr_t sum_memory, step_memory;
} composed_update;

static icl_status run(composed_update *self, struct ggml_cgraph *graph)
{
    ggml_backend_t backend = icl_device_backend(icl_parameters_device(self->parameters));
    if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS)
        return icl_error_set(ICL_EMODEL, "the optimizer step failed on the device");
    return ICL_OK;
}

static icl_status square_sum(icl_update *update, double *out)
{
    composed_update *self = (composed_update *)update;
    ICL_TRY(run(self, self->sum_graph));
    ggml_backend_tensor_get(self->sums, self->sums_read, 0, ggml_nbytes(self->sums));
    double sum = 0.0;
    for (size_t i = 0; i < self->trained_count; i++) sum += (double)self->sums_read[i];
    *out = sum;
    return ICL_OK;
}

static icl_status apply(icl_update *update, const icl_adam_settings *settings, float factor)
{
    composed_update *self = (composed_update *)update;
    ggml_backend_tensor_set(self->settings, settings, 0, ggml_nbytes(self->settings));
    ggml_backend_tensor_set(self->factor, &factor, 0, sizeof factor);
    ICL_TRY(run(self, self->step_graph));
    icl_parameters_zero_gradients(self->parameters);
    return ICL_OK;
}

/* --- making --- */

static struct ggml_context *new_context(size_t tensors, size_t graph_nodes)
{
    const struct ggml_init_params settings = {
        .mem_size =
            tensors * ggml_tensor_overhead() + 2 * ggml_graph_overhead_custom(graph_nodes, false),
        .no_alloc = true,
    };
    return ggml_init(settings);
}

static icl_status make_fixed(composed_update *self, ggml_backend_t backend)
{
    const int64_t count = (int64_t)self->trained_count;
    const int64_t setting_count = sizeof(icl_adam_settings) / sizeof(float);
    self->fixed = new_context(3, 1);
    if (self->fixed == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an optimizer");
    self->sums = ggml_new_tensor_1d(self->fixed, GGML_TYPE_F32, count);
    self->settings = ggml_new_tensor_2d(self->fixed, GGML_TYPE_F32, setting_count, count);
    self->factor = ggml_new_tensor_1d(self->fixed, GGML_TYPE_F32, 1);
    self->fixed_buffer = ggml_backend_alloc_ctx_tensors(self->fixed, backend);
    if (self->fixed_buffer == NULL)
        return icl_error_set(ICL_ENOMEM, "out of device memory for an optimizer");
    return ICL_OK;
}

static void add_weight(composed_update *self, const icl_parameter *item, size_t index)
{
    struct ggml_context *context = self->graphs;
    struct ggml_tensor *sum = ggml_sum(context, ggml_sqr(context, item->gradient));
    struct ggml_tensor *place = ggml_view_1d(context, self->sums, 1, index * sizeof(float));
    ggml_build_forward_expand(self->sum_graph, ggml_cpy(context, sum, place));

    struct ggml_tensor *gradient = ggml_mul_inplace(context, item->gradient, self->factor);
    struct ggml_tensor *settings =
        ggml_view_1d(context, self->settings, self->settings->ne[0], index * self->settings->nb[1]);
    ggml_set_param(item->tensor);
    ggml_build_forward_expand(self->step_graph,
                              ggml_opt_step_adamw(context, item->tensor, gradient, item->moments[0],
                                                  item->moments[1], settings));
}

static icl_status make_graphs(composed_update *self, ggml_backend_t backend,
                              const icl_parameter *const *trained)
{
    const size_t nodes = TENSORS_PER_WEIGHT * self->trained_count;
    self->graphs = new_context(nodes, nodes);
    if (self->graphs == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an optimizer");
    self->sum_graph = ggml_new_graph_custom(self->graphs, nodes, false);
    self->step_graph = ggml_new_graph_custom(self->graphs, nodes, false);
    for (size_t i = 0; i < self->trained_count; i++) add_weight(self, trained[i], i);
    self->sum_memory = ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend));
    self->step_memory = ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend));
    if (!ggml_gallocr_alloc_graph(self->sum_memory, self->sum_graph) ||
        !ggml_gallocr_alloc_graph(self->step_memory, self->step_graph))
        return icl_error_set(ICL_ENOMEM, "out of device memory for an optimizer");
    return ICL_OK;
}

static void composed_free(icl_update *update)
{
    composed_update *self = (composed_update *)update;
    ggml_gallocr_free(self->step_memory);
    ggml_gallocr_free(self->sum_memory);
    ggml_backend_buffer_free(self->fixed_buffer);
    ggml_free(self->graphs);
    ggml_free(self->fixed);
    free(self->sums_read);
    free(self);
}

icl_status icl_update_new_composed(icl_update **out, icl_parameters *parameters,
                                   const icl_parameter *const *trained, size_t trained_count)
{
    composed_update *self = calloc(1, sizeof *self);
    if (self == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an optimizer");
    self->base = (icl_update){ square_sum, apply, composed_free };
    self->parameters = parameters;
    self->trained_count = trained_count;
    self->sums_read = malloc(trained_count * sizeof *self->sums_read);
    ggml_backend_t backend = icl_device_backend(icl_parameters_device(parameters));
    icl_status status = ICL_OK;
    if (self->sums_read == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for an optimizer");
    if (status == ICL_OK) status = make_fixed(self, backend);
    if (status == ICL_OK) status = make_graphs(self, backend, trained);
    if (status == ICL_OK)
        *out = &self->base;
    else
        composed_free(&self->base);
    return status;
}
