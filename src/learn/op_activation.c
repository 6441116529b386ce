/* Nonlinearities, element by element. */
#include "learn/graph_internal.h"

#include <assert.h>

#include "learn/kernel_rows.h"

/* Numbers that a thread takes at once. */
enum { CHUNK = 16384 };

static int64_t chunk_count(int64_t count)
{
    return (count + CHUNK - 1) / CHUNK;
}

static int64_t chunk_length(int64_t count, int64_t first)
{
    return count - first < CHUNK ? count - first : CHUNK;
}

/* --- gated linear unit --- */

static void run_gate(struct ggml_tensor *y, const icl_crew *crew, const void *notes)
{
    (void)notes;
    const float *gate = y->src[0]->data, *up = y->src[1]->data;
    float *out = y->data;
    const int64_t count = ggml_nelements(y), chunks = chunk_count(count);
    for (int64_t c; (c = icl_crew_take(crew, chunks)) < chunks;) {
        const int64_t i = c * CHUNK;
        icl_rows_silu_gate(&out[i], &gate[i], &up[i], chunk_length(count, i));
    }
}

/* Both gradients, one after the other. */
static void run_gate_gradient(struct ggml_tensor *packed, const icl_crew *crew, const void *notes)
{
    (void)notes;
    const float *dy = packed->src[0]->data, *gate = packed->src[1]->data;
    const float *up = packed->src[2]->data;
    const int64_t count = ggml_nelements(packed) / 2, chunks = chunk_count(count);
    float *dgate = packed->data, *dup = dgate + count;
    for (int64_t c; (c = icl_crew_take(crew, chunks)) < chunks;) {
        const int64_t i = c * CHUNK;
        icl_rows_silu_gate_gradient(&dgate[i], &dup[i], &dy[i], &gate[i], &up[i],
                                    chunk_length(count, i));
    }
}

static void backward_gate_fused(icl_graph *graph, icl_value *y)
{
    icl_value *gate = y->parents[0], *up = y->parents[1];
    const int64_t count = ggml_nelements(y->tensor);
    struct ggml_tensor *sources[] = { y->gradient, gate->tensor, up->tensor };
    struct ggml_tensor *packed = icl_kernel_node(graph, (int64_t[]){ 2 * count, 1, 1, 1 }, sources,
                                                 3, run_gate_gradient, NULL);
    icl_gradient_add(graph, gate, icl_slice(graph, packed, 0, gate->tensor));
    icl_gradient_add(graph, up, icl_slice(graph, packed, count, up->tensor));
}

static void backward_gate_composed(icl_graph *graph, icl_value *y)
{
    struct ggml_context *context = icl_graph_context(graph);
    icl_value *gate = y->parents[0], *up = y->parents[1];
    if (up->needs_gradient)
        icl_gradient_add(graph, up,
                         ggml_mul(context, y->gradient, ggml_silu(context, gate->tensor)));
    if (gate->needs_gradient)
        icl_gradient_add(
            graph, gate,
            ggml_silu_back(context, ggml_mul(context, y->gradient, up->tensor), gate->tensor));
}

icl_value *icl_op_silu_gate(icl_graph *graph, icl_value *gate, icl_value *up)
{
    struct ggml_context *context = icl_graph_context(graph);
    assert(ggml_are_same_shape(gate->tensor, up->tensor));
    if (!icl_graph_fused(graph))
        return icl_graph_push_of(graph,
                                 ggml_mul(context, ggml_silu(context, gate->tensor), up->tensor),
                                 backward_gate_composed, gate, up);
    struct ggml_tensor *sources[] = { gate->tensor, up->tensor };
    return icl_graph_push_of(graph,
                             icl_kernel_node(graph, gate->tensor->ne, sources, 2, run_gate, NULL),
                             backward_gate_fused, gate, up);
}

/* --- GELU: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), Hendrycks and Gimpel 2016 --- */

#define GELU_FACTOR 0.79788456080286536f
#define GELU_CUBIC  0.044715f

