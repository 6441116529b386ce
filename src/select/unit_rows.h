/* select/unit_rows.h - the pool's sentence vectors at unit length, whose dot products are cosines.
 */
#ifndef ICL_SELECT_UNIT_ROWS_H
#define ICL_SELECT_UNIT_ROWS_H

#include "select/select.h"

/* *out [pool_count][vector_size], malloc'd, yours; a zero vector stays zero. ICL_EINVAL: a
 * component is not finite; ICL_ENOMEM. */
icl_status icl_unit_rows(float **out, const icl_select_input *input);

#endif
