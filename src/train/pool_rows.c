#include "train/pool_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "base/error.h"
#include "base/inflate.h"
#include "base/quote.h"
#include "data/csv.h"
#include "data/field.h"
#include "data/jsonl.h"

static const size_t FILE_BYTES_MAX = (size_t)4 << 30;

enum { FIELDS_MAX = 64 /* of a row, as far as an error sentence looks */ };

/* A pool's file being read. */
typedef struct reading {
    const icl_pool_options *options;
    icl_pool_visit visit;
    void *user;
    icl_text text, label, value; /* of the row at hand */
} reading;

/* One row, of either format. */
typedef struct row {
    const json_t *object;
    const icl_csv *csv; /* NULL: `object` */
    size_t line;
} row;

static size_t field_names(const char *names[FIELDS_MAX], const row *from)
{
    size_t count = 0;
    const char *key;
    json_t *value;
    if (from->csv != NULL) {
        for (; count < icl_csv_column_count(from->csv) && count < FIELDS_MAX; count++)
            names[count] = icl_csv_column(from->csv, count);
        return count;
    }
    json_object_foreach((json_t *)from->object, key, value)
    {
        if (count < FIELDS_MAX) names[count++] = key;
    }
    return count;
}

static icl_status no_field(const reading *in, const row *from, const char *field)
{
    char shown[ICL_QUOTE_BYTES], other[ICL_QUOTE_BYTES];
    const char *names[FIELDS_MAX];
    const size_t count = field_names(names, from);
    size_t nearest = icl_nearest_name(field, names, count);
    icl_quote(shown, field, strlen(field));
    if (nearest < count)
        return icl_error_set(ICL_ENOTFOUND, "%s:%zu: the row has no field %s; did you mean %s?",
                             in->options->path, from->line, shown,
                             icl_quote(other, names[nearest], strlen(names[nearest])));
    icl_text known = { 0 };
    for (size_t i = 0; i < count; i++)
        icl_text_printf(&known, "%s%s", i == 0 ? "" : ", ",
                        icl_quote(other, names[i], strlen(names[i])));
    icl_error_set(ICL_ENOTFOUND, "%s:%zu: the row has no field %s; it has %s", in->options->path,
                  from->line, shown, count == 0 ? "none" : icl_text_string(&known));
    icl_text_deinit(&known);
    return ICL_ENOTFOUND;
}

/* Appends the field's value to `out`. */
static icl_status append_field(icl_text *out, const reading *in, const row *from, const char *field)
{
    if (from->csv != NULL) {
        for (size_t i = 0; i < icl_csv_column_count(from->csv); i++) {
            if (strcmp(icl_csv_column(from->csv, i), field) != 0) continue;
            icl_text_append(out, icl_csv_cell(from->csv, i), icl_csv_cell_length(from->csv, i));
            return icl_text_status(out);
        }
        return no_field(in, from, field);
    }
    const json_t *value = json_object_get(from->object, field);
    char shown[ICL_QUOTE_BYTES];
    if (value == NULL) return no_field(in, from, field);
    if (!icl_field_append(out, value))
        return icl_error_set(ICL_EPARSE, "%s:%zu: field %s is not a string, a number or a boolean",
                             in->options->path, from->line, icl_quote(shown, field, strlen(field)));
    return icl_text_status(out);
}

/* "premise+hypothesis": the fields joined by a blank. */
static icl_status append_fields(icl_text *out, const reading *in, const row *from,
                                const char *fields)
{
    char *name = NULL;
    icl_status status = ICL_OK;
    for (const char *at = fields; status == ICL_OK; at++) {
        const size_t length = strcspn(at, "+");
        if (at != fields) icl_text_append_char(out, ' ');
        name = icl_string_copy(at, length);
        status = name == NULL ? icl_error_set(ICL_ENOMEM, "out of memory")
                              : append_field(out, in, from, name);
        free(name);
        at += length;
        if (*at == '\0') break;
    }
    return status;
}

static icl_status visit_row(reading *in, const row *from)
{
    const icl_pool_options *options = in->options;
    if (options->where_field != NULL) {
        icl_text_clear(&in->value);
        ICL_TRY(append_field(&in->value, in, from, options->where_field));
        if (strcmp(icl_text_string(&in->value), options->where_value) != 0) return ICL_OK;
    }
    icl_text_clear(&in->text);
    ICL_TRY(append_fields(&in->text, in, from, options->text_field));
    icl_text_clear(&in->label);
    if (options->label_field != NULL) {
        ICL_TRY(append_field(&in->label, in, from, options->label_field));
        if (in->label.length == 0)
            return icl_error_set(ICL_EPARSE, "%s:%zu: the label is empty", options->path,
                                 from->line);
    }
    return in->visit(in->user, icl_text_string(&in->text), in->text.length,
                     options->label_field == NULL ? NULL : icl_text_string(&in->label));
}

