/* Rows in, lines out, a chunk at a time. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apply/annotate_state.h"
#include "base/error.h"
#include "base/quote.h"
#include "base/text.h"
#include "data/jsonl.h"
#include "pipeline/run_state.h"

static const char *const confidence_field = "confidence", *const abstain_field = "abstain";

/* ---- rows ---- */

icl_status icl_annotate_rows_open(icl_annotate_rows *out, const icl_annotator *annotator,
                                  const icl_annotate_source *source)
{
    icl_dataset_options options = annotator->reading;
    options.format = source->format;
    *out = (icl_annotate_rows){ .annotator = annotator, .name = source->name };
    return icl_dataset_reader_open(&out->reader, source->stream, source->name, &options);
}

void icl_annotate_rows_close(icl_annotate_rows *rows)
{
    icl_dataset_reader_close(rows->reader);
    free(rows->bad);
}

static bool is_blank(const json_t *value)
{
    return value == NULL || json_is_null(value) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

/* A field that the line would overwrite. */
static icl_status check_row(const icl_annotate_rows *rows, const icl_example *example)
{
    const json_t *row = icl_example_row(example);
    const char *const fields[] = { icl_task_text(rows->annotator->options.run.task,
                                                 ICL_TASK_LABEL_FIELD),
                                   confidence_field, abstain_field };
    for (size_t i = 0; i < 3; i++) {
        char shown[ICL_QUOTE_BYTES];
        const json_t *value = json_object_get(row, fields[i]);
        if (i == 0 ? is_blank(value) : value == NULL) continue;
        icl_quote(shown, fields[i], strlen(fields[i]));
        return icl_error_set(ICL_EPARSE, "%s:%zu: the row has a field %s already", rows->name,
                             icl_example_line(example), shown);
    }
    return ICL_OK;
}

/* How many rows stand before the first one that would be overwritten. */
static size_t good_rows(const icl_annotate_rows *rows, const icl_dataset *chunk)
{
    size_t good = 0;
    while (good < icl_dataset_count(chunk) &&
           check_row(rows, icl_dataset_at(chunk, good)) == ICL_OK)
        good++;
    return good;
}

/* Rows [first, first + count) of a chunk by themselves; yours: icl_dataset_close. */
static icl_status part_of(icl_dataset **out, const icl_dataset *chunk, size_t first, size_t count)
{
    size_t *items = malloc(count * sizeof *items);
    if (items == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu rows", count);
    for (size_t i = 0; i < count; i++) items[i] = first + i;
    const icl_status status = icl_dataset_subset(out, chunk, items, count);
    free(items);
    return status;
}

static icl_status keep_first(icl_dataset **chunk, size_t count)
{
    icl_dataset *first = NULL;
    ICL_TRY(part_of(&first, *chunk, 0, count));
    icl_dataset_close(*chunk);
    *chunk = first;
    return ICL_OK;
}

icl_status icl_annotate_rows_next(icl_dataset **out, icl_annotate_rows *rows, size_t count_max)
{
    icl_dataset *chunk = NULL;
    *out = NULL;
    if (rows->bad != NULL) return icl_error_set(ICL_EPARSE, "%s", rows->bad);
    ICL_TRY(icl_dataset_reader_next(&chunk, rows->reader, count_max));
    if (chunk == NULL && !rows->any)
        return icl_error_set(ICL_EPARSE, "%s: there are no rows to label", rows->name);
    rows->any = true;
    if (chunk == NULL) return ICL_OK;
    const size_t good = good_rows(rows, chunk);
    icl_status status = ICL_OK;
    if (good < icl_dataset_count(chunk)) {
        rows->bad = icl_string_copy(icl_error_message(), strlen(icl_error_message()));
        status = rows->bad == NULL ? icl_error_set(ICL_ENOMEM, "out of memory")
                 : good == 0       ? icl_error_set(ICL_EPARSE, "%s", rows->bad)
                                   : keep_first(&chunk, good);
    }
    if (status == ICL_OK)
        *out = chunk;
    else
        icl_dataset_close(chunk);
    return status;
}

icl_status icl_annotate_parts(icl_dataset *rows, icl_annotate_visit *visit,
                              icl_annotate_visit *too_long, void *user)
{
    const size_t count = icl_dataset_count(rows), half = count / 2;
    icl_status status = visit(user, rows);
    if (status != ICL_ECONTEXT) return status;
    if (count == 1) return too_long(user, rows);
    status = ICL_OK;
    for (size_t i = 0; i < 2 && status == ICL_OK; i++) {
        icl_dataset *part = NULL;
        status = part_of(&part, rows, i * half, i == 0 ? half : count - half);
        if (status == ICL_OK) status = icl_annotate_parts(part, visit, too_long, user);
        icl_dataset_close(part);
    }
    return status;
}

/* ---- lines ---- */

typedef struct labelling {
    icl_annotator *annotator;
    const icl_annotate_stream *stream;
    icl_annotate_rows rows;
    icl_jsonl done; /* lines of an earlier call */
} labelling;

/* Six digits say all there is to know, and print the same everywhere. */
static double rounded(double confidence)
{
    return round(confidence * 1e6) / 1e6;
}

/* What is written beside a row's fields; label NULL: the row has none. Yours to json_decref; NULL:
 * memory. */
static json_t *answer_object(const icl_annotator *annotator, const char *label, double confidence,
                             bool abstains)
{
    json_t *object = json_object();
    int failed = json_object_set_new(
        object, icl_task_text(annotator->options.run.task, ICL_TASK_LABEL_FIELD),
        label != NULL ? json_string(label) : json_null());
    failed |= json_object_set_new(object, confidence_field, json_real(confidence));
    if (abstains) failed |= json_object_set_new(object, abstain_field, json_true());
    if (failed == 0) return object;
    json_decref(object);
    return NULL;
}

/* A row's fields, without the place for its label; yours to json_decref. NULL: memory. */
static json_t *row_object(const icl_annotator *annotator, const icl_example *example)
{
    json_t *object = json_copy((json_t *)icl_example_row(example));
    json_object_del(object, icl_task_text(annotator->options.run.task, ICL_TASK_LABEL_FIELD));
    return object;
}

/* Compact JSON in the fewest digits that bring its numbers back exactly; yours, NULL: memory. */
static char *exact_text(const json_t *object)
{
    enum { DIGITS_ALWAYS_EXACT = 17 };
    for (size_t digits = 15; digits < DIGITS_ALWAYS_EXACT; digits++) {
        char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(digits));
        json_t *back = text != NULL ? json_loads(text, 0, NULL) : NULL;
        const bool exact = back != NULL && json_equal(back, object);
        json_decref(back);
        if (exact) return text;
        free(text);
    }
    return json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS_ALWAYS_EXACT));
}

