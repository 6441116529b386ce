/* Cross-entropy with one target for each row. */
#include "learn/graph_internal.h"

#include <assert.h>

#include "learn/kernel_rows.h"

/* Rows that a thread takes at once. */
enum { CHUNK_ROWS = 16 };

typedef struct entropy_notes {
    struct ggml_tensor *weights;  /* normalised, [rows] */
    struct ggml_tensor *rows;     /* fused: losses, then log sums, [2 rows] */
    struct ggml_tensor *expected; /* composed: weights at the targets, [classes, rows] */
} entropy_notes;

/* --- fused --- */

static void run_rows(struct ggml_tensor *out, const icl_crew *crew, const void *notes)
{
    (void)notes;
    const struct ggml_tensor *logits = out->src[0];
    const int32_t *targets = out->src[1]->data;
    const float *weights = out->src[2]->data;
    const int64_t classes = logits->ne[0], rows = logits->ne[1];
    float *nll = out->data, *log_sums = nll + rows;
    const int64_t chunks = (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
    for (int64_t c; (c = icl_crew_take(crew, chunks)) < chunks;) {
        for (int64_t r = c * CHUNK_ROWS; r < rows && r < (c + 1) * CHUNK_ROWS; r++) {
            nll[r] = log_sums[r] = 0.0f;
            if (weights[r] < 0.0f || weights[r] > 0.0f)
                icl_row_cross_entropy(&nll[r], &log_sums[r],
                                      (const float *)logits->data + r * classes, classes,
                                      targets[r]);
        }
    }
}

static void gradient_row(struct ggml_tensor *out, int64_t row)
{
    const struct ggml_tensor *before = out->src[0], *logits = out->src[1];
    const int32_t target = ((const int32_t *)out->src[2]->data)[row];
    const float log_sum = ((const float *)out->src[4]->data)[logits->ne[1] + row];
    const float weight =
        ((const float *)out->src[3]->data)[row] * *(const float *)out->src[5]->data;
    const int64_t at = row * logits->ne[0];
    icl_row_cross_entropy_gradient(
        (float *)out->data + at, before != NULL ? (const float *)before->data + at : NULL,
        (const float *)logits->data + at, log_sum, weight, logits->ne[0], target);
}

static void run_gradient(struct ggml_tensor *out, const icl_crew *crew, const void *notes)
{
    (void)notes;
    const int64_t rows = out->ne[1];
    const int64_t chunks = (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
    for (int64_t c; (c = icl_crew_take(crew, chunks)) < chunks;)
        for (int64_t r = c * CHUNK_ROWS; r < rows && r < (c + 1) * CHUNK_ROWS; r++)
            gradient_row(out, r);
}

static void backward_fused(icl_graph *graph, icl_value *loss)
{
    icl_value *logits = loss->parents[0], *targets = loss->parents[1];
    const entropy_notes *notes = icl_value_notes(entropy_notes, loss);
    struct ggml_tensor *sources[] = { logits->tensor, targets->tensor, notes->weights, notes->rows,
                                      loss->gradient };
    icl_gradient_kernel_over(graph, logits, sources, 5, run_gradient, NULL);
}

static struct ggml_tensor *forward_fused(icl_graph *graph, entropy_notes *notes,
                                         const icl_value *logits, const icl_value *targets)
{
    struct ggml_context *context = icl_graph_context(graph);
    const int64_t rows = logits->tensor->ne[1];
    struct ggml_tensor *sources[] = { logits->tensor, targets->tensor, notes->weights };
    notes->rows =
        icl_kernel_node(graph, (int64_t[]){ 2 * rows, 1, 1, 1 }, sources, 3, run_rows, NULL);
    struct ggml_tensor *nll = ggml_view_1d(context, notes->rows, rows, 0);
    return ggml_sum(context, ggml_mul(context, nll, notes->weights));
}

/* --- composed --- */

/* softmax(logits) times each row's weight, less the weight at the target. */
static void backward_composed(icl_graph *graph, icl_value *loss)
{
    struct ggml_context *context = icl_graph_context(graph);
    icl_value *logits = loss->parents[0];
    const entropy_notes *notes = icl_value_notes(entropy_notes, loss);
    const int64_t rows = logits->tensor->ne[1];
    struct ggml_tensor *weights = ggml_reshape_2d(context, notes->weights, 1, rows);
    struct ggml_tensor *gradient =
        ggml_mul(context, ggml_soft_max(context, logits->tensor), weights);
    gradient = ggml_sub(context, gradient, notes->expected);
    icl_gradient_add(graph, logits, ggml_mul(context, gradient, loss->gradient));
}

static struct ggml_tensor *forward_composed(icl_graph *graph, entropy_notes *notes,
                                            const icl_value *logits, const icl_value *targets)
{
    struct ggml_context *context = icl_graph_context(graph);
    const int64_t classes = logits->tensor->ne[0], rows = logits->tensor->ne[1];
    struct ggml_tensor *zero =
        ggml_fill(context, ggml_new_tensor_3d(context, GGML_TYPE_F32, 1, classes, rows), 0.0f);
    struct ggml_tensor *expected =
        ggml_set_rows(context, zero, ggml_reshape_3d(context, notes->weights, 1, 1, rows),
                      ggml_reshape_2d(context, targets->tensor, 1, rows));
    notes->expected = ggml_reshape_2d(context, expected, classes, rows);
    /* ggml takes the mean over rows. */
    return ggml_scale(context, ggml_cross_entropy_loss(context, logits->tensor, notes->expected),
                      (float)rows);
}

icl_value *icl_loss_cross_entropy(icl_graph *graph, icl_value *logits, icl_value *targets,
                                  icl_value *weights, float norm_value)
{
    const bool fused = icl_graph_fused(graph);
    assert(logits->tensor->ne[2] == 1 && ggml_nelements(targets->tensor) == logits->tensor->ne[1]);
    assert(ggml_nelements(weights->tensor) == logits->tensor->ne[1]);
    entropy_notes notes = { .weights = icl_normalised_weights(graph, weights, norm_value) };
    struct ggml_tensor *tensor =
        (fused ? forward_fused : forward_composed)(graph, &notes, logits, targets);
    icl_value *loss = icl_graph_push_of(graph, tensor, fused ? backward_fused : backward_composed,
                                        logits, targets, icl_op_detach(graph, weights));
    *icl_value_notes(entropy_notes, loss) = notes;
    return loss;
}
