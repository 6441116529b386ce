/* train/label_set.h - the label words of one episode, as tokens.
 *
 * A label stands behind a blank (" positive") and no two of a set begin with the same token, so the
 * first token of an answer tells the class.
 */
#ifndef ICL_TRAIN_LABEL_SET_H
#define ICL_TRAIN_LABEL_SET_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "base/rng.h"
#include "learn/bpe.h"

enum { ICL_CLASSES_MAX = 64 };

typedef struct icl_label_set {
    icl_tokens tokens;
    size_t starts[ICL_CLASSES_MAX + 1]; /* label i: tokens starts[i]..starts[i + 1]-1 */
    size_t count;
} icl_label_set;

void icl_label_set_clear(icl_label_set *set); /* keeps memory */
void icl_label_set_deinit(icl_label_set *set);
const int32_t *icl_label_set_tokens(const icl_label_set *set, size_t label, size_t *out_count);

/* *out_added is false when another label of the set begins with the same token. */
icl_status icl_label_set_add(icl_label_set *set, const icl_bpe *bpe, const char *word,
                             bool *out_added);
/* Exchanges the labels so that none keeps its place; count > 1. */
icl_status icl_label_set_derange(icl_label_set *set, icl_rng *rng);

/* A random word without meaning: one to three letters, or a number below 1000. Symbols of one
 * `form` look alike. */
enum { ICL_SYMBOL_FORMS = 3 };
void icl_symbol_draw(char out[8], size_t form, icl_rng *rng);

#endif
