/* model/exact_device.h - attention and matrix products whose result for a token depends on what the
 * token sees and on nothing else: not on which cells of the shared cache hold its context, nor on
 * the tokens that happen to share the call. Stock kernels differ in the last bits; see
 * docs/adr/0002. */
#ifndef ICL_MODEL_EXACT_DEVICE_H
#define ICL_MODEL_EXACT_DEVICE_H

#include <stdbool.h>

/* Registers the kernels with ggml as an accelerator device. Idempotent. Returns false when this
 * build has no access to ggml's device interface. */
bool icl_exact_device_register(void);

/* Threads of contexts created from now on; at least 1. */
void icl_exact_device_set_threads(int thread_count);

#endif
