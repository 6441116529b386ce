/* Hazards: quotes, line ends and byte order marks at every place; NUL; ragged records. What is read
 * and written again in quotes reads as the same cells. */
#undef NDEBUG /* the checks are the point, in any build */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "data/csv.h"

/* Reads all of `stream`; appends every cell, quoted, to `out`. */
static icl_status rewrite(icl_text *out, FILE *stream, char separator)
{
    icl_csv *csv = NULL;
    bool more = true;
    icl_status status = icl_csv_new(&csv, stream, "fuzz", separator);
    for (bool header = true; status == ICL_OK && more; header = false) {
        for (size_t i = 0; i < icl_csv_column_count(csv); i++) {
            const char *cell = header ? icl_csv_column(csv, i) : icl_csv_cell(csv, i);
            assert(header || strlen(cell) == icl_csv_cell_length(csv, i));
            icl_text_append_char(out, '"');
            for (; *cell != '\0'; cell++) {
                if (*cell == '"') icl_text_append_char(out, '"');
                icl_text_append_char(out, *cell);
            }
            icl_text_append_char(out, '"');
            icl_text_append_char(out, i + 1 < icl_csv_column_count(csv) ? separator : '\n');
        }
        const size_t line_before = header ? 0 : icl_csv_line(csv);
        status = icl_csv_next(csv, &more);
        assert(status != ICL_OK || !more || icl_csv_line(csv) > line_before);
    }
    icl_csv_free(csv);
    return status;
}

static icl_status rewrite_bytes(icl_text *out, const void *bytes, size_t length, char separator)
{
    FILE *stream = fmemopen((void *)(uintptr_t)bytes, length, "rb");
    assert(stream != NULL);
    const icl_status status = rewrite(out, stream, separator);
    fclose(stream);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const char separator = (size & 1) != 0 ? ',' : '\t';
    icl_text once = { 0 }, twice = { 0 };
    if (rewrite_bytes(&once, data, size, separator) == ICL_OK) {
        const icl_status status = rewrite_bytes(&twice, once.bytes, once.length, separator);
        assert(status == ICL_OK);
        assert(once.length == twice.length && memcmp(once.bytes, twice.bytes, once.length) == 0);
    }
    icl_text_deinit(&once);
    icl_text_deinit(&twice);
    return 0;
}
