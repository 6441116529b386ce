/* The scoring filter: reads a batch of lines, asks the engine once, writes the answers in order. */
#include <icl/lines.h>

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "base/file.h"
#include "base/quote.h"
#include "base/text.h"

enum { ID_BYTES_MAX = 4096, REAL_FLAGS = JSON_REAL_PRECISION(17) | JSON_COMPACT };

/* One input line between reading and writing. */
typedef struct score_line {
    json_t *id;     /* NULL: could not be read */
    size_t number;  /* of the line in the stream, from 1 */
    size_t request; /* in the batch, when error is NULL */
    char *error;
} score_line;

typedef struct token_list {
    int32_t *items;
    size_t count, capacity;
} token_list;

typedef struct line_filter {
    icl_engine *engine;
    icl_model *model;
    FILE *in, *out;
    icl_lines_options options;
    icl_plan_limits limits;
    icl_lines_counts counts;
    icl_batch *batch;
    score_line *lines; /* [line_count] */
    size_t line_count, line_capacity;
    size_t batch_tokens;
    token_list prefix, whole; /* scratch of one line */
    icl_text text;
} line_filter;

icl_lines_options icl_lines_options_default(void)
{
    return (icl_lines_options){ .batch_lines = 4096, .batch_tokens = (size_t)1 << 19 };
}

/* ---- tokens of a line ---- */

/* `keep` tokens stay in front. */
static icl_status tokenize(icl_model *model, token_list *out, size_t keep, const char *text,
                           size_t length)
{
    size_t count = 0;
    ICL_TRY(icl_array_reserve(&out->items, &out->capacity, keep + length + 1));
    icl_status status = icl_model_tokenize(model, out->items + keep, out->capacity - keep, &count,
                                           text, length, false);
    if (status != ICL_OK && count > out->capacity - keep) {
        ICL_TRY(icl_array_reserve(&out->items, &out->capacity, keep + count));
        status = icl_model_tokenize(model, out->items + keep, out->capacity - keep, &count, text,
                                    length, false);
    }
    out->count = keep + count;
    return status;
}

/* whole = BOS + tokens of prefix and continuation together; *out_prefix_count of them are prefix.
 */
static icl_status split_texts(line_filter *filter, const json_t *prefix, const json_t *continuation,
                              size_t *out_prefix_count)
{
    const int32_t bos = icl_model_get_info(filter->model)->bos;
    const size_t first = bos >= 0 ? 1 : 0;
    const size_t prefix_length = json_string_length(prefix);
    icl_text *text = &filter->text;
    icl_text_clear(text);
    icl_text_append(text, json_string_value(prefix), prefix_length);
    icl_text_append(text, json_string_value(continuation), json_string_length(continuation));
    ICL_TRY(icl_text_status(text));
    ICL_TRY(tokenize(filter->model, &filter->prefix, first, icl_text_string(text), prefix_length));
    ICL_TRY(tokenize(filter->model, &filter->whole, first, icl_text_string(text), text->length));
    if (first > 0) filter->prefix.items[0] = filter->whole.items[0] = bos;
    /* A token that crosses the join belongs to the continuation, so the boundary is found here. */
    size_t common = first;
    while (common < filter->prefix.count && common < filter->whole.count &&
           filter->prefix.items[common] == filter->whole.items[common])
        common++;
    if (common == 0)
        return icl_error_set(ICL_EINVAL, "no token of \"prefix\" stands before the continuation, "
                                         "and this model has no BOS token");
    if (common == filter->whole.count)
        return icl_error_set(ICL_EINVAL, "\"continuation\" has no tokens of its own");
    *out_prefix_count = common;
    return ICL_OK;
}

static icl_status read_token_array(line_filter *filter, const json_t *array, const char *field)
{
    const size_t vocab_count = icl_model_get_info(filter->model)->vocab_count;
    token_list *to = &filter->whole;
    if (!json_is_array(array))
        return icl_error_set(ICL_EINVAL, "\"%s\" is missing or not an array of token ids", field);
    const size_t count = json_array_size(array);
    if (count == 0) return icl_error_set(ICL_EINVAL, "\"%s\" is empty", field);
    ICL_TRY(icl_array_reserve(&to->items, &to->capacity, to->count + count));
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_integer(item))
            return icl_error_set(ICL_EINVAL, "\"%s\"[%zu] is not a whole number", field, i);
        const json_int_t token = json_integer_value(item);
        if (token < 0 || token >= (json_int_t)vocab_count)
            return icl_error_set(ICL_EINVAL,
                                 "\"%s\"[%zu] is %" JSON_INTEGER_FORMAT
                                 ", outside the vocabulary of %zu tokens",
                                 field, i, token, vocab_count);
        to->items[to->count++] = (int32_t)token;
    }
    return ICL_OK;
}

