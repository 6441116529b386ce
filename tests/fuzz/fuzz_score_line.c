/* Whatever a stream holds, the scoring filter answers each line that is not blank with one JSON
 * object on one line, and never fails. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <icl/lines.h>
#include <icl/sys/model.h>

enum { VOCAB_COUNT = 257, WINDOW_TOKENS = 64 };

static void flat_logits(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user, (void)context, (void)count;
    memset(out, 0, VOCAB_COUNT * sizeof *out);
}

static icl_engine *shared_engine(void)
{
    static icl_engine *engine;
    icl_model *model = NULL;
    if (engine != NULL) return engine;
    if (icl_model_open_table(&model, flat_logits, NULL, WINDOW_TOKENS) != ICL_OK ||
        icl_engine_open(&engine, model, NULL) != ICL_OK)
        abort();
    return engine;
}

static void check_answers(char *text, size_t length, const icl_lines_counts *counts)
{
    size_t answers = 0;
    for (char *line = text; line < text + length; answers++) {
        char *end = memchr(line, '\n', (size_t)(text + length - line));
        if (end == NULL) abort();
        json_t *object = json_loadb(line, (size_t)(end - line), 0, NULL);
        if (json_object_get(object, "id") == NULL) abort();
        json_decref(object);
        line = end + 1;
    }
    if (answers != counts->scored + counts->bad || answers > counts->lines) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    icl_lines_options options = icl_lines_options_default();
    options.batch_lines = 1 + data[0] % 8;
    char *text = NULL;
    size_t length = 0;
    icl_lines_counts counts = { 0 };
    FILE *in = fmemopen((void *)(data + 1), size - 1, "r"), *out = open_memstream(&text, &length);
    if (in == NULL || out == NULL) abort();
    if (icl_lines_score(shared_engine(), in, out, &options, &counts) != ICL_OK) abort();
    fclose(in);
    fclose(out);
    check_answers(text, length, &counts);
    free(text);
    return 0;
}
