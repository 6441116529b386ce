/* learn/op_attention.h - between the two forms of attention. */
#ifndef ICL_LEARN_OP_ATTENTION_H
#define ICL_LEARN_OP_ATTENTION_H

#include "learn/graph_internal.h"

/* Order of an attention's parents, in both forms; the last two are NULL where there are none. */
enum { ICL_ATTENTION_Q, ICL_ATTENTION_K, ICL_ATTENTION_V, ICL_ATTENTION_FIRST, ICL_ATTENTION_BIAS };

/* Composed of ggml's operations: any option, linear attention, gradient of the bias. */
icl_value *icl_attention_composed(icl_graph *graph, icl_value *q, icl_value *k, icl_value *v,
                                  const icl_attention_options *options, float scale);
/* Probabilities that a composed attention computed. */
struct ggml_tensor *icl_attention_composed_scores(icl_value *attention);

#endif
