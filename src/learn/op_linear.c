/* Products y = W x. Gradients: dx = W^T dy, dW = sum over rows of dy x^T. */
#include "learn/graph_internal.h"

#include <assert.h>
#include <string.h>

#include "learn/kernel_product.h"

static icl_block block_of(const struct ggml_tensor *tensor, int64_t first_row, bool transposed)
{
    return (icl_block){ (const float *)tensor->data + first_row * tensor->ne[0], tensor->ne[0],
                        transposed };
}

static int64_t row_count(const struct ggml_tensor *tensor)
{
    return ggml_nelements(tensor) / tensor->ne[0];
}

/* --- kernels --- */

static void run_forward(struct ggml_tensor *out, const icl_crew *crew, const void *notes)
{
    (void)notes;
    const struct ggml_tensor *weight = out->src[0], *x = out->src[1];
    const int64_t in_width = weight->ne[0], out_width = out->ne[0];
    const icl_slabs slabs = icl_slabs_of(row_count(out));
    for (int64_t s; (s = icl_crew_take(crew, slabs.slab_count)) < slabs.slab_count;) {
        int64_t first = 0;
        const int64_t rows = icl_slab(slabs, s, &first);
        icl_product((float *)out->data + first * out_width, out_width, block_of(x, first, false),
                    block_of(weight, 0, true), rows, out_width, in_width, false);
    }
}

/* Puts rows of what the gradient was before in place; true: there was something to add to. */
static bool start_rows(struct ggml_tensor *out, int64_t first, int64_t rows)
{
    const struct ggml_tensor *before = out->src[0];
    if (before == NULL) return false;
    if (before->data != out->data)
        memcpy((float *)out->data + first * out->ne[0],
               (const float *)before->data + first * out->ne[0],
               (size_t)(rows * out->ne[0]) * sizeof(float));
    return true;
}

static void run_input_gradient(struct ggml_tensor *out, const icl_crew *crew, const void *notes)
{
    (void)notes;
    const struct ggml_tensor *weight = out->src[1], *y_gradient = out->src[2];
    const int64_t in_width = weight->ne[0], out_width = y_gradient->ne[0];
    const icl_slabs slabs = icl_slabs_of(row_count(y_gradient));
    for (int64_t s; (s = icl_crew_take(crew, slabs.slab_count)) < slabs.slab_count;) {
        int64_t first = 0;
        const int64_t rows = icl_slab(slabs, s, &first);
        const bool add = start_rows(out, first, rows);
        icl_product((float *)out->data + first * in_width, in_width,
                    block_of(y_gradient, first, false), block_of(weight, 0, false), rows, in_width,
                    out_width, add);
    }
}

static void run_weight_gradient(struct ggml_tensor *out, const icl_crew *crew, const void *notes)
{
    (void)notes;
    const struct ggml_tensor *x = out->src[1], *y_gradient = out->src[2];
    const int64_t in_width = out->ne[0], out_width = row_count(out);
    const icl_slabs slabs = icl_slabs_of(out_width);
    for (int64_t s; (s = icl_crew_take(crew, slabs.slab_count)) < slabs.slab_count;) {
        int64_t first = 0;
        const int64_t rows = icl_slab(slabs, s, &first);
        const bool add = start_rows(out, first, rows);
        const icl_block columns = { (const float *)y_gradient->data + first, out_width, true };
        icl_product((float *)out->data + first * in_width, in_width, columns,
                    (icl_block){ x->data, in_width, false }, rows, in_width, row_count(y_gradient),
                    add);
    }
}

/* --- graph --- */

static void backward_fused(icl_graph *graph, icl_value *y)
{
    icl_value *weight = y->parents[0], *x = y->parents[1];
    struct ggml_tensor *for_weight[] = { x->tensor, y->gradient };
    struct ggml_tensor *for_x[] = { weight->tensor, y->gradient };
    icl_gradient_kernel(graph, weight, for_weight, 2, run_weight_gradient, NULL);
    icl_gradient_kernel(graph, x, for_x, 2, run_input_gradient, NULL);
}

static void backward_composed(icl_graph *graph, icl_value *y)
{
    struct ggml_context *context = icl_graph_context(graph);
    icl_value *weight = y->parents[0], *x = y->parents[1];
    const int64_t in_width = weight->tensor->ne[0], rows = row_count(y->tensor);
    if (weight->needs_gradient) {
        struct ggml_tensor *flat = ggml_reshape_2d(context, x->tensor, in_width, rows);
        struct ggml_tensor *product = ggml_out_prod(context, flat, y->gradient);
        icl_gradient_add(graph, weight, ggml_reshape(context, product, weight->tensor));
    }
    if (x->needs_gradient) {
        /* One output: its transpose has strides that cuBLAS refuses. */
        struct ggml_tensor *turned = y->tensor->ne[0] == 1
                                         ? ggml_reshape_2d(context, y->gradient, rows, 1)
                                         : ggml_transpose(context, y->gradient);
        struct ggml_tensor *product = ggml_out_prod(context, weight->tensor, turned);
        icl_gradient_add(graph, x, ggml_reshape(context, product, x->tensor));
    }
}

static void backward(icl_graph *graph, icl_value *y)
{
    const double needed =
        (y->parents[0]->needs_gradient ? 1 : 0) + (y->parents[1]->needs_gradient ? 1 : 0);
    icl_graph_count_flops(graph, needed * y->flops);
    (icl_graph_fused(graph) ? backward_fused : backward_composed)(graph, y);
}

icl_value *icl_op_linear(icl_graph *graph, icl_value *weight, icl_value *x)
{
    struct ggml_context *context = icl_graph_context(graph);
    const int64_t in_width = weight->tensor->ne[0], out_width = weight->tensor->ne[1];
    assert(row_count(weight->tensor) == out_width && x->tensor->ne[0] == in_width);
    const int64_t rows = row_count(x->tensor);
    struct ggml_tensor *tensor = NULL;
    if (icl_graph_fused(graph)) {
        tensor = icl_kernel_node(graph, (int64_t[]){ out_width, rows, 1, 1 },
                                 (struct ggml_tensor *[]){ weight->tensor, x->tensor }, 2,
                                 run_forward, NULL);
    } else {
        tensor = ggml_mul_mat(context, weight->tensor,
                              ggml_reshape_2d(context, x->tensor, in_width, rows));
    }
    icl_value *y = icl_graph_push_of(graph, tensor, backward, weight, x);
    y->unread = true;
    y->flops = 2.0 * (double)in_width * (double)out_width * (double)rows;
    return y;
}
