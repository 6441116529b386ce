/* score/score.h - the ways to score the labels of a query, and their cards.
 *
 * A method's card says what is asked and how the answers are normalised; the requests themselves
 * are made by the pipeline, which hands all queries to the engine at once.
 */
#ifndef ICL_SCORE_SCORE_H
#define ICL_SCORE_SCORE_H

#include <stddef.h>

#include <icl/status.h>

#include "base/card.h"
#include "score/normalise.h"

typedef struct icl_score_method {
    icl_card card;
} icl_score_method;

/* log P(y | C, x); its options are read with icl_score_normalise. */
extern const icl_score_method icl_score_direct;

/* All registered methods, and their cards in the same order; static. */
const icl_score_method *const *icl_score_methods(size_t *out_count);
const icl_card *const *icl_score_cards(size_t *out_count);

/* ICL_ENOTFOUND offers the nearest name. */
icl_status icl_score_find(const icl_score_method **out, const char *name);

/* The option `normalise`, which every card of this stage has. */
icl_normalise icl_score_normalise(const icl_options *options);

/* Every card of this stage lists this option first. */
#define ICL_SCORE_OPTION_NORMALISE                                                                 \
    {                                                                                              \
        .name = "normalise", .type = ICL_OPTION_CHOICE, .fallback = "sum",                         \
        .choices = icl_normalise_names,                                                            \
        .help = "divide an answer's log-probability by its tokens, chars, bytes, or not at all"    \
    }

#endif
