/* train/range.h - "2-8": a whole number that is drawn anew for every sequence. */
#ifndef ICL_TRAIN_RANGE_H
#define ICL_TRAIN_RANGE_H

#include <stddef.h>

#include <icl/status.h>

#include "base/card.h"
#include "base/rng.h"

typedef struct icl_range {
    size_t low, high; /* both may be drawn */
} icl_range;

/* "4" or "2-8", within minimum..maximum. ICL_EINVAL says what is wrong with the text. */
icl_status icl_range_parse(icl_range *out, const char *text, size_t minimum, size_t maximum);
/* A text option by its card's minimum and maximum. */
icl_status icl_range_read(icl_range *out, const icl_options *options, const char *name);
size_t icl_range_draw(icl_range range, icl_rng *rng);

#endif
