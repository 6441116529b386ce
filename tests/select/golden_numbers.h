/* tests/select/golden_numbers.h - vectors of golden files. */
#ifndef TESTS_SELECT_GOLDEN_NUMBERS_H
#define TESTS_SELECT_GOLDEN_NUMBERS_H

#include <jansson.h>

#include "select/select_call.h"

/* Fills out [count] from an array of that length. */
static inline void read_numbers(float *out, size_t count, const json_t *numbers)
{
    assert_int_equal(json_array_size(numbers), count);
    for (size_t i = 0; i < count; i++)
        out[i] = (float)json_number_value(json_array_get(numbers, i));
}

#endif
