/* The requests of a run as JSON lines, for other programs to answer. */
#include <icl/lines.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

static void append_tokens(icl_text *line, const char *field, const int32_t *tokens, size_t count)
{
    icl_text_printf(line, ",\"%s\":[", field);
    for (size_t i = 0; i < count; i++)
        icl_text_printf(line, i > 0 ? ",%" PRId32 : "%" PRId32, tokens[i]);
    icl_text_append_char(line, ']');
}

/* Ids hold what data files hold, so they are quoted as JSON wants it. */
static icl_status append_id(icl_text *line, const icl_run *run, size_t request)
{
    char *id = NULL;
    ICL_TRY(icl_run_request_id(&id, run, request));
    json_t *string = json_string(id);
    char *quoted = string != NULL ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    json_decref(string);
    free(id);
    if (quoted == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a request");
    icl_text_printf(line, "{\"id\":%s", quoted);
    free(quoted);
    return ICL_OK;
}

/* Distributions and hidden states have no line: they are not what `icl score` answers. */
static icl_status no_line(const icl_run *run, size_t request)
{
    char *id = NULL;
    ICL_TRY(icl_run_request_id(&id, run, request));
    const icl_status status =
        icl_error_set(ICL_EUNSUPPORTED,
                      "request \"%s\" has no continuation, so it cannot be written as a line", id);
    free(id);
    return status;
}

static icl_status write_request(icl_text *line, icl_run *run, size_t request, FILE *out)
{
    const icl_batch *batch = icl_run_batch(run);
    size_t prefix_count = 0, count = 0;
    const int32_t *prefix =
        icl_batch_prefix(batch, icl_batch_request_prefix(batch, request), &prefix_count);
    const int32_t *continuation = icl_batch_continuation(batch, request, &count);
    if (count == 0) return no_line(run, request);
    icl_text_clear(line);
    ICL_TRY(append_id(line, run, request));
    append_tokens(line, "prefix_tokens", prefix, prefix_count);
    append_tokens(line, "continuation_tokens", continuation, count);
    icl_text_append_string(line, "}\n");
    ICL_TRY(icl_text_status(line));
    if (fwrite(line->bytes, 1, line->length, out) != line->length)
        return icl_error_set(ICL_EIO, "cannot write requests: %s", strerror(errno));
    return ICL_OK;
}

icl_status icl_lines_write_requests(icl_run *run, FILE *out)
{
    icl_text line = { 0 };
    icl_status status = ICL_OK;
    const size_t count = icl_batch_count(icl_run_batch(run));
    for (size_t r = 0; r < count && status == ICL_OK; r++)
        status = write_request(&line, run, r, out);
    icl_text_deinit(&line);
    if (status == ICL_OK && fflush(out) != 0)
        return icl_error_set(ICL_EIO, "cannot write requests: %s", strerror(errno));
    return status;
}