/* Both objects as one, with a line end. Each has its own digits, so that a confidence is short
 * beside numbers that are not. */
static icl_status append_line(icl_text *out, const json_t *row, const json_t *answer)
{
    char *left = exact_text(row), *right = exact_text(answer);
    if (left != NULL && right != NULL) {
        icl_text_append(out, left, strlen(left) - 1);
        if (json_object_size(row) > 0) icl_text_append_char(out, ',');
        icl_text_append_string(out, right + 1);
        icl_text_append_char(out, '\n');
    }
    const bool failed = left == NULL || right == NULL;
    free(left);
    free(right);
    return failed ? icl_error_set(ICL_ENOMEM, "out of memory for a line") : icl_text_status(out);
}

static icl_status count_row(labelling *work, const char *label, double confidence, bool abstains,
                            const char *line)
{
    work->annotator->summary.rows++;
    if (label == NULL) work->annotator->summary.too_long++;
    if (!abstains) return ICL_OK;
    work->annotator->summary.abstained++;
    return icl_review_add(&work->annotator->review, confidence, line);
}

/* The line of a row; its label and confidence may be those of an earlier call. */
static icl_status make_line(icl_text *out, const labelling *work, const icl_example *example,
                            const char *label, double confidence, bool abstains)
{
    json_t *row = row_object(work->annotator, example);
    json_t *answer = answer_object(work->annotator, label, confidence, abstains);
    const icl_status status = row == NULL || answer == NULL
                                  ? icl_error_set(ICL_ENOMEM, "out of memory for a line")
                                  : append_line(out, row, answer);
    json_decref(answer);
    json_decref(row);
    return status;
}

/* label NULL: the row has none. */
static icl_status write_row(labelling *work, const icl_example *example, const char *label,
                            double exact_confidence)
{
    const bool abstains = label == NULL || exact_confidence < work->annotator->summary.threshold;
    const double confidence = rounded(exact_confidence);
    icl_text line = { 0 };
    icl_status status = make_line(&line, work, example, label, confidence, abstains);
    if (status == ICL_OK && fputs(icl_text_string(&line), work->stream->out) == EOF)
        status = icl_error_set(ICL_EIO, "cannot write labels: %s", strerror(errno));
    if (status == ICL_OK)
        status = count_row(work, label, confidence, abstains, icl_text_string(&line));
    icl_text_deinit(&line);
    return status;
}

/* answers NULL: the rows have none. */
static icl_status write_rows(labelling *work, const icl_dataset *rows,
                             const icl_annotate_answer *answers)
{
    const icl_label_space *labels = icl_verbalizer_labels(work->annotator->data.verbalizer);
    for (size_t i = 0; i < icl_dataset_count(rows); i++) {
        const char *label = answers != NULL ? icl_label_space_name(labels, answers[i].label) : NULL;
        ICL_TRY(write_row(work, icl_dataset_at(rows, i), label,
                          answers != NULL ? answers[i].confidence : 0.0));
    }
    if (fflush(work->stream->out) != 0)
        return icl_error_set(ICL_EIO, "cannot write labels: %s", strerror(errno));
    if (work->stream->say != NULL) work->stream->say(work->stream->user, &work->annotator->summary);
    return ICL_OK;
}

