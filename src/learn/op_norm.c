/* Normalisation of rows: root mean square, layer, unit length. */
#include "learn/graph_internal.h"

#include <assert.h>

#include "learn/kernel_rows.h"

/* Rows that a thread takes at once; also of the partial sums of a gain's gradient, so it decides
 * bits. */
enum { CHUNK_ROWS = 64 };

typedef struct rms_notes {
    float epsilon;
} rms_notes;

static int64_t chunk_count(const struct ggml_tensor *x)
{
    return (ggml_nrows(x) + CHUNK_ROWS - 1) / CHUNK_ROWS;
}

static int64_t chunk_rows(const struct ggml_tensor *x, int64_t chunk)
{
    const int64_t left = ggml_nrows(x) - chunk * CHUNK_ROWS;
    return left < CHUNK_ROWS ? left : CHUNK_ROWS;
}

static float *chunk_of(const struct ggml_tensor *x, int64_t chunk)
{
    return (float *)x->data + chunk * CHUNK_ROWS * x->ne[0];
}

/* --- root mean square, fused --- */

static void run_rms(struct ggml_tensor *y, const icl_crew *crew, const void *notes)
{
    const rms_notes *rms = notes;
    const struct ggml_tensor *x = y->src[0], *gain = y->src[1];
    const int64_t chunks = chunk_count(x);
    for (int64_t c; (c = icl_crew_take(crew, chunks)) < chunks;)
        icl_rows_rms_norm(chunk_of(y, c), chunk_of(x, c), gain->data, rms->epsilon,
                          chunk_rows(x, c), x->ne[0]);
}

static void run_rms_gradient(struct ggml_tensor *dx, const icl_crew *crew, const void *notes)
{
    const rms_notes *rms = notes;
    const struct ggml_tensor *before = dx->src[0], *dy = dx->src[1], *x = dx->src[2];
    const struct ggml_tensor *gain = dx->src[3];
    const int64_t chunks = chunk_count(x);
    for (int64_t c; (c = icl_crew_take(crew, chunks)) < chunks;)
        icl_rows_rms_norm_gradient(chunk_of(dx, c), before == NULL ? NULL : chunk_of(before, c),
                                   chunk_of(dy, c), chunk_of(x, c), gain->data, rms->epsilon,
                                   chunk_rows(x, c), x->ne[0]);
}

static void run_gain_parts(struct ggml_tensor *parts, const icl_crew *crew, const void *notes)
{
    const rms_notes *rms = notes;
    const struct ggml_tensor *dy = parts->src[0], *x = parts->src[1];
    const int64_t chunks = chunk_count(x);
    for (int64_t c; (c = icl_crew_take(crew, chunks)) < chunks;)
        icl_rows_rms_norm_gain((float *)parts->data + c * x->ne[0], chunk_of(dy, c), chunk_of(x, c),
                               rms->epsilon, chunk_rows(x, c), x->ne[0]);
}

static void run_gain_sum(struct ggml_tensor *dgain, const icl_crew *crew, const void *notes)
{
    (void)notes;
    if (crew->thread != 0) return;
    const struct ggml_tensor *before = dgain->src[0], *parts = dgain->src[1];
    const int64_t width = dgain->ne[0];
    float *sum = dgain->data;
    for (int64_t i = 0; i < width; i++)
        sum[i] = before == NULL ? 0.0f : ((const float *)before->data)[i];
    for (int64_t c = 0; c < parts->ne[1]; c++)
        for (int64_t i = 0; i < width; i++) sum[i] += ((const float *)parts->data)[c * width + i];
}

static void backward_rms_fused(icl_graph *graph, icl_value *y)
{
    icl_value *x = y->parents[0], *gain = y->parents[1];
    struct ggml_tensor *for_x[] = { y->gradient, x->tensor, gain->tensor };
    icl_gradient_kernel(graph, x, for_x, 3, run_rms_gradient, y->notes);
    if (!gain->needs_gradient) return;
    struct ggml_tensor *parts = icl_kernel_node(
        graph, (int64_t[]){ x->tensor->ne[0], chunk_count(x->tensor), 1, 1 },
        (struct ggml_tensor *[]){ y->gradient, x->tensor }, 2, run_gain_parts, y->notes);
    icl_gradient_kernel(graph, gain, &parts, 1, run_gain_sum, NULL);
}

/* --- composed --- */

static void backward_rms_composed(icl_graph *graph, icl_value *y)
{
    struct ggml_context *context = icl_graph_context(graph);
    icl_value *x = y->parents[0], *gain = y->parents[1];
    const float epsilon = icl_value_notes(rms_notes, y)->epsilon;
    if (gain->needs_gradient) {
        struct ggml_tensor *normal = ggml_rms_norm(context, x->tensor, epsilon);
        icl_gradient_add(
            graph, gain,
            icl_sum_rows_to(graph, ggml_mul(context, y->gradient, normal), gain->tensor));
    }
    if (x->needs_gradient)
        icl_gradient_add(graph, x,
                         ggml_rms_norm_back(context, ggml_mul(context, y->gradient, gain->tensor),
                                            x->tensor, epsilon));
}