/* ggml's own GELU reads a table of half precision on the CPU; this one is exact. */
static struct ggml_tensor *gelu_tanh(struct ggml_context *context, struct ggml_tensor *x)
{
    struct ggml_tensor *inner =
        ggml_scale_bias(context, ggml_sqr(context, x), GELU_FACTOR * GELU_CUBIC, GELU_FACTOR);
    return ggml_tanh(context, ggml_mul(context, inner, x));
}

/* dy/dx = (1 + t) / 2 + x / 2 (1 - t^2) (c + 3 c a x^2), t the tanh. */
static void backward_gelu_composed(icl_graph *graph, icl_value *y)
{
    struct ggml_context *context = icl_graph_context(graph);
    icl_value *x = y->parents[0];
    struct ggml_tensor *t = *icl_value_notes(struct ggml_tensor *, y);
    struct ggml_tensor *slope = ggml_scale_bias(
        context, ggml_sqr(context, x->tensor), 1.5f * GELU_FACTOR * GELU_CUBIC, 0.5f * GELU_FACTOR);
    slope = ggml_mul(context, slope, x->tensor);
    slope = ggml_mul(context, slope, ggml_scale_bias(context, ggml_sqr(context, t), -1.0f, 1.0f));
    slope = ggml_add(context, slope, ggml_scale_bias(context, t, 0.5f, 0.5f));
    icl_gradient_add(graph, x, ggml_mul(context, slope, y->gradient));
}

static void run_gelu(struct ggml_tensor *y, const icl_crew *crew, const void *notes)
{
    (void)notes;
    const float *x = y->src[0]->data;
    float *out = y->data;
    const int64_t count = ggml_nelements(y), chunks = chunk_count(count);
    for (int64_t c; (c = icl_crew_take(crew, chunks)) < chunks;) {
        const int64_t i = c * CHUNK;
        icl_rows_gelu(&out[i], &x[i], chunk_length(count, i));
    }
}

static void run_gelu_gradient(struct ggml_tensor *dx, const icl_crew *crew, const void *notes)
{
    (void)notes;
    const float *dy = dx->src[0]->data, *x = dx->src[1]->data;
    float *out = dx->data;
    const int64_t count = ggml_nelements(dx), chunks = chunk_count(count);
    for (int64_t c; (c = icl_crew_take(crew, chunks)) < chunks;) {
        const int64_t i = c * CHUNK;
        icl_rows_gelu_gradient(&out[i], &dy[i], &x[i], chunk_length(count, i));
    }
}

static void backward_gelu_fused(icl_graph *graph, icl_value *y)
{
    icl_value *x = y->parents[0];
    struct ggml_tensor *sources[] = { y->gradient, x->tensor };
    icl_gradient_add(graph, x,
                     icl_kernel_node(graph, x->tensor->ne, sources, 2, run_gelu_gradient, NULL));
}

icl_value *icl_op_gelu(icl_graph *graph, icl_value *x)
{
    struct ggml_context *context = icl_graph_context(graph);
    if (icl_graph_fused(graph))
        return icl_graph_push_of(
            graph, icl_kernel_node(graph, x->tensor->ne, &x->tensor, 1, run_gelu, NULL),
            backward_gelu_fused, x);
    struct ggml_tensor *t = gelu_tanh(context, x->tensor);
    struct ggml_tensor *tensor =
        ggml_mul(context, ggml_scale_bias(context, t, 0.5f, 0.5f), x->tensor);
    icl_value *y = icl_graph_push_of(graph, tensor, backward_gelu_composed, x);
    *icl_value_notes(struct ggml_tensor *, y) = t;
    return y;
}

/* --- others --- */

static void backward_relu(icl_graph *graph, icl_value *y)
{
    struct ggml_context *context = icl_graph_context(graph);
    icl_gradient_add(graph, y->parents[0],
                     ggml_mul(context, ggml_step(context, y->tensor), y->gradient));
}

icl_value *icl_op_relu(icl_graph *graph, icl_value *x)
{
    return icl_graph_push_of(graph, ggml_relu(icl_graph_context(graph), x->tensor), backward_relu,
                             x);
}
