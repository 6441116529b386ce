/* Losses against real numbers and distributions: squared error, KL, contrastive. */
#include "learn/graph_internal.h"

#include <assert.h>
#include <float.h>

#include "learn/kernel_rows.h"

struct ggml_tensor *icl_normalised_weights(icl_graph *graph, const icl_value *weights,
                                           float norm_value)
{
    struct ggml_context *context = icl_graph_context(graph);
    struct ggml_tensor *flat =
        ggml_reshape_1d(context, weights->tensor, ggml_nelements(weights->tensor));
    if (norm_value > 0.0f) return ggml_scale(context, flat, 1.0f / norm_value);
    struct ggml_tensor *sum = ggml_sum(context, flat);
    return ggml_div(context, flat, ggml_clamp(context, sum, FLT_MIN, FLT_MAX));
}

/* --- squared error --- */

typedef struct mse_notes {
    struct ggml_tensor *difference; /* x - target */
    struct ggml_tensor *weighted;   /* the same, times each row's weight / width */
} mse_notes;

static void backward_mse(icl_graph *graph, icl_value *loss)
{
    struct ggml_context *context = icl_graph_context(graph);
    icl_value *x = loss->parents[0], *target = loss->parents[1];
    struct ggml_tensor *weighted = icl_value_notes(mse_notes, loss)->weighted;
    struct ggml_tensor *gradient =
        ggml_mul(context, ggml_scale(context, weighted, 2.0f), loss->gradient);
    if (x->needs_gradient) icl_gradient_add(graph, x, gradient);
    if (target->needs_gradient)
        icl_gradient_add(graph, target, ggml_scale(context, gradient, -1.0f));
}

icl_value *icl_loss_mse(icl_graph *graph, icl_value *x, icl_value *target, icl_value *weights)
{
    struct ggml_context *context = icl_graph_context(graph);
    const int64_t width = x->tensor->ne[0], rows = ggml_nrows(x->tensor);
    assert(ggml_are_same_shape(x->tensor, target->tensor) && x->tensor->ne[2] == 1);
    assert(ggml_nelements(weights->tensor) == rows);
    struct ggml_tensor *normalised =
        ggml_reshape_2d(context, icl_normalised_weights(graph, weights, 0.0f), 1, rows);
    mse_notes notes = { .difference = ggml_sub(context, x->tensor, target->tensor) };
    notes.weighted =
        ggml_mul(context, notes.difference, ggml_scale(context, normalised, 1.0f / (float)width));
    struct ggml_tensor *tensor =
        ggml_sum(context, ggml_mul(context, notes.difference, notes.weighted));
    icl_value *loss =
        icl_graph_push_of(graph, tensor, backward_mse, x, target, icl_op_detach(graph, weights));
    *icl_value_notes(mse_notes, loss) = notes;
    return loss;
}

/* --- cross-entropy against distributions --- */

static void run_soft_entropy(struct ggml_tensor *out, const icl_crew *crew, const void *notes)
{
    (void)notes;
    const struct ggml_tensor *logits = out->src[0], *expected = out->src[1];
    const int64_t classes = logits->ne[0];
    for (int64_t r; (r = icl_crew_take(crew, out->ne[0])) < out->ne[0];)
        ((float *)out->data)[r] =
            icl_row_soft_entropy((const float *)logits->data + r * classes,
                                 (const float *)expected->data + r * classes, classes);
}

/* -sum over rows and classes of expected * log softmax(logits); expected may sum to any weight. */
static struct ggml_tensor *soft_entropy(icl_graph *graph, struct ggml_tensor *logits,
                                        struct ggml_tensor *expected)
{
    struct ggml_context *context = icl_graph_context(graph);
    const int64_t rows = ggml_nrows(logits);
    /* ggml adds up thread by thread, so its bits depend on their number, and takes the mean. */
    if (!icl_graph_fused(graph))
        return ggml_scale(context, ggml_cross_entropy_loss(context, logits, expected), (float)rows);
    struct ggml_tensor *sources[] = { logits, expected };
    return ggml_sum(context, icl_kernel_node(graph, (int64_t[]){ rows, 1, 1, 1 }, sources, 2,
                                             run_soft_entropy, NULL));
}

