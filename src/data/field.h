/* data/field.h - the values of a row as texts and as numbers: labels, ids and inputs may be
 * numbers, and numbers of CSV are texts. */
#ifndef ICL_DATA_FIELD_H
#define ICL_DATA_FIELD_H

#include <stdbool.h>

#include <jansson.h>

#include <icl/dataset.h>

#include "base/text.h"

/* Appends a string as it is, a number in the shortest decimal form that reads back as the same
 * number (1.0 is "1"), true or false. Returns false, appending nothing, for other kinds. */
bool icl_field_append(icl_text *out, const json_t *value);

/* The number in a field of the row behind `example`, a text that is one included. ICL_EINVAL,
 * naming example, field and value: there is none; *out is untouched then. */
icl_status icl_field_number(double *out, const icl_example *example, const char *field);

#endif
