/* model/attention_exact.h - attention whose result for a token depends on what the token sees and
 * on nothing else: not on which cells of the shared cache hold its context, nor on the tokens that
 * happen to share the call. Stock kernels differ in the last bits; see docs/adr/0002. */
#ifndef ICL_MODEL_ATTENTION_EXACT_H
#define ICL_MODEL_ATTENTION_EXACT_H

#include <stdbool.h>

/* Registers the kernel with ggml as an accelerator device that takes the FLASH_ATTN_EXT operations
 * it supports (causal masks without ALiBi, soft-capping or sinks; f16 or f32 keys and values in host
 * memory). Idempotent. Returns false when this build has no access to ggml's device interface. */
bool icl_attention_exact_register(void);

/* Threads of contexts created from now on; at least 1. */
void icl_attention_exact_set_threads(int thread_count);

#endif
