/* select/unit_rows.h - the pool's sentence vectors at unit length, whose dot products are cosines.
 */
#ifndef ICL_SELECT_UNIT_ROWS_H
#define ICL_SELECT_UNIT_ROWS_H

#include "select/select.h"

/* ICL_EINVAL, naming the item: a component of the pool's sentence vectors is not finite. */
icl_status icl_unit_rows_check(const icl_select_input *input);

/* *out [pool_count][vector_size], malloc'd, yours; a zero vector stays zero. What
 * icl_unit_rows_check says; ICL_ENOMEM. */
icl_status icl_unit_rows(float **out, const icl_select_input *input);

#endif
