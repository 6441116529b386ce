/* learn/kernel_rows.h - operations on rows of activations inside one thread: plain loops that
 * compilers turn into vector code. All matrices are [rows][width], without gaps.
 */
#ifndef ICL_LEARN_KERNEL_ROWS_H
#define ICL_LEARN_KERNEL_ROWS_H

#include <stdbool.h>
#include <stdint.h>

/* y = gain * x / sqrt(mean(x^2) + epsilon). */
void icl_rows_rms_norm(float *y, const float *x, const float *gain, float epsilon, int64_t rows,
                       int64_t width);
/* dx, plus `before` when it is not NULL (it may be dx itself). */
void icl_rows_rms_norm_gradient(float *dx, const float *before, const float *dy, const float *x,
                                const float *gain, float epsilon, int64_t rows, int64_t width);
/* dgain[width] = sum over rows of dy * x / rms. */
void icl_rows_rms_norm_gain(float *dgain, const float *dy, const float *x, float epsilon,
                            int64_t rows, int64_t width);

/* y = silu(gate) * up, and the gradients of both. */
void icl_rows_silu_gate(float *y, const float *gate, const float *up, int64_t count);
void icl_rows_silu_gate_gradient(float *dgate, float *dup, const float *dy, const float *gate,
                                 const float *up, int64_t count);

/* y = gelu(x), the tanh form (Hendrycks and Gimpel 2016), and its gradient. */
void icl_rows_gelu(float *y, const float *x, int64_t count);
void icl_rows_gelu_gradient(float *dx, const float *dy, const float *x, int64_t count);

/* Turns each pair of x[heads][width] by the angles of one token; cosines and sines [width / 2].
 * `back` turns the other way, which is the gradient. */
void icl_rows_rope(float *y, const float *x, const float *cosines, const float *sines,
                   int64_t heads, int64_t width, bool neox, bool back);

/* -log softmax(logits)[target] in nats, and log sum exp(logits). */
void icl_row_cross_entropy(float *nll, float *log_sum, const float *logits, int64_t classes,
                           int32_t target);
/* -sum of expected * log softmax(logits), nats. */
float icl_row_soft_entropy(const float *logits, const float *expected, int64_t classes);
/* weight * (softmax(logits) - onehot(target)), plus `before` when it is not NULL. Weight 0 adds
 * exactly nothing. `out` may be `before` or the logits. */
void icl_row_cross_entropy_gradient(float *out, const float *before, const float *logits,
                                    float log_sum, float weight, int64_t classes, int32_t target);

/* Attention weights of one query over keys: exp(scale * score + bias - log sum), in place; returns
 * log sum. bias may be NULL. Without any visible key the row is zero and the log sum is 0. */
float icl_row_softmax(float *scores, const float *bias, float scale, int64_t count);
/* The same from a known log sum. */
void icl_row_softmax_again(float *scores, const float *bias, float scale, float log_sum,
                           int64_t count);
/* dscores = p * (dp - delta) * scale, into dp. */
void icl_row_softmax_gradient(float *dp, const float *p, float delta, float scale, int64_t count);

float icl_row_dot(const float *a, const float *b, int64_t count);

#endif
