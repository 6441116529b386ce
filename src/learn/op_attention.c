/* Attention: which form it takes, and the fused one. */
#include "learn/op_attention.h"

#include <assert.h>
#include <math.h>

#include "learn/kernel_attention.h"

typedef struct fused_notes {
    icl_attention_shape shape;
    struct ggml_tensor *packed; /* out, then log sums */
} fused_notes;

/* Sources of both nodes; first and bias are NULL where there are none. */
enum { SOURCE_Q, SOURCE_K, SOURCE_V, SOURCE_FIRST, SOURCE_BIAS, SOURCE_PACKED, SOURCE_GRADIENT };

static int64_t token_count(const struct ggml_tensor *q)
{
    return q->ne[2];
}

/* Sequence `b` of the sources; `packed` holds results of the forward part. */
static icl_attention_sequence sequence_at(const icl_attention_shape *shape,
                                          struct ggml_tensor *const *sources,
                                          const struct ggml_tensor *packed, int64_t b)
{
    const int64_t first = b * shape->length, width = shape->width;
    const struct ggml_tensor *ids = sources[SOURCE_FIRST], *bias = sources[SOURCE_BIAS];
    const int64_t row = shape->heads * width, kv_row = shape->kv_heads * width;
    float *out = packed->data;
    icl_attention_sequence sequence = {
        .q = (const float *)sources[SOURCE_Q]->data + first * row,
        .k = (const float *)sources[SOURCE_K]->data + first * kv_row,
        .v = (const float *)sources[SOURCE_V]->data + first * kv_row,
        .out = out + first * row,
        .log_sums = out + token_count(sources[SOURCE_Q]) * row + first * shape->heads,
    };
    if (ids != NULL) sequence.first = (const int32_t *)ids->data + first;
    if (bias != NULL)
        sequence.bias =
            (const float *)bias->data + (bias->ne[3] > 1 ? b * shape->length * shape->length : 0);
    return sequence;
}

static void run_forward(struct ggml_tensor *packed, const icl_crew *crew, const void *notes)
{
    const fused_notes *fused = notes;
    const icl_attention_shape *shape = &fused->shape;
    const int64_t units = token_count(packed->src[SOURCE_Q]) / shape->length * shape->heads;
    float *scratch = icl_crew_workspace(crew);
    for (int64_t unit; (unit = icl_crew_take(crew, units)) < units;) {
        const icl_attention_sequence sequence =
            sequence_at(shape, packed->src, packed, unit / shape->heads);
        icl_attention_head(shape, &sequence, unit % shape->heads, scratch);
    }
}

static void run_backward(struct ggml_tensor *slopes, const icl_crew *crew, const void *notes)
{
    const fused_notes *fused = notes;
    const icl_attention_shape *shape = &fused->shape;
    const int64_t tokens = token_count(slopes->src[SOURCE_Q]);
    const int64_t units = tokens / shape->length * shape->kv_heads;
    const int64_t row = shape->heads * shape->width, kv_row = shape->kv_heads * shape->width;
    float *dq = slopes->data, *dk = dq + tokens * row, *dv = dk + tokens * kv_row;
    float *scratch = icl_crew_workspace(crew);
    for (int64_t unit; (unit = icl_crew_take(crew, units)) < units;) {
        const int64_t b = unit / shape->kv_heads, first = b * shape->length;
        const icl_attention_sequence sequence =
            sequence_at(shape, slopes->src, slopes->src[SOURCE_PACKED], b);
        const icl_attention_gradients gradients = {
            .dout = (const float *)slopes->src[SOURCE_GRADIENT]->data + first * row,
            .dq = dq + first * row,
            .dk = dk + first * kv_row,
            .dv = dv + first * kv_row,
        };
        icl_attention_group_gradient(shape, &sequence, &gradients, unit % shape->kv_heads, scratch);
    }
}

