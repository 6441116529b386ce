/* order/difficulty.h - how hard demonstrations are, each on its own.
 *
 *   double difficulty[COUNT];
 *   ICL_TRY(icl_difficulty_by_field(difficulty, input, "difficulty", items, COUNT));
 *
 * out [count], higher is harder; items [count] are pool indices. Each asks the model in one call,
 * or two, and fails as its questions do; besides, ICL_ENOMEM. `method` is the card's name.
 */
#ifndef ICL_ORDER_DIFFICULTY_H
#define ICL_ORDER_DIFFICULTY_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "order/order.h"

/* Characters of the input. */
void icl_difficulty_by_length(double *out, const icl_order_input *input, const size_t *items,
                              size_t count);

/* Mean nats of a token, of the label's words or, if `whole`, of input and label together, without
 * any other demonstration. The template's words between input and answer, which all demonstrations
 * share, are left out. */
icl_status icl_difficulty_by_perplexity(double *out, const icl_order_input *input,
                                        const char *method, bool whole, const size_t *items,
                                        size_t count);

/* The mean of the numbers 1 to 5 under the model, asked how hard the demonstration is that it has
 * just been shown. */
icl_status icl_difficulty_by_rating(double *out, const icl_order_input *input, const char *method,
                                    const size_t *items, size_t count);

/* What the data say: a number in a field of every item's row. ICL_EINVAL names the item that has
 * none. */
icl_status icl_difficulty_by_field(double *out, const icl_order_input *input, const char *field,
                                   const size_t *items, size_t count);

#endif
