/* pipeline/text_vectors.h - the vectors that a selector compares, made by the sentence encoder.
 *
 *   icl_text_vectors vectors = { 0 };
 *   status = icl_text_vectors_make(&vectors, &(icl_text_vectors_source){ ... }, card->needs);
 *   icl_text_vectors_serve(&selecting, &vectors);
 *   ... icl_select_run ...
 *   icl_text_vectors_deinit(&vectors);
 */
#ifndef ICL_PIPELINE_TEXT_VECTORS_H
#define ICL_PIPELINE_TEXT_VECTORS_H

#include <stdatomic.h>

#include "select/embedder.h"
#include "select/select.h"

/* Everything is borrowed. */
typedef struct icl_text_vectors_source {
    const char *encoder_path; /* NULL: the encoder that comes with the program */
    const char *cache_path;   /* of sentence vectors made before; NULL: none */
    int thread_count;         /* 0: free physical cores */
    const char *const *pool_texts, *const *query_texts;
    size_t pool_count, query_count;
    const atomic_bool *cancelled; /* may be NULL */
} icl_text_vectors_source;

/* Token vectors that are owned. */
typedef struct icl_token_rows {
    size_t *first; /* [count + 1] */
    int32_t *ids;
    float *vectors;
} icl_token_rows;

typedef struct icl_text_vectors {
    size_t size;
    char *encoder_identity;                   /* NULL: no encoder was needed */
    float *pool, *queries;                    /* NULL unless sentence vectors are needed */
    icl_token_rows pool_tokens, query_tokens; /* empty unless token vectors are needed */
    struct icl_encoder *encoder; /* kept open where texts made later are embedded, else NULL */
    icl_embedder embedder;       /* by it */
} icl_text_vectors;

/* Makes those that `needs` names, of ICL_NEEDS_EMBEDDINGS and ICL_NEEDS_TOKEN_VECTORS; without
 * either it opens no encoder; with sentence vectors and ICL_NEEDS_GENERATION it keeps it open.
 * ICL_EINVAL, before any is made, where token vectors exceed the memory that is free: 4 bytes times
 * the vector's size for every token, and the message says how many. ICL_ENOMEM; ICL_ECANCELLED;
 * what icl_encoder_open says. *out is yours: icl_text_vectors_deinit, on failure untouched. */
icl_status icl_text_vectors_make(icl_text_vectors *out, const icl_text_vectors_source *source,
                                 unsigned needs);
void icl_text_vectors_deinit(icl_text_vectors *vectors);

/* Points the input's vectors here. */
void icl_text_vectors_serve(icl_select_input *input, const icl_text_vectors *vectors);

#endif
