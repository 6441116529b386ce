/* Hazards: bytes that end a string early, lines without end, parser depth, a reader that stops
 * moving. Every line yields a row or a sentence, and a dataset never disagrees with the reader. */
#undef NDEBUG /* the checks are the point, in any build */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <icl/dataset.h>

#include "base/text.h"
#include "data/jsonl.h"

/* Number of rows, or SIZE_MAX when a line was refused. */
static size_t count_rows(FILE *stream)
{
    icl_jsonl reader = { .stream = stream, .name = "fuzz" };
    json_t *row = NULL;
    size_t rows = 0, line_before = 0;
    bool refused = false;
    for (;;) {
        const icl_status status = icl_jsonl_next(&reader, &row);
        if (status == ICL_OK && row == NULL) break;
        assert(reader.line > line_before);
        line_before = reader.line;
        refused = refused || status != ICL_OK;
        assert(status == ICL_OK || (row == NULL && icl_error_message()[0] != '\0'));
        rows += status == ICL_OK;
        json_decref(row);
    }
    icl_jsonl_deinit(&reader);
    return refused ? SIZE_MAX : rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    FILE *stream = fmemopen((void *)(uintptr_t)data, size, "rb");
    if (stream == NULL) return 0;
    const size_t rows = count_rows(stream);
    rewind(stream);
    icl_dataset_options options = icl_dataset_options_default();
    options.require_label = (size & 1) != 0;
    icl_dataset *dataset = NULL;
    if (icl_dataset_read(&dataset, stream, "fuzz.jsonl", &options) == ICL_OK) {
        assert(icl_dataset_count(dataset) == rows);
        for (size_t i = 0; i < rows; i++) {
            const icl_example *example = icl_dataset_at(dataset, i);
            const char *input = icl_example_input(example);
            assert(icl_utf8_valid_length(input, strlen(input)) == strlen(input));
            assert(icl_dataset_find(dataset, icl_example_id(example)) == i);
        }
    } else {
        assert(dataset == NULL);
    }
    icl_dataset_close(dataset);
    fclose(stream);
    return 0;
}
