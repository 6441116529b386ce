/* train/pool_rows.h - the rows of a pool's file, before they are cut into pieces. */
#ifndef ICL_TRAIN_POOL_ROWS_H
#define ICL_TRAIN_POOL_ROWS_H

#include "train/pool.h"

/* `label` is NULL where the options name no label field. Both are borrowed for the call. */
typedef icl_status (*icl_pool_visit)(void *user, const char *text, size_t length,
                                     const char *label);

/* Calls `visit` for every row that the options keep; a plain text file is one row. The failures of
 * icl_pool_open, and the first one of `visit`. */
icl_status icl_pool_rows_read(const icl_pool_options *options, icl_pool_visit visit, void *user);

#endif
