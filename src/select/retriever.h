/* select/retriever.h - a bi-encoder on frozen sentence vectors, which EPR, UDR, LLM-R and CEIL
 * train on what the language model says of candidates.
 *
 * A query x becomes x + Q x, a demonstration (c, y) becomes c + C c + e_y; its score is the cosine
 * of the two. Q and C are square or diagonal, or one and the same; e_y is there where labels count.
 * All are zero at first, so that an untrained retriever is knn.
 */
#ifndef ICL_SELECT_RETRIEVER_H
#define ICL_SELECT_RETRIEVER_H

#include <stdbool.h>
#include <stddef.h>

#include "math/topk.h"
#include "select/fit.h"
#include "select/select.h"

/* Which parts a retriever has. */
typedef struct icl_retriever_shape {
    size_t vector_size, label_count;
    bool diagonal; /* Q and C are diagonal */
    bool shared;   /* C is Q */
    bool labels;   /* e_y */
} icl_retriever_shape;

/* Weights are borrowed. */
typedef struct icl_retriever {
    icl_retriever_shape shape;
    const float *query_map;   /* [vector_size][vector_size], diagonal: [1][vector_size] */
    const float *context_map; /* the same; shared: query_map */
    const float *offsets;     /* [label_count][vector_size], or NULL */
} icl_retriever;

/* What a full or diagonal map holds: rows x vector_size. */
size_t icl_retriever_map_rows(const icl_retriever_shape *shape);

/* What queries [count][vector_size] become; `cancelled` may be NULL. Each vector by itself, so its
 * bits do not depend on the others. ICL_ECANCELLED. */
icl_status icl_retriever_map_queries(float *out, const icl_retriever *retriever,
                                     const float *vectors, size_t count,
                                     const atomic_bool *cancelled);
/* What the pool's items become as demonstrations: out [pool_count][vector_size]. ICL_ECANCELLED. */
icl_status icl_retriever_map_pool(float *out, const icl_retriever *retriever,
                                  const icl_select_input *input);

/* out [pool_count][count]: the pool items that the retriever finds for each, without itself, best
 * first; count < pool_count. ICL_ECANCELLED; ICL_ENOMEM. */
icl_status icl_retriever_neighbours(icl_scored *out, const icl_retriever *retriever,
                                    const icl_select_input *input, size_t count);

icl_status icl_retriever_save(icl_fit_file *file, const icl_retriever *retriever);
/* ICL_EPARSE: the file's arrays do not fit vectors and labels of the input. Borrows from `file`. */
icl_status icl_retriever_load(icl_retriever *out, const icl_fit_file *file,
                              const icl_select_input *input);

/* An input whose vectors are mapped by the retriever in the file that the options name: nearest
 * neighbours in it are the retriever's choice. */
typedef struct icl_mapped_input {
    icl_select_input input;
    float *pool_vectors, *query_vectors;
} icl_mapped_input;
/* icl_fit_open; ICL_ECANCELLED; ICL_ENOMEM. */
icl_status icl_mapped_input_open(icl_mapped_input *out, const icl_select_input *input,
                                 const icl_options *options);
void icl_mapped_input_close(icl_mapped_input *mapped);

/* `run` of a method that takes the k best of its retriever. */
icl_status icl_retriever_select(icl_selection *out, const icl_select_input *input,
                                const icl_options *options);

#endif
