/* base/quote.h - a value as an error sentence shows it: quoted, printable, clipped.
 *
 *   char shown[ICL_QUOTE_BYTES];
 *   return icl_error_set(ICL_EPARSE, "unknown label %s", icl_quote(shown, label, strlen(label)));
 */
#ifndef ICL_BASE_QUOTE_H
#define ICL_BASE_QUOTE_H

#include <stddef.h>

enum { ICL_QUOTE_BYTES = 100 };

/* Writes "value" in double quotes into `out`; control characters, backslashes and bytes that are
 * not UTF-8 are escaped, a long value ends in "...". Returns `out`. */
const char *icl_quote(char out[ICL_QUOTE_BYTES], const char *bytes, size_t length);

#endif
