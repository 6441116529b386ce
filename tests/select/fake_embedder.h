/* tests/select/fake_embedder.h - sentence vectors of texts that hang on their bytes alone. */
#ifndef TESTS_SELECT_FAKE_EMBEDDER_H
#define TESTS_SELECT_FAKE_EMBEDDER_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "select/embedder.h"

/* A unit vector for each text; user: the size of a vector, a size_t. */
static inline icl_status fake_embed(void *user, float *out, const char *const *texts, size_t count)
{
    const size_t size = *(const size_t *)user;
    for (size_t i = 0; i < count; i++) {
        icl_hash_state state;
        icl_hash_begin(&state);
        icl_hash_add(&state, texts[i], strlen(texts[i]) + 1);
        uint64_t hash = icl_hash_end(&state).low;
        double squares = 0;
        for (size_t c = 0; c < size; c++) {
            hash = hash * 6364136223846793005u + 1442695040888963407u;
            out[i * size + c] = (float)(hash >> 40) / (float)(1 << 23) - 1;
            squares += (double)out[i * size + c] * (double)out[i * size + c];
        }
        for (size_t c = 0; c < size; c++) out[i * size + c] /= (float)sqrt(squares + 1e-30);
    }
    return ICL_OK;
}

#endif
