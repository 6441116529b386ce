/* Attention composed of ggml's operations. Tensors are [.., length, heads, batch] here. */
#include "learn/op_attention.h"

#include <assert.h>
#include <math.h>

typedef struct composed_notes {
    bool linear;
    float scale;
    int64_t batch;
    struct ggml_tensor *visible;       /* linear: 1 where a key is seen, 0 elsewhere; may be NULL */
    struct ggml_tensor *probabilities; /* [keys, queries, heads, batch] */
} composed_notes;

/* --- layouts --- */

/* [width, heads, batch * length] -> [width, length, heads, batch]. */
static struct ggml_tensor *by_head(struct ggml_context *context, struct ggml_tensor *x,
                                   int64_t batch)
{
    const int64_t length = x->ne[2] / batch;
    return ggml_cont(context,
                     ggml_permute(context,
                                  ggml_reshape_4d(context, x, x->ne[0], x->ne[1], length, batch), 0,
                                  2, 1, 3));
}

/* All heads along one axis, which a card multiplies at once. */
static struct ggml_tensor *in_a_row(struct ggml_context *context, struct ggml_tensor *x)
{
    return ggml_reshape_3d(context, x, x->ne[0], x->ne[1], x->ne[2] * x->ne[3]);
}

/* The way back: [width, heads, batch * length]. */
static struct ggml_tensor *by_token(struct ggml_context *context, struct ggml_tensor *x)
{
    struct ggml_tensor *turned = ggml_cont(context, ggml_permute(context, x, 0, 2, 1, 3));
    return ggml_reshape_3d(context, turned, x->ne[0], x->ne[2], x->ne[1] * x->ne[3]);
}

/* Heads in a row as [.., .., kv_heads, batch], each the sum over its query heads. */
static struct ggml_tensor *sum_groups(struct ggml_context *context, struct ggml_tensor *x,
                                      int64_t kv_heads, int64_t batch)
{
    const int64_t n0 = x->ne[0], n1 = x->ne[1], heads = kv_heads * batch, group = x->ne[2] / heads;
    if (group > 1) {
        struct ggml_tensor *groups = ggml_reshape_3d(context, x, n0 * n1, group, heads);
        struct ggml_tensor *shape =
            ggml_view_3d(context, groups, n0 * n1, 1, heads, groups->nb[1], groups->nb[2], 0);
        x = ggml_repeat_back(context, groups, shape);
    }
    return ggml_reshape_4d(context, x, n0, n1, kv_heads, batch);
}

/* --- who sees whom --- */

static void fill_causal(float *out, int64_t keys, int64_t queries, float hidden)
{
    for (int64_t q = 0; q < queries; q++)
        for (int64_t k = 0; k < keys; k++) out[q * keys + k] = k > q ? hidden : 0.0f;
}

/* -INFINITY where key < first[query]: log(1 - step(first - key - 1/2)); [keys, queries, 1, batch].
 */
static struct ggml_tensor *first_mask(struct ggml_context *context, const icl_value *first,
                                      int64_t batch)
{
    const int64_t length = ggml_nelements(first->tensor) / batch;
    struct ggml_tensor *numbers = ggml_cast(context, first->tensor, GGML_TYPE_F32);
    numbers = ggml_repeat_4d(context, ggml_reshape_4d(context, numbers, 1, length, 1, batch),
                             length, length, 1, batch);
    struct ggml_tensor *keys = ggml_arange(context, 0.5f, (float)length + 0.5f, 1.0f);
    struct ggml_tensor *hidden = ggml_step(context, ggml_sub(context, numbers, keys));
    return ggml_log(context, ggml_scale_bias(context, hidden, -1.0f, 1.0f));
}

/* Everything that is added to the scores: [keys, queries, 1, 1 or batch]; NULL: nothing. */
static struct ggml_tensor *score_mask(icl_graph *graph, const icl_attention_options *options,
                                      int64_t length)
{
    struct ggml_context *context = icl_graph_context(graph);
    struct ggml_tensor *mask = NULL;
    if (options->first != NULL) mask = first_mask(context, options->first, options->batch);
    if (options->bias != NULL) {
        struct ggml_tensor *bias =
            ggml_reshape_4d(context, options->bias->tensor, length, length, 1,
                            ggml_nelements(options->bias->tensor) / (length * length));
        if (mask == NULL)
            mask = bias;
        else
            mask = ggml_can_repeat(bias, mask) ? ggml_add(context, mask, bias)
                                               : ggml_add(context, bias, mask);
    }
    if (options->causal) {
        struct ggml_tensor *causal =
            icl_graph_constant(graph, length, length, fill_causal, -INFINITY);
        mask = mask == NULL ? causal : ggml_add(context, mask, causal);
    }
    return mask;
}

/* --- gradients --- */