static void backward_fused(icl_graph *graph, icl_value *out)
{
    fused_notes *notes = icl_value_notes(fused_notes, out);
    struct ggml_tensor *sources[] = {
        out->parents[ICL_ATTENTION_Q]->tensor,
        out->parents[ICL_ATTENTION_K]->tensor,
        out->parents[ICL_ATTENTION_V]->tensor,
        out->parents[ICL_ATTENTION_FIRST] != NULL ? out->parents[ICL_ATTENTION_FIRST]->tensor
                                                  : NULL,
        out->parents[ICL_ATTENTION_BIAS] != NULL ? out->parents[ICL_ATTENTION_BIAS]->tensor : NULL,
        notes->packed,
        out->gradient,
    };
    int64_t count = 0;
    for (size_t i = ICL_ATTENTION_Q; i <= ICL_ATTENTION_V; i++) count += ggml_nelements(sources[i]);
    struct ggml_tensor *slopes = icl_kernel_node(graph, (int64_t[]){ count, 1, 1, 1 }, sources,
                                                 SOURCE_GRADIENT + 1, run_backward, notes);
    int64_t offset = 0;
    for (size_t i = ICL_ATTENTION_Q; i <= ICL_ATTENTION_V; i++) {
        icl_gradient_add(graph, out->parents[i], icl_slice(graph, slopes, offset, sources[i]));
        offset += ggml_nelements(sources[i]);
    }
    icl_graph_count_flops(graph, 2 * out->flops);
}

static icl_value *attention_fused(icl_graph *graph, icl_value *q, icl_value *k, icl_value *v,
                                  const icl_attention_options *options, float scale)
{
    const struct ggml_tensor *shape = q->tensor;
    fused_notes notes = {
        .shape = { .length = shape->ne[2] / options->batch,
                   .heads = shape->ne[1],
                   .kv_heads = k->tensor->ne[1],
                   .width = shape->ne[0],
                   .scale = scale,
                   .causal = options->causal },
    };
    const int64_t row = shape->ne[0] * shape->ne[1], tokens = shape->ne[2];
    struct ggml_tensor *sources[] = {
        q->tensor,
        k->tensor,
        v->tensor,
        options->first != NULL ? options->first->tensor : NULL,
        options->bias != NULL ? options->bias->tensor : NULL,
    };
    notes.packed =
        icl_kernel_node(graph, (int64_t[]){ (row + shape->ne[1]) * tokens, 1, 1, 1 }, sources,
                        SOURCE_BIAS + 1, run_forward, icl_graph_next_notes(graph));
    icl_graph_want_workspace(graph, icl_attention_scratch(&notes.shape));
    struct ggml_tensor *tensor = ggml_view_2d(icl_graph_context(graph), notes.packed, row, tokens,
                                              (size_t)row * sizeof(float), 0);
    icl_value *out =
        icl_graph_push_of(graph, tensor, backward_fused, q, k, v, options->first, options->bias);
    *icl_value_notes(fused_notes, out) = notes;
    return out;
}

/* Two products over the pairs that see each other; `first` and biases may hide more. */
static double pair_flops(const struct ggml_tensor *q, const icl_attention_options *options)
{
    const double length = (double)(q->ne[2] / options->batch);
    const double pairs = options->causal ? length * (length + 1) / 2 : length * length;
    return 4.0 * pairs * (double)q->ne[0] * (double)q->ne[1] * (double)options->batch;
}

icl_value *icl_op_attention(icl_graph *graph, icl_value *q, icl_value *k, icl_value *v,
                            const icl_attention_options *options)
{
    assert(options->batch > 0 && q->tensor->ne[2] % options->batch == 0);
    assert(ggml_are_same_shape(k->tensor, v->tensor) && q->tensor->ne[0] == k->tensor->ne[0]);
    assert(q->tensor->ne[1] % k->tensor->ne[1] == 0 && q->tensor->ne[2] == k->tensor->ne[2]);
    const float scale = options->scale > 0 ? options->scale : 1.0f / sqrtf((float)q->tensor->ne[0]);
    const bool bias_learns = options->bias != NULL && options->bias->needs_gradient;
    const bool fused =
        icl_graph_fused(graph) && !options->linear && !options->keep_scores && !bias_learns;
    icl_value *out =
        (fused ? attention_fused : icl_attention_composed)(graph, q, k, v, options, scale);
    out->flops = pair_flops(q->tensor, options);
    return out;
}

icl_value *icl_attention_scores(icl_graph *graph, icl_value *attention)
{
    icl_value *scores =
        icl_graph_push_of(graph, icl_attention_composed_scores(attention), NULL, attention);
    icl_graph_keep(graph, scores);
    return scores;
}
