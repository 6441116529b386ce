/* learn/graph.h - a differentiable computation on ggml: built once, run for every batch.
 *
 *   icl_graph *graph = NULL;
 *   icl_status status = icl_graph_new(&graph, parameters);
 *   icl_value *ids = icl_graph_input_ids(graph, "tokens", token_count);
 *   icl_value *x = icl_op_rows(graph, icl_graph_parameter(graph, embedding), ids);
 *   ...
 *   icl_graph_add_loss(graph, "answers", loss, 1.0f);
 *   status = icl_graph_finish(graph, true);             (builds the backward part, allocates)
 *   icl_graph_set_ids(graph, ids, tokens);
 *   status = icl_graph_run(graph);                      (gradients are ADDED to the parameters')
 *   float loss_nats = icl_graph_scalar(graph, loss);
 *
 * Operations never fail one by one: the first failure (out of memory, shapes that do not fit) is
 * kept and icl_graph_finish returns it. A shape that does not fit is a programmer's error (assert).
 * Shapes are ggml's: ne[0] is the fastest running dimension. Activations are [width, tokens].
 * Gradient nodes are built only towards values that need them: a frozen weight costs none.
 */
#ifndef ICL_LEARN_GRAPH_H
#define ICL_LEARN_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#include "learn/parameters.h"

struct ggml_tensor;

typedef struct icl_graph icl_graph;
typedef struct icl_value icl_value; /* a node; borrowed from its graph */

/* --- building --- */

icl_status icl_graph_new(icl_graph **out, icl_parameters *parameters);
void icl_graph_free(icl_graph *graph);

/* Inputs, filled before each run. `rows` 1 makes a vector. `wants_gradient`: the gradient with
 * respect to it can be read after a run (icl_graph_get_gradient). */
icl_value *icl_graph_input(icl_graph *graph, const char *name, int64_t width, int64_t rows,
                           bool wants_gradient);
icl_value *icl_graph_input_ids(icl_graph *graph, const char *name, int64_t count); /* int32 */
icl_value *icl_graph_parameter(icl_graph *graph, size_t index);
/* Passes the value, stops the gradient. */
icl_value *icl_op_detach(icl_graph *graph, icl_value *x);
/* Keeps a value readable after a run (icl_graph_get). */
void icl_graph_keep(icl_graph *graph, icl_value *x);

/* Adds weight * loss to what is differentiated. `loss` has one number. The name is for reports. */
void icl_graph_add_loss(icl_graph *graph, const char *name, icl_value *loss, float weight);

/* Builds the backward part (when asked for), plans memory and allocates it. ICL_EUNSUPPORTED: the
 * device lacks an operation. */
icl_status icl_graph_finish(icl_graph *graph, bool backward);
/* Bytes of intermediate results of a finished graph. */
uint64_t icl_graph_bytes(const icl_graph *graph);
/* Floating point operations of its products and attention, forward and backward. */
double icl_graph_flops(const icl_graph *graph);

/* --- running --- */

void icl_graph_set(icl_graph *graph, icl_value *input, const float *values);
void icl_graph_set_ids(icl_graph *graph, icl_value *input, const int32_t *ids);
/* Forward, and backward when the graph has it. ICL_ECANCELLED is never returned: a step is short.
 * ICL_EMODEL: the back end failed. */
icl_status icl_graph_run(icl_graph *graph);
float icl_graph_scalar(const icl_graph *graph, const icl_value *value);
void icl_graph_get(const icl_graph *graph, const icl_value *value, float *out);
void icl_graph_get_gradient(const icl_graph *graph, const icl_value *input, float *out);
/* Dimension `axis` (0..3) of a value. */
int64_t icl_value_size(const icl_value *value, size_t axis);

/* --- operations; every one has a gradient and a finite-difference test --- */

/* a + b, a * b; b may be smaller and is then repeated over whole multiples (a bias, a gain). */
icl_value *icl_op_add(icl_graph *graph, icl_value *a, icl_value *b);
icl_value *icl_op_multiply(icl_graph *graph, icl_value *a, icl_value *b);
icl_value *icl_op_scale(icl_graph *graph, icl_value *x, float factor);
/* Linear map: y[out, n] = for each of n rows x[in], weight[in, out] . x. */
icl_value *icl_op_linear(icl_graph *graph, icl_value *weight, icl_value *x);
/* Rows of table[width, count] by ids[n]: [width, n]. Of a value too, not only of a parameter. */
icl_value *icl_op_rows(icl_graph *graph, icl_value *table, icl_value *ids);
/* The rows of a, then those of b: [width, a + b]. */
icl_value *icl_op_concat_rows(icl_graph *graph, icl_value *a, icl_value *b);
icl_value *icl_op_reshape(icl_graph *graph, icl_value *x, int64_t n0, int64_t n1, int64_t n2,
                          int64_t n3);
