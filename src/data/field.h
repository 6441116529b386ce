/* data/field.h - one text form for the values of a row: labels, ids and inputs may be numbers. */
#ifndef ICL_DATA_FIELD_H
#define ICL_DATA_FIELD_H

#include <stdbool.h>

#include <jansson.h>

#include "base/text.h"

/* Appends a string as it is, a number in the shortest decimal form that reads back as the same
 * number (1.0 is "1"), true or false. Returns false, appending nothing, for other kinds. */
bool icl_field_append(icl_text *out, const json_t *value);

#endif
