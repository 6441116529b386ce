/* Any bytes as a fitted file, and the same with the checksum that belongs to them, so that the
 * parts behind it are reached: refused with a sentence, or a file whose numbers are all there. */
#undef NDEBUG /* the checks are the point, in any build */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "learn/fit_file.h"

enum { CHECKSUM_BYTES = 16 };

static void read_all(const icl_fit_file *file)
{
    size_t count = 0;
    const icl_fit_measure *measures = icl_fit_file_measures(file, &count);
    for (size_t i = 0; i < count; i++)
        assert(measures[i].name != NULL && isfinite(measures[i].value));
    const icl_fit_array *array = icl_fit_file_array(file, "map");
    if (array == NULL) return;
    const float *values = NULL;
    assert(icl_fit_file_find(&values, file, "map", array->rows, array->columns) == ICL_OK);
    for (size_t i = 0; i < array->rows * array->columns; i++) assert(isfinite(values[i]));
}

static void parse(const char *bytes, size_t length)
{
    icl_fit_file *file = NULL;
    if (icl_fit_file_parse(&file, bytes, length, "fuzz") == ICL_OK)
        read_all(file);
    else
        assert(file == NULL && icl_error_message()[0] != '\0');
    icl_fit_file_free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *copy = malloc(size + CHECKSUM_BYTES);
    if (copy == NULL) return 0;
    if (size > 0) memcpy(copy, bytes, size);
    parse(copy, size);
    const icl_hash128 hash = icl_hash(copy, size);
    for (size_t i = 0; i < 8; i++) {
        copy[size + i] = (char)(hash.high >> (56 - 8 * i));
        copy[size + 8 + i] = (char)(hash.low >> (56 - 8 * i));
    }
    parse(copy, size + CHECKSUM_BYTES);
    free(copy);
    return 0;
}
