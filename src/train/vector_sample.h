/* train/vector_sample.h - a random run of a pool's items to make classes of in the encoder's space.
 * The pool's order is random already, so a run is a fair sample, and its vectors lie side by side.
 */
#ifndef ICL_TRAIN_VECTOR_SAMPLE_H
#define ICL_TRAIN_VECTOR_SAMPLE_H

#include "train/episode.h"

typedef struct icl_vector_sample {
    const icl_pool *data;
    size_t first, count; /* items first, first + 1, ..., round the end of the vectors */
} icl_vector_sample;

/* ICL_EINVAL: the pool has no vectors, or fewer than `least`. */
icl_status icl_vector_sample_check(const icl_pool *data, const icl_options *options, size_t least);
icl_vector_sample icl_vector_sample_draw(const icl_pool *data, size_t count_max, icl_rng *rng);
size_t icl_vector_sample_item(const icl_vector_sample *sample, size_t place);
/* out[count]: dot products of the items' vectors with that of the item at `place`. */
void icl_vector_sample_dots(float *out, const icl_vector_sample *sample, size_t place);
/* Different places: out[count]; count <= sample->count. */
void icl_vector_sample_places(size_t *out, size_t count, const icl_vector_sample *sample,
                              icl_rng *rng);
/* Makes the items members of an episode; classes[count], ICL_NO_CLASS leaves an item out.
 * *out_enough: every class has an item for the query and one to show. */
#define ICL_NO_CLASS SIZE_MAX
icl_status icl_vector_sample_enrol(icl_episode *episode, const icl_vector_sample *sample,
                                   const size_t *classes, bool *out_enough);
/* For icl_source_kind.needs_vectors: true. */
bool icl_vector_sample_needed(const icl_options *options);

#endif
