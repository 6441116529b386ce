/* pipeline/strategy_list.h - many strategies in a few lines: a file with one a line, where braces
 * hold alternatives.
 *
 *   # 4 strategies: every alternative of one pair of braces with every one of the other
 *   select={knn(k={4|8})|bm25(k=4)} calibrate={none|batch}     # comments end with the line
 *   select=random(k=0)
 *
 * A pair of braces may stand anywhere in a line, inside others too; text in double quotes is taken
 * as it is. The leftmost pair changes slowest. A strategy that stands there twice, however written,
 * counts once, at its first place.
 */
#ifndef ICL_PIPELINE_STRATEGY_LIST_H
#define ICL_PIPELINE_STRATEGY_LIST_H

#include <stddef.h>

#include <icl/status.h>

#include "base/string_map.h"

enum {
    ICL_STRATEGY_LIST_MAX = 4096,       /* strategies, those that stand twice included */
    ICL_STRATEGY_LINE_BYTES_MAX = 4096, /* of a line */
};

/* Zeroed: empty. */
typedef struct icl_strategy_list {
    char **lines; /* [count] canonical; malloc'd */
    size_t count, capacity;
    size_t expanded; /* before those that stand twice were dropped */
    icl_string_map places;
} icl_strategy_list;

/* Reads a file. ICL_EIO; ICL_EPARSE, ICL_ENOTFOUND, ICL_EINVAL: "FILE:LINE: " and what is wrong
 * with a strategy or its braces; ICL_EINVAL: no strategy in the file, or more than
 * ICL_STRATEGY_LIST_MAX. On failure *out is zeroed. */
icl_status icl_strategy_list_open(icl_strategy_list *out, const char *path);

/* The same from text; sentences call it `name`. */
icl_status icl_strategy_list_parse(icl_strategy_list *out, const char *text, const char *name);

void icl_strategy_list_deinit(icl_strategy_list *list);

#endif
