/* The rows of one kind of a golden file of lines, read with our own reader. */
#ifndef ICL_TESTS_DATA_GOLDEN_ROWS_H
#define ICL_TESTS_DATA_GOLDEN_ROWS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "near.h"

#include "data/jsonl.h"

static inline void golden_rows_of(const char *path, const char *kind,
                                  void (*check)(const json_t *row))
{
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    icl_jsonl reader = { .stream = stream, .name = path };
    json_t *row = NULL;
    size_t seen = 0;
    while (icl_jsonl_next(&reader, &row) == ICL_OK && row != NULL) {
        if (strcmp(json_string_value(json_object_get(row, "kind")), kind) == 0) {
            check(row);
            seen++;
        }
        json_decref(row);
    }
    icl_jsonl_deinit(&reader);
    fclose(stream);
    assert_true(seen > 0);
}

static inline void golden_rows_each(const char *kind, void (*check)(const json_t *row))
{
    golden_rows_of(ICL_SOURCE_DIR "/tests/golden/statistics.jsonl", kind, check);
}

static inline double golden_number(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* The numbers of a list, or of a list of lists one after another; yours to free. */
static inline double *golden_numbers(const json_t *row, const char *key, size_t *out_count)
{
    const json_t *list = json_object_get(row, key);
    const size_t rows = json_array_size(list);
    const size_t columns =
        json_is_array(json_array_get(list, 0)) ? json_array_size(json_array_get(list, 0)) : 0;
    const size_t count = columns > 0 ? rows * columns : rows;
    double *numbers = calloc(count, sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, columns > 0 ? i / columns : i);
        numbers[i] = json_number_value(columns > 0 ? json_array_get(item, i % columns) : item);
    }
    *out_count = count;
    return numbers;
}

#endif
