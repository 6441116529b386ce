#include "learn/graph_internal.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <ggml-alloc.h>
#include <ggml-backend.h>

#include "base/error.h"
#include "learn/device.h"

/* Room for the deepest model (128 layers, about 25 values and 120 nodes each, both directions). The
 * bookkeeping is reserved once, so that no operation can fail on its own; untouched pages cost
 * nothing. */
enum { VALUES_MAX = 8192, NODES_MAX = 32768, TENSORS_MAX = 65536, JOBS_MAX = 16384 };
enum { LOSSES_MAX = 64, CONSTANTS_MAX = 64 };

typedef struct constant {
    struct ggml_tensor *tensor;
    icl_fill *fill;
    float argument;
} constant;

typedef struct weighted_loss {
    icl_value *value;
    float weight;
} weighted_loss;

/* What a node with a kernel runs. */
typedef struct job {
    icl_graph *graph;
    icl_kernel *kernel;
    const void *notes;
} job;

struct icl_graph {
    icl_parameters *parameters;
    icl_device *device;
    struct ggml_context *context;
    struct ggml_cgraph *nodes;
    ggml_gallocr_t allocator;
    icl_value *values; /* the tape */
    size_t value_count;
    icl_value **parameter_values; /* by index; NULL: not used */
    weighted_loss losses[LOSSES_MAX];
    size_t loss_count;
    constant constants[CONSTANTS_MAX];
    size_t constant_count;
    job *jobs;
    size_t job_count;
    atomic_int_fast64_t units_taken; /* of the node that runs now */
    float *workspace;
    size_t workspace_floats; /* of one thread */
    double flops;
    bool finished;
};

/* --- building --- */

static struct ggml_context *new_context(void)
{
    const struct ggml_init_params settings = {
        .mem_size = (size_t)TENSORS_MAX * ggml_tensor_overhead() +
                    ggml_graph_overhead_custom(NODES_MAX, false),
        .no_alloc = true,
    };
    return ggml_init(settings);
}