/* --- formats --- */

static icl_status read_jsonl(reading *in, FILE *stream)
{
    icl_jsonl reader = { .stream = stream, .name = in->options->path };
    json_t *object = NULL;
    icl_status status;
    while ((status = icl_jsonl_next(&reader, &object)) == ICL_OK && object != NULL) {
        status = visit_row(in, &(row){ .object = object, .line = reader.line });
        json_decref(object);
        if (status != ICL_OK) break;
    }
    icl_jsonl_deinit(&reader);
    return status;
}

static icl_status read_csv(reading *in, FILE *stream, char separator)
{
    icl_csv *csv = NULL;
    bool more = true;
    icl_status status = icl_csv_new(&csv, stream, in->options->path, separator);
    while (status == ICL_OK && (status = icl_csv_next(csv, &more)) == ICL_OK && more)
        status = visit_row(in, &(row){ .csv = csv, .line = icl_csv_line(csv) });
    icl_csv_free(csv);
    return status;
}

static icl_status read_plain(reading *in, const icl_text *bytes)
{
    const char *text = icl_text_string(bytes);
    const size_t valid = icl_utf8_valid_length(text, bytes->length);
    const bool marked = bytes->length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;
    if (valid < bytes->length)
        return icl_error_set(ICL_EPARSE, "%s: invalid UTF-8 at byte offset %zu", in->options->path,
                             valid);
    if (in->options->label_field != NULL || in->options->where_field != NULL)
        return icl_error_set(
            ICL_ENOTFOUND, "%s: plain text has no fields, so not \"%s\"", in->options->path,
            in->options->label_field != NULL ? in->options->label_field : in->options->where_field);
    return in->visit(in->user, text + (marked ? 3 : 0), bytes->length - (marked ? 3 : 0), NULL);
}

typedef enum form { FORM_JSONL, FORM_CSV, FORM_TSV, FORM_PLAIN } form;

/* By extension, less that of a compressed file. */
static form form_of(const char *path)
{
    static const struct {
        const char *extension;
        form is;
    } known[] = { { ".jsonl", FORM_JSONL }, { ".ndjson", FORM_JSONL }, { ".json", FORM_JSONL },
                  { ".csv", FORM_CSV },     { ".tsv", FORM_TSV },      { ".tab", FORM_TSV } };
    size_t length = strlen(path);
    static const char *const packed[] = { ".gz", ".zst" };
    for (size_t i = 0; i < 2; i++) {
        const size_t extra = strlen(packed[i]);
        if (length > extra && strcasecmp(path + length - extra, packed[i]) == 0) {
            length -= extra;
            break;
        }
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const size_t extra = strlen(known[i].extension);
        if (length > extra && strncasecmp(path + length - extra, known[i].extension, extra) == 0)
            return known[i].is;
    }
    return FORM_PLAIN;
}

static icl_status read_form(reading *in, const icl_text *bytes)
{
    const form is = form_of(in->options->path);
    if (bytes->length == 0)
        return icl_error_set(ICL_EPARSE, "%s: the file is empty", in->options->path);
    if (is == FORM_PLAIN) return read_plain(in, bytes);
    FILE *stream = fmemopen(bytes->bytes, bytes->length, "rb");
    if (stream == NULL)
        return icl_error_set(ICL_EIO, "cannot read \"%s\": %s", in->options->path, strerror(errno));
    const icl_status status = is == FORM_JSONL ? read_jsonl(in, stream)
                                               : read_csv(in, stream, is == FORM_CSV ? ',' : '\t');
    fclose(stream);
    return status;
}

icl_status icl_pool_rows_read(const icl_pool_options *options, icl_pool_visit visit, void *user)
{
    reading in = { .options = options, .visit = visit, .user = user };
    icl_text bytes = { 0 };
    icl_status status = icl_file_read_inflated(&bytes, options->path, FILE_BYTES_MAX);
    if (status == ICL_OK) status = read_form(&in, &bytes);
    icl_text_deinit(&in.value);
    icl_text_deinit(&in.label);
    icl_text_deinit(&in.text);
    icl_text_deinit(&bytes);
    return status;
}
