/* pipeline/vector_cache.h - sentence vectors that outlive the process.
 *
 *   icl_vector_cache *cache = NULL;
 *   if (icl_vector_cache_open(&cache, &options) != ICL_OK) cache = NULL; // then nothing is found
 *   icl_vector_cache_get(cache, vectors, found, texts, count);
 *   icl_vector_cache_put(cache, made, made_texts, made_count);
 *   icl_vector_cache_close(cache);
 *
 * One SQLite file that any number of processes share; killing one of them does it no harm. Without
 * it work is only slower, so it never stops any: what cannot be read is not found, and after a
 * first failure nothing is tried again. A vector that is found has the bytes that were put.
 */
#ifndef ICL_PIPELINE_VECTOR_CACHE_H
#define ICL_PIPELINE_VECTOR_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "base/hash.h"

typedef struct icl_vector_cache icl_vector_cache;

typedef struct icl_vector_cache_options {
    const char *path;    /* made where it is missing, with its folder */
    icl_hash128 encoder; /* of all that decides a text's vector besides the text */
    size_t vector_size;
    size_t bytes_max; /* of the file, about; then the vectors that were put first make room */
} icl_vector_cache_options;

/* A damaged file is set aside as "PATH.damaged". ICL_EIO: there is no file to be had;
 * ICL_ENOMEM. */
icl_status icl_vector_cache_open(icl_vector_cache **out, const icl_vector_cache_options *options);
void icl_vector_cache_close(icl_vector_cache *cache);

/* out [count][vector_size] is filled where found [count]. `cache` may be NULL. */
void icl_vector_cache_get(icl_vector_cache *cache, float *out, bool *found,
                          const char *const *texts, size_t count);
/* vectors [count][vector_size]. `cache` may be NULL. */
void icl_vector_cache_put(icl_vector_cache *cache, const float *vectors, const char *const *texts,
                          size_t count);

#endif