icl_status icl_graph_new(icl_graph **out, icl_parameters *parameters)
{
    icl_graph *graph = calloc(1, sizeof *graph);
    if (graph == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a graph");
    graph->parameters = parameters;
    graph->device = icl_parameters_device(parameters);
    graph->values = calloc(VALUES_MAX, sizeof *graph->values);
    graph->parameter_values = calloc(icl_parameters_count(parameters) + 1, sizeof(icl_value *));
    graph->context = new_context();
    graph->jobs = calloc(JOBS_MAX, sizeof *graph->jobs);
    if (graph->values == NULL || graph->parameter_values == NULL || graph->jobs == NULL ||
        graph->context == NULL) {
        icl_graph_free(graph);
        return icl_error_set(ICL_ENOMEM, "out of memory for a graph");
    }
    graph->nodes = ggml_new_graph_custom(graph->context, NODES_MAX, false);
    *out = graph;
    return ICL_OK;
}

void icl_graph_free(icl_graph *graph)
{
    if (graph == NULL) return;
    ggml_gallocr_free(graph->allocator);
    ggml_free(graph->context);
    free(graph->values);
    free(graph->parameter_values);
    free(graph->jobs);
    free(graph->workspace);
    free(graph);
}

struct ggml_context *icl_graph_context(icl_graph *graph)
{
    return graph->context;
}

bool icl_graph_fused(const icl_graph *graph)
{
    return icl_device_fused(graph->device);
}

void icl_graph_count_flops(icl_graph *graph, double flops)
{
    graph->flops += flops;
}

icl_value *icl_graph_push(icl_graph *graph, struct ggml_tensor *tensor, icl_value *const *parents,
                          size_t parent_count, icl_backward *backward)
{
    assert(!graph->finished && graph->value_count < VALUES_MAX);
    assert(parent_count <= ICL_PARENTS_MAX && ggml_is_contiguous(tensor));
    icl_value *value = &graph->values[graph->value_count++];
    value->tensor = tensor;
    value->backward = backward;
    for (size_t i = 0; i < parent_count; i++) {
        value->parents[i] = parents[i];
        value->needs_gradient |=
            backward != NULL && parents[i] != NULL && parents[i]->needs_gradient;
    }
    return value;
}

void *icl_graph_next_notes(icl_graph *graph)
{
    assert(graph->value_count < VALUES_MAX);
    return graph->values[graph->value_count].notes;
}

/* Readable after a run: the allocator must not give its memory to others. */
static void protect(struct ggml_tensor *tensor)
{
    ggml_set_output(tensor);
    if (tensor->view_src != NULL) ggml_set_output(tensor->view_src);
}

static icl_value *push_input(icl_graph *graph, struct ggml_tensor *tensor, const char *name)
{
    ggml_set_name(tensor, name);
    ggml_set_input(tensor);
    protect(tensor); /* one that is not set again keeps its numbers */
    return icl_graph_push(graph, tensor, NULL, 0, NULL);
}

icl_value *icl_graph_input(icl_graph *graph, const char *name, int64_t width, int64_t rows,
                           bool wants_gradient)
{
    icl_value *value =
        push_input(graph, ggml_new_tensor_2d(graph->context, GGML_TYPE_F32, width, rows), name);
    value->needs_gradient = wants_gradient;
    return value;
}

icl_value *icl_graph_input_ids(icl_graph *graph, const char *name, int64_t count)
{
    return push_input(graph, ggml_new_tensor_1d(graph->context, GGML_TYPE_I32, count), name);
}

icl_value *icl_graph_parameter(icl_graph *graph, size_t index)
{
    const icl_parameter *parameter = icl_parameters_at(graph->parameters, index);
    icl_value **value = &graph->parameter_values[index];
    if (*value == NULL) {
        *value = icl_graph_push(graph, parameter->tensor, NULL, 0, NULL);
        (*value)->needs_gradient = !parameter->frozen;
        (*value)->is_parameter = true;
        (*value)->gradient = parameter->gradient;
    }
    return *value;
}

void icl_graph_keep(icl_graph *graph, icl_value *x)
{
    assert(!graph->finished);
    (void)graph;
    x->kept = true;
    protect(x->tensor);
}

void icl_graph_add_loss(icl_graph *graph, const char *name, icl_value *loss, float weight)
{
    assert(graph->loss_count < LOSSES_MAX && ggml_nelements(loss->tensor) == 1);
    ggml_set_name(loss->tensor, name);
    icl_graph_keep(graph, loss);
    graph->losses[graph->loss_count++] = (weighted_loss){ loss, weight };
}

struct ggml_tensor *icl_graph_constant(icl_graph *graph, int64_t n0, int64_t n1, icl_fill *fill,
                                       float argument)
{
    for (size_t i = 0; i < graph->constant_count; i++) {
        const constant *known = &graph->constants[i];
        if (known->fill == fill && !(known->argument < argument) && !(known->argument > argument) &&
            known->tensor->ne[0] == n0 && known->tensor->ne[1] == n1)
            return known->tensor;
    }
    assert(graph->constant_count < CONSTANTS_MAX);
    struct ggml_tensor *tensor = ggml_new_tensor_2d(graph->context, GGML_TYPE_F32, n0, n1);
    ggml_set_input(tensor);
    protect(tensor);
    graph->constants[graph->constant_count++] = (constant){ tensor, fill, argument };
    return tensor;
}

/* --- gradients --- */

void icl_gradient_add(icl_graph *graph, icl_value *value, struct ggml_tensor *contribution)
{
    if (!value->needs_gradient) return;
    assert(ggml_are_same_shape(value->tensor, contribution));
    if (value->is_parameter) {
        value->gradient = ggml_add_inplace(graph->context, value->gradient, contribution);
        ggml_build_forward_expand(graph->nodes, value->gradient);
    } else if (value->gradient != NULL) {
        value->gradient = ggml_add(graph->context, value->gradient, contribution);
    } else {
        value->gradient = contribution;
    }
}

static void fill_value(float *out, int64_t n0, int64_t n1, float argument)
{
    for (int64_t i = 0; i < n0 * n1; i++) out[i] = argument;
}

struct ggml_tensor *icl_sum_rows_to(icl_graph *graph, struct ggml_tensor *gradient,
                                    const struct ggml_tensor *row)
{
    const int64_t width = gradient->ne[0], rows = ggml_nrows(gradient);
    assert(ggml_nelements(row) == width);
    struct ggml_tensor *flat = ggml_reshape_2d(graph->context, gradient, width, rows);
    struct ggml_tensor *ones = icl_graph_constant(graph, 1, rows, fill_value, 1.0f);
    /* As a product, because a GPU repeats backwards with one thread for each column. */
    return ggml_reshape_4d(graph->context, ggml_out_prod(graph->context, flat, ones), row->ne[0],
                           row->ne[1], row->ne[2], row->ne[3]);
}

/* --- kernels --- */

/* What ggml calls on every thread. */
static void run_job(struct ggml_tensor *out, int thread, int thread_count, void *what)
{
    const job *work = what;
    const icl_crew crew = { work->graph, thread, thread_count };
    work->kernel(out, &crew, work->notes);
}

static job *new_job(icl_graph *graph, icl_kernel *kernel, const void *notes)
{
    assert(graph->job_count < JOBS_MAX);
    job *work = &graph->jobs[graph->job_count++];
    *work = (job){ graph, kernel, notes };
    return work;
}

int64_t icl_crew_take(const icl_crew *crew, int64_t unit_count)
{
    const int64_t taken =
        atomic_fetch_add_explicit(&crew->graph->units_taken, 1, memory_order_relaxed);
    if (taken < unit_count) return taken;
    /* Each thread comes here once, so after the last of them nobody counts until the next node. */
    if (taken == unit_count + crew->thread_count - 1)
        atomic_store_explicit(&crew->graph->units_taken, 0, memory_order_relaxed);
    return unit_count;
}

float *icl_crew_workspace(const icl_crew *crew)
{
    return &crew->graph->workspace[(size_t)crew->thread * crew->graph->workspace_floats];
}

void icl_graph_want_workspace(icl_graph *graph, size_t floats)
{
    if (floats > graph->workspace_floats) graph->workspace_floats = floats;
}

struct ggml_tensor *icl_kernel_node(icl_graph *graph, const int64_t ne[4],
                                    struct ggml_tensor *const *sources, size_t source_count,
                                    icl_kernel *kernel, const void *notes)
{
    struct ggml_tensor *arguments[GGML_MAX_SRC] = { NULL };
    assert(source_count < GGML_MAX_SRC);
    for (size_t i = 0; i < source_count; i++) arguments[i] = sources[i];
    return ggml_custom_4d(graph->context, GGML_TYPE_F32, ne[0], ne[1], ne[2], ne[3], arguments,
                          (int)source_count, run_job, GGML_N_TASKS_MAX,
                          new_job(graph, kernel, notes));
}

void icl_gradient_kernel(icl_graph *graph, icl_value *value, struct ggml_tensor *const *sources,
                         size_t source_count, icl_kernel *kernel, const void *notes)
{
    if (!value->needs_gradient) return;
    struct ggml_tensor *arguments[GGML_MAX_SRC] = { value->gradient };
    assert(source_count <= ICL_SOURCES_MAX);
    for (size_t i = 0; i < source_count; i++) arguments[i + 1] = sources[i];
    if (!value->is_parameter) {
        value->gradient =
            icl_kernel_node(graph, value->tensor->ne, arguments, source_count + 1, kernel, notes);
        return;
    }
    value->gradient =
        ggml_custom_inplace(graph->context, value->gradient, arguments + 1, (int)source_count,
                            run_job, GGML_N_TASKS_MAX, new_job(graph, kernel, notes));
    ggml_build_forward_expand(graph->nodes, value->gradient);
}

void icl_gradient_kernel_over(icl_graph *graph, icl_value *value,
                              struct ggml_tensor *const *sources, size_t source_count,
                              icl_kernel *kernel, const void *notes)
{
    if (!value->needs_gradient || !value->unread || value->kept || value->use_count != 1 ||
        value->gradient != NULL) {
        icl_gradient_kernel(graph, value, sources, source_count, kernel, notes);
        return;
    }
    struct ggml_tensor *arguments[GGML_MAX_SRC] = { NULL };
    assert(source_count <= ICL_SOURCES_MAX);
    for (size_t i = 0; i < source_count; i++) arguments[i] = sources[i];
    value->gradient =
        ggml_custom_inplace(graph->context, value->tensor, arguments, (int)source_count, run_job,
                            GGML_N_TASKS_MAX, new_job(graph, kernel, notes));
    value->gradient->src[0] = NULL; /* there was no gradient before */
}

struct ggml_tensor *icl_slice(icl_graph *graph, struct ggml_tensor *packed, int64_t offset,
                              const struct ggml_tensor *like)
{
    return ggml_view_4d(graph->context, packed, like->ne[0], like->ne[1], like->ne[2], like->ne[3],
                        like->nb[1], like->nb[2], like->nb[3], (size_t)offset * sizeof(float));
}

/* --- finishing --- */

/* What a loss or a kept value depends on. */
static void mark_reached(icl_graph *graph)
{
    for (size_t i = graph->value_count; i-- > 0;) {
        icl_value *value = &graph->values[i];
        value->reached |= value->kept;
        if (!value->reached) continue;
        for (size_t p = 0; p < ICL_PARENTS_MAX; p++)
            if (value->parents[p] != NULL) {
                value->parents[p]->reached = true;
                value->parents[p]->use_count++;
            }
    }
}

static void build_forward(icl_graph *graph)
{
    for (size_t i = 0; i < graph->value_count; i++) {
        const icl_value *value = &graph->values[i];
        if (!value->reached) continue;
        ggml_build_forward_expand(graph->nodes, value->tensor);
        graph->flops += value->flops;
    }
}

static void build_backward(icl_graph *graph)
{
    for (size_t i = 0; i < graph->loss_count; i++) {
        const weighted_loss *loss = &graph->losses[i];
        icl_gradient_add(graph, loss->value,
                         icl_graph_constant(graph, 1, 1, fill_value, loss->weight));
    }
    for (size_t i = graph->value_count; i-- > 0;) {
        icl_value *value = &graph->values[i];
        if (value->gradient == NULL || !value->needs_gradient || value->is_parameter) continue;
        if (value->backward != NULL) {
            value->backward(graph, value);
        } else { /* an input */
            protect(value->gradient);
            ggml_build_forward_expand(graph->nodes, value->gradient);
        }
    }
}

/* A back end ends the program at an operation that it does not have. */
static icl_status check_operations(const icl_graph *graph)
{
    ggml_backend_t backend = icl_device_backend(graph->device);
    for (int i = 0; i < ggml_graph_n_nodes(graph->nodes); i++) {
        const struct ggml_tensor *node = ggml_graph_node(graph->nodes, i);
        if (!ggml_backend_supports_op(backend, node))
            return icl_error_set(ICL_EUNSUPPORTED, "the %s back end has no %s for %s",
                                 icl_device_name(graph->device), ggml_op_desc(node), node->name);
    }
    return ICL_OK;
}

static uint64_t workspace_bytes(const icl_graph *graph)
{
    return icl_device_thread_count(graph->device) * graph->workspace_floats *
           sizeof *graph->workspace;
}

static ggml_gallocr_t new_allocator(const icl_graph *graph)
{
    return ggml_gallocr_new(
        ggml_backend_get_default_buffer_type(icl_device_backend(graph->device)));
}

/* What the intermediate results will take. An allocator that has only counted cannot allocate. */
static icl_status check_room(const icl_graph *graph)
{
    ggml_gallocr_t counter = new_allocator(graph);
    if (counter == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a graph");
    size_t bytes = 0;
    ggml_gallocr_reserve_n_size(counter, graph->nodes, NULL, NULL, &bytes);
    ggml_gallocr_free(counter);
    return icl_device_check_room(graph->device, bytes + workspace_bytes(graph),
                                 "intermediate results");
}

static icl_status allocate(icl_graph *graph)
{
    enum { ALIGNMENT = 64 };
    const size_t granule = ALIGNMENT / sizeof *graph->workspace;
    graph->workspace_floats = (graph->workspace_floats + granule - 1) / granule * granule;
    ICL_TRY(check_room(graph));
    if (graph->workspace_floats > 0) {
        graph->workspace = aligned_alloc(ALIGNMENT, workspace_bytes(graph));
        if (graph->workspace == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for kernels");
    }
    graph->allocator = new_allocator(graph);
    if (graph->allocator == NULL || !ggml_gallocr_alloc_graph(graph->allocator, graph->nodes))
        return icl_error_set(ICL_ENOMEM, "out of memory for intermediate results");
    return ICL_OK;
}

static icl_status upload_constants(icl_graph *graph)
{
    for (size_t i = 0; i < graph->constant_count; i++) {
        const constant *item = &graph->constants[i];
        if (item->tensor->buffer == NULL) continue; /* nothing uses it */
        const size_t bytes = ggml_nbytes(item->tensor);
        float *numbers = malloc(bytes);
        if (numbers == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for constants");
        item->fill(numbers, item->tensor->ne[0], item->tensor->ne[1], item->argument);
        ggml_backend_tensor_set(item->tensor, numbers, 0, bytes);
        free(numbers);
    }
    return ICL_OK;
}

icl_status icl_graph_finish(icl_graph *graph, bool backward)
{
    assert(!graph->finished);
    mark_reached(graph);
    build_forward(graph);
    if (backward) build_backward(graph);
    graph->finished = true;
    ICL_TRY(check_operations(graph));
    ICL_TRY(allocate(graph));
    return upload_constants(graph);
}

uint64_t icl_graph_bytes(const icl_graph *graph)
{
    assert(graph->finished);
    return ggml_gallocr_get_buffer_size(graph->allocator, 0) + workspace_bytes(graph);
}

double icl_graph_flops(const icl_graph *graph)
{
    return graph->flops;
}

/* --- running --- */

static void set_input(const icl_graph *graph, icl_value *input, const void *numbers)
{
    assert(graph->finished && (input->tensor->flags & GGML_TENSOR_FLAG_INPUT));
    (void)graph;
    if (input->tensor->buffer == NULL) return; /* nothing uses it */
    ggml_backend_tensor_set(input->tensor, numbers, 0, ggml_nbytes(input->tensor));
}

void icl_graph_set(icl_graph *graph, icl_value *input, const float *values)
{
    assert(input->tensor->type == GGML_TYPE_F32);
    set_input(graph, input, values);
}

void icl_graph_set_ids(icl_graph *graph, icl_value *input, const int32_t *ids)
{
    assert(input->tensor->type == GGML_TYPE_I32);
    set_input(graph, input, ids);
}

icl_status icl_graph_run(icl_graph *graph)
{
    assert(graph->finished);
    const enum ggml_status status =
        ggml_backend_graph_compute(icl_device_backend(graph->device), graph->nodes);
    if (status != GGML_STATUS_SUCCESS)
        return icl_error_set(ICL_EMODEL, "the %s back end failed: %s",
                             icl_device_name(graph->device), ggml_status_to_string(status));
    return ICL_OK;
}

void icl_graph_get(const icl_graph *graph, const icl_value *value, float *out)
{
    assert(graph->finished && (value->kept || value->tensor->buffer != NULL));
    (void)graph;
    ggml_backend_tensor_get(value->tensor, out, 0, ggml_nbytes(value->tensor));
}

float icl_graph_scalar(const icl_graph *graph, const icl_value *value)
{
    assert(ggml_nelements(value->tensor) == 1);
    float number = 0;
    icl_graph_get(graph, value, &number);
    return number;
}

void icl_graph_get_gradient(const icl_graph *graph, const icl_value *input, float *out)
{
    assert(graph->finished && input->needs_gradient);
    (void)graph;
    if (input->gradient == NULL) /* no loss depends on it */
        memset(out, 0, ggml_nbytes(input->tensor));
    else
        ggml_backend_tensor_get(input->gradient, out, 0, ggml_nbytes(input->gradient));
}

int64_t icl_value_size(const icl_value *value, size_t axis)
{
    assert(axis < GGML_MAX_DIMS);
    return value->tensor->ne[axis];
}