static void add_bias_gradient(icl_graph *graph, icl_value *bias, struct ggml_tensor *dscores)
{
    struct ggml_context *context = icl_graph_context(graph);
    const int64_t length = dscores->ne[0];
    struct ggml_tensor *shape = ggml_reshape_4d(context, bias->tensor, length, length, 1,
                                                ggml_nelements(bias->tensor) / (length * length));
    icl_gradient_add(
        graph, bias,
        ggml_reshape(context, ggml_repeat_back(context, dscores, shape), bias->tensor));
}

/* Of the scores before scaling, from that of the probabilities. */
static struct ggml_tensor *score_gradient(icl_graph *graph, icl_value *out,
                                          struct ggml_tensor *dprobabilities)
{
    struct ggml_context *context = icl_graph_context(graph);
    const composed_notes *notes = icl_value_notes(composed_notes, out);
    icl_value *bias = out->parents[ICL_ATTENTION_BIAS];
    struct ggml_tensor *dscores = dprobabilities;
    if (!notes->linear)
        dscores = ggml_soft_max_ext_back(context, dscores, notes->probabilities, 1.0f, 0.0f);
    else if (notes->visible != NULL)
        dscores = ggml_mul(context, dscores, notes->visible);
    if (bias != NULL && bias->needs_gradient) add_bias_gradient(graph, bias, dscores);
    return ggml_scale(context, dscores, notes->scale);
}

static void backward(icl_graph *graph, icl_value *out)
{
    struct ggml_context *context = icl_graph_context(graph);
    const composed_notes *notes = icl_value_notes(composed_notes, out);
    icl_value *qv = out->parents[ICL_ATTENTION_Q], *kv = out->parents[ICL_ATTENTION_K];
    icl_value *vv = out->parents[ICL_ATTENTION_V];
    const int64_t kv_heads = kv->tensor->ne[1], batch = notes->batch;
    struct ggml_tensor *q = by_head(context, qv->tensor, batch);
    struct ggml_tensor *k = by_head(context, kv->tensor, batch);
    struct ggml_tensor *v = by_head(context, vv->tensor, batch);
    struct ggml_tensor *dout =
        by_head(context, ggml_reshape(context, out->gradient, qv->tensor), batch);

    struct ggml_tensor *dscores = score_gradient(graph, out, ggml_mul_mat(context, v, dout));
    dscores = in_a_row(context, dscores);
    struct ggml_tensor *dv =
        ggml_out_prod(context, in_a_row(context, dout), in_a_row(context, notes->probabilities));
    struct ggml_tensor *dq =
        ggml_out_prod(context, in_a_row(context, k), ggml_transpose(context, dscores));
    struct ggml_tensor *dk = ggml_out_prod(context, in_a_row(context, q), dscores);
    dq = ggml_reshape(context, dq, q);
    icl_gradient_add(graph, qv, by_token(context, dq));
    icl_gradient_add(graph, kv, by_token(context, sum_groups(context, dk, kv_heads, batch)));
    icl_gradient_add(graph, vv, by_token(context, sum_groups(context, dv, kv_heads, batch)));
    icl_graph_count_flops(graph, 2 * out->flops);
}

/* --- forward --- */

icl_value *icl_attention_composed(icl_graph *graph, icl_value *q, icl_value *k, icl_value *v,
                                  const icl_attention_options *options, float scale)
{
    struct ggml_context *context = icl_graph_context(graph);
    const int64_t length = q->tensor->ne[2] / options->batch;
    assert(!options->linear || options->bias == NULL || !options->bias->needs_gradient);
    composed_notes notes = { .linear = options->linear, .scale = scale, .batch = options->batch };
    struct ggml_tensor *mask = score_mask(graph, options, length);
    struct ggml_tensor *scores = ggml_mul_mat(context, by_head(context, k->tensor, options->batch),
                                              by_head(context, q->tensor, options->batch));
    if (!options->linear) {
        notes.probabilities = ggml_soft_max_ext(context, scores, mask, scale, 0.0f);
    } else {
        notes.probabilities = ggml_scale(context, scores, scale);
        if (mask != NULL) {
            notes.visible = ggml_exp(context, mask);
            notes.probabilities = ggml_mul(context, notes.probabilities, notes.visible);
        }
    }
    struct ggml_tensor *values = by_head(context, v->tensor, options->batch);
    values = ggml_cont(context, ggml_transpose(context, values));
    struct ggml_tensor *tensor =
        by_token(context, ggml_mul_mat(context, values, notes.probabilities));
    tensor = ggml_reshape_2d(context, tensor, tensor->ne[0] * tensor->ne[1], tensor->ne[2]);
    icl_value *out =
        icl_graph_push_of(graph, tensor, backward, q, k, v, options->first, options->bias);
    *icl_value_notes(composed_notes, out) = notes;
    return out;
}

struct ggml_tensor *icl_attention_composed_scores(icl_value *attention)
{
    struct ggml_tensor *probabilities = icl_value_notes(composed_notes, attention)->probabilities;
    assert(probabilities != NULL);
    return probabilities;
}