/* Root-mean-square normalisation of each row times gain[width] (Zhang and Sennrich 2019). */
icl_value *icl_op_rms_norm(icl_graph *graph, icl_value *x, icl_value *gain, float epsilon);
/* Layer normalisation; bias may be NULL (Ba et al. 2016). */
icl_value *icl_op_layer_norm(icl_graph *graph, icl_value *x, icl_value *gain, icl_value *bias,
                             float epsilon);
/* Rows divided by their Euclidean length. */
icl_value *icl_op_unit_rows(icl_graph *graph, icl_value *x, float epsilon);
icl_value *icl_op_silu_gate(icl_graph *graph, icl_value *gate, icl_value *up); /* silu(gate) * up */
icl_value *icl_op_gelu(icl_graph *graph, icl_value *x); /* the tanh form of GPT-2 */
icl_value *icl_op_relu(icl_graph *graph, icl_value *x);
/* Rotary positions (Su et al. 2021). x[head_width, heads, tokens], positions int32[tokens].
 * neox: pairs (i, i + half); else neighbours (2i, 2i + 1), which is what GGUF's "llama" expects. */
icl_value *icl_op_rope(icl_graph *graph, icl_value *x, icl_value *positions, float base, bool neox);

/* Who sees whom. */
typedef struct icl_attention_options {
    float scale;      /* of the scores; 0: 1 / sqrt(head width) */
    int64_t batch;    /* sequences in the batch: tokens = batch * length */
    bool causal;      /* token i sees tokens 0..i of its sequence; else all */
    bool linear;      /* no softmax: out_i = sum_j scale (q_i . k_j) v_j over what it sees */
    icl_value *first; /* int32[tokens] or NULL: token i sees no token before this index of its
                         sequence. Packs short sequences side by side. */
    icl_value *bias;  /* [length keys, length queries] or [.., .., 1, batch], added to the scores;
                         -INFINITY hides. NULL: none. May need a gradient; with `linear` it is
                         a mask of 0 and -INFINITY. */
    bool keep_scores; /* probabilities can be read (icl_attention_scores) */
} icl_attention_options;

/* q[head_width, heads, tokens], k and v[head_width, kv_heads, tokens]; kv_heads divides heads
 * (grouped queries). Returns [head_width * heads, tokens]. */
icl_value *icl_op_attention(icl_graph *graph, icl_value *q, icl_value *k, icl_value *v,
                            const icl_attention_options *options);
/* What it mixed the values by, [length keys, length queries, heads, batch]; needs keep_scores. */
icl_value *icl_attention_scores(icl_graph *graph, icl_value *attention);

/* --- losses, one number each --- */

/* Weighted mean of -log softmax(logits)[target] over rows, in nats: sum(w * nll) / norm.
 * logits[classes, n], targets int32[n], weights[n]. A row of weight 0 gives exactly zero gradient;
 * `norm` is sum of weights, or `norm_value` when that is > 0. */
icl_value *icl_loss_cross_entropy(icl_graph *graph, icl_value *logits, icl_value *targets,
                                  icl_value *weights, float norm_value);
/* Weighted mean over rows of the mean squared difference. x, target [width, n], weights[n]. */
icl_value *icl_loss_mse(icl_graph *graph, icl_value *x, icl_value *target, icl_value *weights);
/* Weighted mean over rows of KL(softmax(teacher / t) || softmax(student / t)), nats; the teacher
 * gets no gradient. Hinton et al. 2015. */
icl_value *icl_loss_kl(icl_graph *graph, icl_value *student, icl_value *teacher, icl_value *weights,
                       float temperature);
/* InfoNCE with several positives (Oord et al. 2018; Khosla et al. 2020): queries[width, n],
 * candidates[width, m], positives[m, n] with rows that sum to 1; mean over the n queries of
 * -sum_j positives_j log softmax(candidates . query / temperature)_j. Both sides get gradients. */
icl_value *icl_loss_contrastive(icl_graph *graph, icl_value *queries, icl_value *candidates,
                                icl_value *positives, float temperature);

#endif