static icl_status label_rows(void *user, icl_dataset *chunk)
{
    labelling *work = user;
    icl_run *run = NULL;
    icl_annotate_answer *answers = malloc(icl_dataset_count(chunk) * sizeof *answers);
    icl_status status = answers == NULL ? icl_error_set(ICL_ENOMEM, "out of memory for %zu rows",
                                                        icl_dataset_count(chunk))
                                        : icl_annotate_run_new(&run, work->annotator, chunk);
    if (status == ICL_OK) status = icl_run_score(run);
    if (status == ICL_OK) status = icl_annotate_answers(answers, work->annotator, run);
    if (status == ICL_OK) status = write_rows(work, chunk, answers);
    icl_run_free(run);
    free(answers);
    return status;
}

static icl_status leave_row(void *user, icl_dataset *row)
{
    return write_rows(user, row, NULL);
}

/* ---- what an interrupted call wrote ---- */

static icl_status not_the_same(const labelling *work, size_t line)
{
    return icl_error_set(ICL_EINVAL,
                         "%s:%zu: the row is not the one that was labelled before the "
                         "interruption",
                         work->rows.name, line);
}

/* A line is taken where it is, byte for byte, what its label and confidence make of the row. */
static icl_status take_done(labelling *work, const icl_dataset *rows, const json_t *done)
{
    const icl_annotator *annotator = work->annotator;
    const icl_example *example = icl_dataset_at(rows, 0);
    const json_t *label =
        json_object_get(done, icl_task_text(annotator->options.run.task, ICL_TASK_LABEL_FIELD));
    const double confidence = json_real_value(json_object_get(done, confidence_field));
    const bool abstains = json_object_get(done, abstain_field) != NULL;
    icl_text line = { 0 };
    if (!json_is_string(label) && !json_is_null(label))
        return not_the_same(work, icl_example_line(example));
    icl_status status =
        make_line(&line, work, example, json_string_value(label), confidence, abstains);
    const size_t length = line.length > 0 ? line.length - 1 : 0;
    if (status == ICL_OK &&
        (length != work->done.bytes.length ||
         memcmp(icl_text_string(&line), icl_text_string(&work->done.bytes), length) != 0))
        status = not_the_same(work, icl_example_line(example));
    if (status == ICL_OK)
        status =
            count_row(work, json_string_value(label), confidence, abstains, icl_text_string(&line));
    icl_text_deinit(&line);
    if (status == ICL_OK) work->annotator->summary.done_rows++;
    return status;
}

static icl_status take_all_done(labelling *work)
{
    icl_status status = ICL_OK;
    while (status == ICL_OK) {
        json_t *done = NULL;
        icl_dataset *row = NULL;
        status = icl_jsonl_next(&work->done, &done);
        if (status != ICL_OK || done == NULL) break;
        status = icl_annotate_rows_next(&row, &work->rows, 1);
        if (status == ICL_OK)
            status = row != NULL ? take_done(work, row, done)
                                 : icl_error_set(ICL_EINVAL,
                                                 "%s: there are fewer rows than were labelled "
                                                 "before the interruption",
                                                 work->rows.name);
        icl_dataset_close(row);
        json_decref(done);
    }
    return status;
}

/* ---- all of it ---- */

static icl_status label_all(labelling *work)
{
    if (work->stream->done != NULL) ICL_TRY(take_all_done(work));
    for (;;) {
        icl_dataset *chunk = NULL;
        ICL_TRY(icl_annotate_rows_next(&chunk, &work->rows, work->annotator->options.chunk_rows));
        if (chunk == NULL) return ICL_OK;
        const icl_status status = icl_annotate_parts(chunk, label_rows, leave_row, work);
        icl_dataset_close(chunk);
        if (status != ICL_OK) return status;
    }
}

icl_status icl_annotator_label(icl_annotator *annotator, const icl_annotate_stream *stream)
{
    assert(annotator->summary.temperature > 0);
    labelling work = { .annotator = annotator,
                       .stream = stream,
                       .done = { .stream = stream->done, .name = "lines labelled before" } };
    annotator->summary.rows = annotator->summary.done_rows = 0;
    annotator->summary.abstained = annotator->summary.too_long = 0;
    icl_review_close(&annotator->review);
    icl_status status = icl_review_open(&annotator->review, stream->review);
    if (status == ICL_OK) status = icl_annotate_rows_open(&work.rows, annotator, &stream->in);
    if (status == ICL_OK) status = label_all(&work);
    icl_annotate_rows_close(&work.rows);
    icl_jsonl_deinit(&work.done);
    return status;
}
