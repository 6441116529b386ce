/* order/by_score.h - orders that follow a number for each demonstration.
 *
 *   return icl_order_by_score(out, input, input->scores, ICL_HIGHEST_LAST);
 */
#ifndef ICL_ORDER_BY_SCORE_H
#define ICL_ORDER_BY_SCORE_H

#include <icl/status.h>

#include "order/order.h"

typedef enum icl_score_side { ICL_HIGHEST_LAST, ICL_HIGHEST_FIRST } icl_score_side;

/* scores [query_count][k], not NaN. Of equal ones the one selected earlier counts as higher. One
 * side is the mirror image of the other. ICL_ENOMEM, ICL_ECANCELLED. */
icl_status icl_order_by_score(icl_ordering *out, const icl_order_input *input, const double *scores,
                              icl_score_side side);

#endif