typedef struct soft_notes {
    struct ggml_tensor *logits; /* as the softmax sees them */
    struct ggml_tensor *expected;
    struct ggml_tensor *weights; /* of the rows, [1, rows]: what each row of expected sums to */
    float temperature;
} soft_notes;

/* Gradient of soft_entropy with respect to its logits, times the loss's own. */
static struct ggml_tensor *soft_gradient(icl_graph *graph, icl_value *loss)
{
    struct ggml_context *context = icl_graph_context(graph);
    const soft_notes *notes = icl_value_notes(soft_notes, loss);
    struct ggml_tensor *gradient =
        ggml_mul(context, ggml_soft_max(context, notes->logits), notes->weights);
    gradient = ggml_sub(context, gradient, notes->expected);
    return ggml_mul(context, gradient, loss->gradient);
}

/* --- KL --- */

static void backward_kl(icl_graph *graph, icl_value *loss)
{
    const soft_notes *notes = icl_value_notes(soft_notes, loss);
    icl_gradient_add(graph, loss->parents[0],
                     ggml_scale(icl_graph_context(graph), soft_gradient(graph, loss),
                                1.0f / notes->temperature));
}

icl_value *icl_loss_kl(icl_graph *graph, icl_value *student, icl_value *teacher, icl_value *weights,
                       float temperature)
{
    struct ggml_context *context = icl_graph_context(graph);
    const int64_t rows = student->tensor->ne[1];
    assert(ggml_are_same_shape(student->tensor, teacher->tensor) && temperature > 0.0f);
    assert(ggml_nelements(weights->tensor) == rows);
    soft_notes notes = { .temperature = temperature };
    notes.weights = ggml_reshape_2d(context, icl_normalised_weights(graph, weights, 0.0f), 1, rows);
    struct ggml_tensor *goal = ggml_scale(context, teacher->tensor, 1.0f / temperature);
    notes.expected = ggml_mul(context, ggml_soft_max(context, goal), notes.weights);
    notes.logits = ggml_scale(context, student->tensor, 1.0f / temperature);
    struct ggml_tensor *tensor =
        ggml_sub(context, soft_entropy(graph, notes.logits, notes.expected),
                 soft_entropy(graph, goal, notes.expected));
    icl_value *loss =
        icl_graph_push_of(graph, tensor, backward_kl, student, icl_op_detach(graph, teacher),
                          icl_op_detach(graph, weights));
    *icl_value_notes(soft_notes, loss) = notes;
    return loss;
}

/* --- contrastive --- */

static void backward_contrastive(icl_graph *graph, icl_value *loss)
{
    icl_gradient_add(graph, loss->parents[0], soft_gradient(graph, loss));
}

icl_value *icl_loss_contrastive(icl_graph *graph, icl_value *queries, icl_value *candidates,
                                icl_value *positives, float temperature)
{
    struct ggml_context *context = icl_graph_context(graph);
    const int64_t rows = queries->tensor->ne[1];
    assert(temperature > 0.0f);
    icl_value *logits =
        icl_op_scale(graph, icl_op_linear(graph, candidates, queries), 1.0f / temperature);
    assert(ggml_are_same_shape(positives->tensor, logits->tensor));
    soft_notes notes = { .logits = logits->tensor };
    notes.expected = ggml_scale(context, positives->tensor, 1.0f / (float)rows);
    notes.weights = ggml_sum_rows(context, notes.expected);
    icl_value *loss =
        icl_graph_push_of(graph, soft_entropy(graph, notes.logits, notes.expected),
                          backward_contrastive, logits, icl_op_detach(graph, positives));
    *icl_value_notes(soft_notes, loss) = notes;
    return loss;
}