icl_value *icl_op_rms_norm(icl_graph *graph, icl_value *x, icl_value *gain, float epsilon)
{
    struct ggml_context *context = icl_graph_context(graph);
    assert(ggml_nelements(gain->tensor) == x->tensor->ne[0]);
    const bool fused = icl_graph_fused(graph);
    struct ggml_tensor *tensor = NULL;
    if (!fused)
        tensor = ggml_mul(context, ggml_rms_norm(context, x->tensor, epsilon), gain->tensor);
    else
        tensor = icl_kernel_node(graph, x->tensor->ne,
                                 (struct ggml_tensor *[]){ x->tensor, gain->tensor }, 2, run_rms,
                                 icl_graph_next_notes(graph));
    icl_value *y = icl_graph_push_of(graph, tensor,
                                     fused ? backward_rms_fused : backward_rms_composed, x, gain);
    icl_value_notes(rms_notes, y)->epsilon = epsilon;
    return y;
}

/* --- layer normalisation --- */

typedef struct layer_notes {
    float epsilon;
    struct ggml_tensor *normal; /* before gain and bias */
} layer_notes;

/* Standard deviation of each row. */
static struct ggml_tensor *deviation(struct ggml_context *context, struct ggml_tensor *x,
                                     float epsilon)
{
    struct ggml_tensor *centred = ggml_sub(context, x, ggml_mean(context, x));
    struct ggml_tensor *variance = ggml_mean(context, ggml_sqr(context, centred));
    return ggml_sqrt(context, ggml_scale_bias(context, variance, 1.0f, epsilon));
}

static void backward_layer(icl_graph *graph, icl_value *y)
{
    struct ggml_context *context = icl_graph_context(graph);
    icl_value *x = y->parents[0], *gain = y->parents[1], *bias = y->parents[2];
    const layer_notes *notes = icl_value_notes(layer_notes, y);
    if (bias != NULL && bias->needs_gradient)
        icl_gradient_add(graph, bias, icl_sum_rows_to(graph, y->gradient, bias->tensor));
    if (gain->needs_gradient)
        icl_gradient_add(
            graph, gain,
            icl_sum_rows_to(graph, ggml_mul(context, y->gradient, notes->normal), gain->tensor));
    if (!x->needs_gradient) return;
    struct ggml_tensor *dn = ggml_mul(context, y->gradient, gain->tensor);
    struct ggml_tensor *along = ggml_mean(context, ggml_mul(context, dn, notes->normal));
    struct ggml_tensor *rest = ggml_sub(context, dn, ggml_mean(context, dn));
    rest = ggml_sub(context, rest, ggml_mul(context, notes->normal, along));
    icl_gradient_add(graph, x,
                     ggml_div(context, rest, deviation(context, x->tensor, notes->epsilon)));
}

icl_value *icl_op_layer_norm(icl_graph *graph, icl_value *x, icl_value *gain, icl_value *bias,
                             float epsilon)
{
    struct ggml_context *context = icl_graph_context(graph);
    assert(ggml_nelements(gain->tensor) == x->tensor->ne[0]);
    struct ggml_tensor *normal = ggml_norm(context, x->tensor, epsilon);
    struct ggml_tensor *tensor = ggml_mul(context, normal, gain->tensor);
    if (bias != NULL) tensor = ggml_add(context, tensor, bias->tensor);
    icl_value *y = icl_graph_push_of(graph, tensor, backward_layer, x, gain, bias);
    *icl_value_notes(layer_notes, y) = (layer_notes){ epsilon, normal };
    return y;
}

/* --- unit length --- */

/* sqrt(sum(x^2) + epsilon) of each row. */
static struct ggml_tensor *lengths(struct ggml_context *context, struct ggml_tensor *x,
                                   float epsilon)
{
    struct ggml_tensor *squares = ggml_sum_rows(context, ggml_sqr(context, x));
    return ggml_sqrt(context, ggml_scale_bias(context, squares, 1.0f, epsilon));
}

static void backward_unit(icl_graph *graph, icl_value *y)
{
    struct ggml_context *context = icl_graph_context(graph);
    icl_value *x = y->parents[0];
    const float epsilon = *icl_value_notes(float, y);
    struct ggml_tensor *along = ggml_sum_rows(context, ggml_mul(context, y->gradient, y->tensor));
    struct ggml_tensor *rest = ggml_sub(context, y->gradient, ggml_mul(context, y->tensor, along));
    icl_gradient_add(graph, x, ggml_div(context, rest, lengths(context, x->tensor, epsilon)));
}

icl_value *icl_op_unit_rows(icl_graph *graph, icl_value *x, float epsilon)
{
    struct ggml_context *context = icl_graph_context(graph);
    struct ggml_tensor *tensor = ggml_div(context, x->tensor, lengths(context, x->tensor, epsilon));
    icl_value *y = icl_graph_push_of(graph, tensor, backward_unit, x);
    *icl_value_notes(float, y) = epsilon;
    return y;
}
