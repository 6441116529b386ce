/* learn/kernel_attention.h - exact softmax attention of one sequence inside one thread, in tiles of
 * queries, so that no length x length matrix exists. Keys that the causal order or `first` hides
 * from a whole tile are skipped. The backward part computes the weights again from the saved log
 * sums (Dao et al. 2022).
 */
#ifndef ICL_LEARN_KERNEL_ATTENTION_H
#define ICL_LEARN_KERNEL_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shapes that all sequences of a batch share. A row of q, k, v, out holds all heads of a token. */
typedef struct icl_attention_shape {
    int64_t length, heads, kv_heads, width; /* width of a head */
    float scale;
    bool causal;
} icl_attention_shape;

/* One sequence: pointers to its first token. */
typedef struct icl_attention_sequence {
    const float *q, *k, *v;
    const int32_t *first; /* [length] or NULL */
    const float *bias;    /* [length queries][length keys] or NULL */
    float *out;           /* [length][heads * width] */
    float *log_sums;      /* [heads][length] */
} icl_attention_sequence;

typedef struct icl_attention_gradients {
    const float *dout;
    float *dq, *dk, *dv; /* overwritten */
} icl_attention_gradients;

/* Floats of scratch memory that both functions want. */
size_t icl_attention_scratch(const icl_attention_shape *shape);

void icl_attention_head(const icl_attention_shape *shape, const icl_attention_sequence *sequence,
                        int64_t head, float *scratch);
/* Gradients of all query heads that share a key head, and of that key head. */
void icl_attention_group_gradient(const icl_attention_shape *shape,
                                  const icl_attention_sequence *sequence,
                                  const icl_attention_gradients *gradients, int64_t kv_head,
                                  float *scratch);

#endif
