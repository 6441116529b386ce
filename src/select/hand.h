/* select/hand.h - class-balanced draws. Classes in random order are dealt one item each, round
 * after round: every class gets k / classes, the remainder goes to the first, that is random,
 * classes, and where a class has run out the others share what is missing. Classes without items
 * take no part.
 *
 *   icl_hand hand = { 0 };
 *   icl_status status = icl_hand_init(&hand, NULL, pool_count, pool_labels, label_count);
 *   if (status == ICL_OK) {
 *       icl_hand_draw(&hand, k, &rng);
 *       icl_hand_deal(line, k, &hand, SIZE_MAX); // line[0], line[1], ... are of different classes
 *   }
 *   icl_hand_deinit(&hand);
 */
#ifndef ICL_SELECT_HAND_H
#define ICL_SELECT_HAND_H

#include <stddef.h>

#include <icl/status.h>

#include "base/rng.h"

typedef struct icl_hand {
    size_t class_count;
    size_t *classes;  /* [class_count] labels that occur, in dealing order */
    size_t *firsts;   /* [label_count + 1] where a label's members start */
    size_t *members;  /* [count] items by label */
    size_t *sequence; /* [count] each label's members in drawn order, as far as needed */
    size_t *swaps;    /* [count] scratch of a draw */
    size_t *cursors;  /* [label_count] next of a label's sequence to deal */
} icl_hand;

/* The items to draw from [count], NULL: 0..count-1; labels [item] < label_count. ICL_ENOMEM; the
 * hand must be freed then too. */
icl_status icl_hand_init(icl_hand *hand, const size_t *items, size_t count, const size_t *labels,
                         size_t label_count);
void icl_hand_deinit(icl_hand *hand);

/* A new order of classes and members, for deals of up to k items. Depends on the rng alone, not on
 * earlier draws. */
void icl_hand_draw(icl_hand *hand, size_t k, icl_rng *rng);

/* Writes line [k] from the current draw; the same every time. `except` is left out, SIZE_MAX: none.
 * k items besides it must exist. */
void icl_hand_deal(size_t *line, size_t k, icl_hand *hand, size_t except);

#endif