/* Fills `whole` from either form of a line. */
static icl_status read_tokens(line_filter *filter, const json_t *object, size_t *out_prefix_count)
{
    const json_t *prefix = json_object_get(object, "prefix");
    const json_t *continuation = json_object_get(object, "continuation");
    const json_t *prefix_tokens = json_object_get(object, "prefix_tokens");
    const json_t *continuation_tokens = json_object_get(object, "continuation_tokens");
    const bool has_text = prefix != NULL || continuation != NULL;
    const bool has_tokens = prefix_tokens != NULL || continuation_tokens != NULL;
    filter->whole.count = 0;
    if (has_text && has_tokens)
        return icl_error_set(ICL_EINVAL, "both text and token fields stand in one line");
    if (has_tokens) {
        ICL_TRY(read_token_array(filter, prefix_tokens, "prefix_tokens"));
        *out_prefix_count = filter->whole.count;
        return read_token_array(filter, continuation_tokens, "continuation_tokens");
    }
    if (!json_is_string(prefix))
        return icl_error_set(ICL_EINVAL, "\"prefix\" is missing or not a string");
    if (!json_is_string(continuation))
        return icl_error_set(ICL_EINVAL, "\"continuation\" is missing or not a string");
    return split_texts(filter, prefix, continuation, out_prefix_count);
}

/* A request too long for the model must not take its batch down. */
static icl_status check_window(const line_filter *filter)
{
    const icl_plan_limits limits = filter->limits;
    const size_t evaluated = filter->whole.count - 1; /* the last token is only scored */
    if (limits.window_tokens > 0 && evaluated > limits.window_tokens)
        return icl_error_set(ICL_ECONTEXT, "%zu tokens exceed the model's window of %zu", evaluated,
                             limits.window_tokens);
    if (evaluated > limits.cells_max)
        return icl_error_set(ICL_ECONTEXT, "%zu tokens exceed the cache of %zu", evaluated,
                             limits.cells_max);
    return ICL_OK;
}

static icl_status add_request(line_filter *filter, const json_t *object, size_t *out_request)
{
    size_t prefix_count = 0, prefix = 0;
    ICL_TRY(read_tokens(filter, object, &prefix_count));
    ICL_TRY(check_window(filter));
    ICL_TRY(icl_batch_add_prefix(filter->batch, filter->whole.items, prefix_count, &prefix));
    ICL_TRY(icl_batch_add_score(filter->batch, prefix, filter->whole.items + prefix_count,
                                filter->whole.count - prefix_count, out_request));
    filter->batch_tokens += filter->whole.count;
    return ICL_OK;
}

/* ---- reading ---- */

static icl_status check_id(const json_t *id)
{
    if (id == NULL) return icl_error_set(ICL_EINVAL, "\"id\" is missing");
    if (json_is_object(id) || json_is_array(id))
        return icl_error_set(ICL_EINVAL, "\"id\" is neither text nor a number");
    if (json_is_string(id) && json_string_length(id) > ID_BYTES_MAX)
        return icl_error_set(ICL_EINVAL, "\"id\" is longer than %d bytes", (int)ID_BYTES_MAX);
    return ICL_OK;
}

/* The object of a line; *out is NULL on failure. */
static icl_status parse_line(json_t **out, const icl_text *text)
{
    json_error_t error;
    char shown[ICL_QUOTE_BYTES];
    *out = json_loadb(icl_text_string(text), text->length, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL)
        return icl_error_set(ICL_EPARSE, "not a JSON object, column %d: %s", error.column,
                             error.text);
    if (json_is_object(*out)) return ICL_OK;
    json_decref(*out);
    *out = NULL;
    return icl_error_set(ICL_EPARSE, "not a JSON object: %s",
                         icl_quote(shown, icl_text_string(text), text->length));
}

/* Only running out of memory is a failure; anything wrong with the line is kept in it. */
static icl_status take_line(line_filter *filter, const icl_text *text, bool too_long)
{
    ICL_TRY(icl_array_reserve(&filter->lines, &filter->line_capacity, filter->line_count + 1));
    score_line line = { .number = filter->counts.lines };
    json_t *object = NULL;
    icl_status status = too_long ? icl_error_set(ICL_EPARSE, "the line is longer than %d bytes",
                                                 (int)ICL_LINE_BYTES_MAX)
                                 : parse_line(&object, text);
    if (status == ICL_OK) {
        status = check_id(json_object_get(object, "id"));
        if (status == ICL_OK) line.id = json_incref(json_object_get(object, "id"));
    }
    if (status == ICL_OK) status = add_request(filter, object, &line.request);
    json_decref(object);
    if (status != ICL_OK && status != ICL_ENOMEM) {
        line.error = icl_string_copy(icl_error_message(), strlen(icl_error_message()));
        status = line.error != NULL ? ICL_OK : icl_error_set(ICL_ENOMEM, "out of memory");
    }
    if (status != ICL_OK) {
        json_decref(line.id);
        return status;
    }
    filter->lines[filter->line_count++] = line;
    return ICL_OK;
}

