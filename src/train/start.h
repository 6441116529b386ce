/* train/start.h - start weights: how a model looks before its first step. A start is one file
 * start_<name>.c and one line in starts.def. */
#ifndef ICL_TRAIN_START_H
#define ICL_TRAIN_START_H

#include <stdatomic.h>

#include <icl/model.h>

#include "base/card.h"
#include "learn/bpe.h"
#include "learn/transformer.h"
#include "train/pool.h"

typedef struct icl_start_input {
    icl_transformer *model; /* allocated, already started at random */
    const icl_bpe *bpe;
    icl_encoder *encoder;         /* NULL when the recipe names none */
    const icl_pool *const *pools; /* [pool_count] what it may learn from; some have vectors */
    size_t pool_count;
    uint64_t seed;
    const atomic_bool *cancelled; /* may be NULL */
} icl_start_input;

typedef struct icl_start_kind {
    icl_card card;
    icl_status (*run)(const icl_start_input *input, const icl_options *options);
} icl_start_kind;

const icl_card *const *icl_start_cards(size_t *out_count);
/* ICL_EPARSE, ICL_ENOTFOUND, ICL_EINVAL: what icl_start_run would say of the call alone. */
icl_status icl_start_check(const char *call);
/* Random start, then the called kind. */
icl_status icl_start_run(const char *call, const icl_start_input *input);

#endif
