/* data/repeats.h - items of a pool whose text an earlier one has already. */
#ifndef ICL_DATA_REPEATS_H
#define ICL_DATA_REPEATS_H

#include <stddef.h>

#include <icl/status.h>

typedef struct icl_repeats {
    size_t count;      /* items with the text of an earlier one */
    size_t relabelled; /* of them with another label than the first item of that text */
} icl_repeats;

/* texts [count]; labels [count], ICL_LABEL_NONE where there is none, which differs from no label.
 * ICL_ENOMEM. */
icl_status icl_repeats_count(icl_repeats *out, const char *const *texts, const size_t *labels,
                             size_t count);

#endif
