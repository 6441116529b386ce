/* model/exact_kernels.h - the operations of the exact device. `dst` is a ggml operation with its
 * sources; all data lie in host memory. */
#ifndef ICL_MODEL_EXACT_KERNELS_H
#define ICL_MODEL_EXACT_KERNELS_H

#ifdef ICL_HAVE_GGML_INTERNAL

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ggml.h>

#include "model/worker_pool.h"

/* Attention with a causal mask, without ALiBi, soft-capping or sinks; keys and values f16 or f32.
 */
bool icl_exact_attention_supports(const struct ggml_tensor *op);
bool icl_exact_attention_run(icl_worker_pool *pool,
                             const struct ggml_tensor *dst); /* false: memory */

/* Whether this is the cast of a cache to f16 that the attention reads past. */
bool icl_exact_is_cache_cast(const struct ggml_tensor *tensor);

/* Weights of any type times f32 activations, in f32. */
bool icl_exact_matmul_supports(const struct ggml_tensor *op);
bool icl_exact_matmul_run(icl_worker_pool *pool, const struct ggml_tensor *dst); /* false: memory */

#endif
#endif
