/* Sums, products element by element, shapes, and rows of tables. */
#include "learn/graph_internal.h"

#include <assert.h>
#include <string.h>

/* --- element by element --- */

/* A gradient summed over the copies that broadcasting made. */
static struct ggml_tensor *shrink(icl_graph *graph, struct ggml_tensor *gradient,
                                  const icl_value *value)
{
    if (ggml_are_same_shape(gradient, value->tensor)) return gradient;
    if (ggml_nelements(value->tensor) == gradient->ne[0])
        return icl_sum_rows_to(graph, gradient, value->tensor);
    return ggml_repeat_back(icl_graph_context(graph), gradient, value->tensor);
}

static void backward_add(icl_graph *graph, icl_value *sum)
{
    icl_value *a = sum->parents[0], *b = sum->parents[1];
    if (a->needs_gradient) icl_gradient_add(graph, a, sum->gradient);
    if (b->needs_gradient) icl_gradient_add(graph, b, shrink(graph, sum->gradient, b));
}

icl_value *icl_op_add(icl_graph *graph, icl_value *a, icl_value *b)
{
    assert(ggml_can_repeat(b->tensor, a->tensor));
    return icl_graph_push_of(graph, ggml_add(icl_graph_context(graph), a->tensor, b->tensor),
                             backward_add, a, b);
}

static void backward_multiply(icl_graph *graph, icl_value *product)
{
    struct ggml_context *context = icl_graph_context(graph);
    icl_value *a = product->parents[0], *b = product->parents[1];
    if (a->needs_gradient)
        icl_gradient_add(graph, a, ggml_mul(context, product->gradient, b->tensor));
    if (b->needs_gradient)
        icl_gradient_add(graph, b,
                         shrink(graph, ggml_mul(context, product->gradient, a->tensor), b));
}

icl_value *icl_op_multiply(icl_graph *graph, icl_value *a, icl_value *b)
{
    assert(ggml_can_repeat(b->tensor, a->tensor));
    return icl_graph_push_of(graph, ggml_mul(icl_graph_context(graph), a->tensor, b->tensor),
                             backward_multiply, a, b);
}

static void backward_scale(icl_graph *graph, icl_value *y)
{
    const float *factor = icl_value_notes(float, y);
    icl_gradient_add(graph, y->parents[0],
                     ggml_scale(icl_graph_context(graph), y->gradient, *factor));
}

icl_value *icl_op_scale(icl_graph *graph, icl_value *x, float factor)
{
    icl_value *y = icl_graph_push_of(graph, ggml_scale(icl_graph_context(graph), x->tensor, factor),
                                     backward_scale, x);
    *icl_value_notes(float, y) = factor;
    return y;
}

/* --- shapes --- */

icl_value *icl_op_detach(icl_graph *graph, icl_value *x)
{
    return icl_graph_push_of(graph, x->tensor, NULL, x);
}

static void backward_reshape(icl_graph *graph, icl_value *y)
{
    icl_value *x = y->parents[0];
    icl_gradient_add(graph, x, ggml_reshape(icl_graph_context(graph), y->gradient, x->tensor));
}

icl_value *icl_op_reshape(icl_graph *graph, icl_value *x, int64_t n0, int64_t n1, int64_t n2,
                          int64_t n3)
{
    assert(ggml_nelements(x->tensor) == n0 * n1 * n2 * n3);
    return icl_graph_push_of(graph,
                             ggml_reshape_4d(icl_graph_context(graph), x->tensor, n0, n1, n2, n3),
                             backward_reshape, x);
}

static void backward_concat(icl_graph *graph, icl_value *y)
{
    int64_t offset = 0;
    for (size_t i = 0; i < 2; i++) {
        icl_value *part = y->parents[i];
        if (part->needs_gradient)
            icl_gradient_add(graph, part, icl_slice(graph, y->gradient, offset, part->tensor));
        offset += ggml_nelements(part->tensor);
    }
}

icl_value *icl_op_concat_rows(icl_graph *graph, icl_value *a, icl_value *b)
{
    assert(a->tensor->ne[0] == b->tensor->ne[0] && a->tensor->ne[2] == 1 && b->tensor->ne[2] == 1);
    return icl_graph_push_of(graph, ggml_concat(icl_graph_context(graph), a->tensor, b->tensor, 1),
                             backward_concat, a, b);
}

/* --- rows of tables --- */

/* Rows of the table that a thread takes at once. */
enum { TABLE_SLICE = 256 };

static void add_slice(struct ggml_tensor *out, int64_t first, int64_t rows)
{
    const struct ggml_tensor *before = out->src[0], *ids = out->src[1], *y_gradient = out->src[2];
    const int64_t width = out->ne[0], at = first * width;
    const size_t bytes = (size_t)(rows * width) * sizeof(float);
    const int32_t *id = ids->data;
    float *table = out->data;
    if (before == NULL)
        memset(&table[at], 0, bytes);
    else if (before->data != out->data)
        memcpy(&table[at], (const float *)before->data + at, bytes);
    for (int64_t i = 0; i < ids->ne[0]; i++) { /* always in this order */
        if (id[i] < first || id[i] >= first + rows) continue;
        const float *from = (const float *)y_gradient->data + i * width;
        float *to = &table[id[i] * width];
        for (int64_t c = 0; c < width; c++) to[c] += from[c];
    }
}

static void run_rows_gradient(struct ggml_tensor *out, const icl_crew *crew, const void *notes)
{
    (void)notes;
    const int64_t rows = ggml_nrows(out), slices = (rows + TABLE_SLICE - 1) / TABLE_SLICE;
    for (int64_t s; (s = icl_crew_take(crew, slices)) < slices;) {
        const int64_t first = s * TABLE_SLICE, left = rows - first;
        add_slice(out, first, left < TABLE_SLICE ? left : TABLE_SLICE);
    }
}

static void backward_rows(icl_graph *graph, icl_value *y)
{
    icl_value *table = y->parents[0], *ids = y->parents[1];
    if (icl_graph_fused(graph)) {
        struct ggml_tensor *sources[] = { ids->tensor, y->gradient };
        icl_gradient_kernel(graph, table, sources, 2, run_rows_gradient, NULL);
    } else {
        icl_gradient_add(
            graph, table,
            ggml_get_rows_back(icl_graph_context(graph), y->gradient, ids->tensor, table->tensor));
    }
}

icl_value *icl_op_rows(icl_graph *graph, icl_value *table, icl_value *ids)
{
    assert(table->tensor->ne[2] == 1 && ids->tensor->type == GGML_TYPE_I32);
    return icl_graph_push_of(graph,
                             ggml_get_rows(icl_graph_context(graph), table->tensor, ids->tensor),
                             backward_rows, table, ids);
}
