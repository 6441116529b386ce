/* report/strategy_names.h - short names that tell strategies apart.
 *
 * Of each stage in which the strategies differ, the method, and those of its options in which the
 * strategies that use it differ: "select=knn(k=4) calibrate=none".
 */
#ifndef ICL_REPORT_STRATEGY_NAMES_H
#define ICL_REPORT_STRATEGY_NAMES_H

#include <stddef.h>

#include <icl/status.h>

/* Names of strategies in canonical form, no two alike; *out is yours: icl_strategy_names_free.
 * ICL_ENOMEM; as icl_strategy_parse. */
icl_status icl_strategy_names_new(char ***out, const char *const *lines, size_t count);
/* NULL is fine. */
void icl_strategy_names_free(char **names, size_t count);

#endif
