/* select/embedder.h - sentence vectors of texts that a method makes while it selects, by the
 * encoder that made those of pool and queries. */
#ifndef ICL_SELECT_EMBEDDER_H
#define ICL_SELECT_EMBEDDER_H

#include <stddef.h>

#include <icl/status.h>

typedef struct icl_embedder {
    void *user;
    /* out [count][vector_size] of the input: unit vectors, each independent of the other texts. */
    icl_status (*embed)(void *user, float *out, const char *const *texts, size_t count);
} icl_embedder;

#endif
