/* data/example.h - the row behind an example, for templates that read any field of it. */
#ifndef ICL_DATA_EXAMPLE_H
#define ICL_DATA_EXAMPLE_H

#include <jansson.h>

#include <icl/dataset.h>

/* All fields of the row as a JSON object; CSV fields are strings. Borrowed. */
const json_t *icl_example_row(const icl_example *example);

#endif