static bool is_blank(const icl_text *line)
{
    return strspn(icl_text_string(line), " \t\r") == line->length;
}

/* Reads until the batch is full or the stream ends. */
static icl_status read_batch(line_filter *filter, bool *out_more)
{
    icl_text text = { 0 };
    bool too_long = false;
    icl_status status = ICL_OK;
    *out_more = true;
    while (status == ICL_OK && filter->line_count < filter->options.batch_lines &&
           filter->batch_tokens < filter->options.batch_tokens) {
        if (!icl_line_read(&text, filter->in, &too_long)) {
            *out_more = false;
            break;
        }
        status = icl_text_status(&text);
        filter->counts.lines++;
        if (status == ICL_OK && (too_long || !is_blank(&text)))
            status = take_line(filter, &text, too_long);
    }
    icl_text_deinit(&text);
    if (status == ICL_OK && ferror(filter->in))
        return icl_error_set(ICL_EIO, "cannot read line %zu: %s", filter->counts.lines + 1,
                             strerror(errno));
    return status;
}

/* ---- writing ---- */

static json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *answer_object(const line_filter *filter, const score_line *line)
{
    size_t count = 0;
    const double *values = icl_batch_token_logprobs_nats(filter->batch, line->request, &count);
    json_t *list = json_array(), *object = json_object();
    for (size_t i = 0; i < count; i++) json_array_append_new(list, json_number(values[i]));
    json_object_set(object, "id", line->id);
    json_object_set_new(object, "logprob",
                        json_number(icl_batch_logprob_nats(filter->batch, line->request)));
    json_object_set_new(object, "token_logprobs", list);
    json_object_set_new(object, "greedy",
                        json_boolean(icl_batch_is_greedy(filter->batch, line->request)));
    return object;
}

static json_t *error_object(const score_line *line)
{
    json_t *object = json_object();
    json_object_set_new(object, "id", line->id != NULL ? json_incref(line->id) : json_null());
    if (line->id == NULL)
        json_object_set_new(object, "line", json_integer((json_int_t)line->number));
    json_object_set_new(object, "error", json_string(line->error));
    return object;
}

static icl_status write_line(line_filter *filter, const score_line *line)
{
    json_t *object = line->error != NULL ? error_object(line) : answer_object(filter, line);
    if (object == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an answer");
    const int failed = json_dumpf(object, filter->out, REAL_FLAGS);
    json_decref(object);
    if (failed != 0 || fputc('\n', filter->out) == EOF)
        return icl_error_set(ICL_EIO, "cannot write the answer to line %zu: %s", line->number,
                             strerror(errno));
    return ICL_OK;
}

static icl_status write_batch(line_filter *filter)
{
    for (size_t i = 0; i < filter->line_count; i++) {
        ICL_TRY(write_line(filter, &filter->lines[i]));
        if (filter->lines[i].error != NULL)
            filter->counts.bad++;
        else
            filter->counts.scored++;
    }
    if (fflush(filter->out) != 0)
        return icl_error_set(ICL_EIO, "cannot write answers: %s", strerror(errno));
    return ICL_OK;
}

static void clear_batch(line_filter *filter)
{
    for (size_t i = 0; i < filter->line_count; i++) {
        json_decref(filter->lines[i].id);
        free(filter->lines[i].error);
    }
    filter->line_count = 0;
    filter->batch_tokens = 0;
    icl_batch_free(filter->batch);
    filter->batch = NULL;
}

static icl_status filter_batch(line_filter *filter, bool *out_more)
{
    ICL_TRY(icl_batch_new(&filter->batch));
    ICL_TRY(read_batch(filter, out_more));
    if (icl_batch_count(filter->batch) > 0) ICL_TRY(icl_engine_run(filter->engine, filter->batch));
    return write_batch(filter);
}

icl_status icl_lines_score(icl_engine *engine, FILE *in, FILE *out,
                           const icl_lines_options *options, icl_lines_counts *out_counts)
{
    line_filter filter = { .engine = engine,
                           .model = icl_engine_model(engine),
                           .in = in,
                           .out = out,
                           .limits = icl_engine_limits(engine),
                           .options = options != NULL ? *options : icl_lines_options_default() };
    assert(filter.options.batch_lines > 0 && filter.options.batch_tokens > 0);
    icl_status status = ICL_OK;
    for (bool more = true; more && status == ICL_OK;) {
        status = filter_batch(&filter, &more);
        clear_batch(&filter);
    }
    if (out_counts != NULL) *out_counts = filter.counts;
    free(filter.lines);
    free(filter.prefix.items);
    free(filter.whole.items);
    icl_text_deinit(&filter.text);
    return status;
}
