/* learn/checkpoint.h - everything that training needs to go on, in one atomically written GGUF
 * file: weights, AdamW moments, counters and the recipe's fingerprint. */
#ifndef ICL_LEARN_CHECKPOINT_H
#define ICL_LEARN_CHECKPOINT_H

#include "learn/parameters.h"

typedef struct icl_checkpoint {
    uint64_t step;           /* of the whole run */
    uint64_t schedule_steps, adam_steps; /* of the optimizer */
    uint64_t sequences_drawn; /* position in the data order */
    uint64_t tokens_seen;
    char recipe[40];          /* hexadecimal fingerprint of what must not change on resuming */
} icl_checkpoint;

/* Readers see the old file or the new one, never a part. ICL_EIO. */
icl_status icl_checkpoint_save(const char *path, const icl_parameters *parameters,
                               const icl_checkpoint *state);
/* Into allocated parameters of the same names and shapes. ICL_EINVAL: the file is of another shape
 * (the sentence names the first weight that differs); ICL_EPARSE: damaged. On failure nothing has
 * changed. */
icl_status icl_checkpoint_load(icl_checkpoint *out, icl_parameters *parameters, const char *path);

#endif
