#include "data/example.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/string_map.h"
#include "base/text.h"
#include "data/csv.h"
#include "data/field.h"
#include "data/jsonl.h"
#include "data/label_space.h"

struct icl_example {
    json_t *row;
    char *id;
    char *input;
    size_t label;
    size_t line;
};

struct icl_dataset {
    char *name;
    icl_label_space *labels;
    icl_example *examples; /* [count] */
    size_t count, capacity;
    icl_string_map ids; /* of the examples' ids, which it borrows */
};

struct icl_dataset_reader {
    icl_dataset *dataset; /* the rows being read */
    icl_dataset_options options;
    char *name;
    icl_text stem; /* of made ids */
    icl_jsonl jsonl;
    icl_csv *csv;       /* NULL: JSON lines */
    icl_status failure; /* met behind rows that were given out, and its sentence */
    char *sentence;
};
typedef icl_dataset_reader reading;

icl_dataset_options icl_dataset_options_default(void)
{
    static const char *const text_field[] = { "text" };
    return (icl_dataset_options){ .format = ICL_FORMAT_AUTO,
                                  .input_fields = text_field,
                                  .input_field_count = 1,
                                  .label_field = "label",
                                  .id_field = "id",
                                  .require_label = true };
}

/* --- one row --- */

static icl_status missing_field(const reading *in, const json_t *row, size_t line,
                                const char *field)
{
    char shown[ICL_QUOTE_BYTES], key_shown[ICL_QUOTE_BYTES];
    icl_text present = { 0 };
    enum { SHOWN_MAX = 6 };
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)row, key, value)
    {
        if (count++ >= SHOWN_MAX) continue;
        icl_text_printf(&present, "%s%s", count > 1 ? ", " : "",
                        icl_quote(key_shown, key, strlen(key)));
    }
    if (count > SHOWN_MAX) icl_text_printf(&present, " and %zu more", count - SHOWN_MAX);
    icl_error_set(ICL_EPARSE, "%s:%zu: field %s is missing; the row has %s", in->dataset->name,
                  line, icl_quote(shown, field, strlen(field)),
                  count == 0 ? "no fields" : icl_text_string(&present));
    icl_text_deinit(&present);
    return ICL_EPARSE;
}

static icl_status wrong_kind(const reading *in, size_t line, const char *field)
{
    char shown[ICL_QUOTE_BYTES];
    return icl_error_set(ICL_EPARSE, "%s:%zu: field %s is not a string, a number or a boolean",
                         in->dataset->name, line, icl_quote(shown, field, strlen(field)));
}

static icl_status read_input(char **out, const reading *in, const json_t *row, size_t line)
{
    icl_text input = { 0 };
    for (size_t i = 0; i < in->options.input_field_count; i++) {
        const char *field = in->options.input_fields[i];
        const json_t *value = json_object_get(row, field);
        if (i > 0) icl_text_append_char(&input, '\n');
        if (value == NULL || !icl_field_append(&input, value)) {
            icl_text_deinit(&input);
            return value == NULL ? missing_field(in, row, line, field)
                                 : wrong_kind(in, line, field);
        }
    }
    *out = icl_text_take(&input, NULL);
    if (*out == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an example");
    return ICL_OK;
}

/* A row's text under `field`; empty when absent or null. */
static icl_status read_optional(icl_text *out, const reading *in, const json_t *row, size_t line,
                                const char *field)
{
    const json_t *value = field == NULL ? NULL : json_object_get(row, field);
    if (value == NULL || json_is_null(value)) return ICL_OK;
    if (!icl_field_append(out, value)) return wrong_kind(in, line, field);
    return icl_text_status(out);
}

static icl_status unknown_label(const reading *in, size_t line, const char *label)
{
    char shown[ICL_QUOTE_BYTES], near_shown[ICL_QUOTE_BYTES];
    const char *nearest = icl_label_space_nearest(in->dataset->labels, label);
    icl_quote(shown, label, strlen(label));
    if (nearest == NULL)
        return icl_error_set(ICL_EPARSE, "%s:%zu: label %s is not in the label space",
                             in->dataset->name, line, shown);
    return icl_error_set(ICL_EPARSE, "%s:%zu: label %s is not in the label space; did you mean %s?",
                         in->dataset->name, line, shown,
                         icl_quote(near_shown, nearest, strlen(nearest)));
}

static icl_status read_label(size_t *out, const reading *in, const json_t *row, size_t line)
{
    icl_text text = { 0 };
    const char *field = in->options.label_field;
    *out = ICL_LABEL_NONE;
    icl_status status = read_optional(&text, in, row, line, field);
    const char *label = icl_text_string(&text);
    if (status != ICL_OK || field == NULL) {
        icl_text_deinit(&text);
        return status;
    }
    if (text.length == 0) {
        if (in->options.require_label) status = missing_field(in, row, line, field);
        if (in->options.require_label && json_object_get(row, field) != NULL)
            status =
                icl_error_set(ICL_EPARSE, "%s:%zu: the label is empty", in->dataset->name, line);
    } else if (in->options.labels == NULL) {
        status = icl_label_space_add(in->dataset->labels, label, out);
    } else {
        *out = icl_label_space_find(in->dataset->labels, label);
        if (*out == ICL_LABEL_NONE) status = unknown_label(in, line, label);
    }
    icl_text_deinit(&text);
    return status;
}

static icl_status read_id(char **out, const reading *in, const json_t *row, size_t line)
{
    icl_text id = { 0 };
    const icl_status status = read_optional(&id, in, row, line, in->options.id_field);
    if (status != ICL_OK) {
        icl_text_deinit(&id);
        return status;
    }
    if (id.length == 0) icl_text_printf(&id, "%s-%zu", icl_text_string(&in->stem), line);
    *out = icl_text_take(&id, NULL);
    if (*out == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an example");
    return ICL_OK;
}

static void example_deinit(icl_example *example)
{
    json_decref(example->row);
    free(example->id);
    free(example->input);
}

static icl_status reserve_one(icl_dataset *dataset)
{
    if (dataset->count < dataset->capacity) return ICL_OK;
    const size_t capacity = dataset->capacity == 0 ? 64 : dataset->capacity * 2;
    icl_example *grown = realloc(dataset->examples, capacity * sizeof *grown);
    if (grown == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the examples");
    dataset->examples = grown;
    dataset->capacity = capacity;
    return ICL_OK;
}

/* Puts the example under its id, which no earlier one may have. */
static icl_status store(icl_dataset *dataset, const icl_example *example)
{
    ICL_TRY(reserve_one(dataset));
    size_t index = dataset->count;
    ICL_TRY(icl_string_map_add(&dataset->ids, example->id, &index));
    char shown[ICL_QUOTE_BYTES];
    if (index != dataset->count)
        return icl_error_set(ICL_EPARSE, "%s:%zu: id %s stands already on line %zu", dataset->name,
                             example->line, icl_quote(shown, example->id, strlen(example->id)),
                             dataset->examples[index].line);
    dataset->examples[dataset->count++] = *example;
    return ICL_OK;
}

static icl_status add_row(reading *in, json_t *row_taken, size_t line)
{
    icl_example example = { .row = row_taken, .line = line };
    icl_status status = read_input(&example.input, in, row_taken, line);
    if (status == ICL_OK) status = read_label(&example.label, in, row_taken, line);
    if (status == ICL_OK) status = read_id(&example.id, in, row_taken, line);
    if (status == ICL_OK) status = store(in->dataset, &example);
    if (status != ICL_OK) example_deinit(&example);
    return status;
}

/* --- one file --- */

static icl_status csv_row(json_t **out, const icl_csv *csv)
{
    json_t *row = json_object();
    for (size_t i = 0; row != NULL && i < icl_csv_column_count(csv); i++) {
        /* The reader has checked the bytes; json_stringn would check them again. */
        json_t *cell = json_stringn_nocheck(icl_csv_cell(csv, i), icl_csv_cell_length(csv, i));
        if (json_object_set_new_nocheck(row, icl_csv_column(csv, i), cell) == 0) continue;
        json_decref(row);
        row = NULL;
    }
    if (row == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a CSV record");
    *out = row;
    return ICL_OK;
}

/* *out_row is NULL at the end of the stream. */
static icl_status next_row(json_t **out_row, size_t *out_line, reading *in)
{
    bool more = true;
    *out_row = NULL;
    if (in->csv == NULL) {
        ICL_TRY(icl_jsonl_next(&in->jsonl, out_row));
        *out_line = in->jsonl.line;
        return ICL_OK;
    }
    ICL_TRY(icl_csv_next(in->csv, &more));
    *out_line = icl_csv_line(in->csv);
    return more ? csv_row(out_row, in->csv) : ICL_OK;
}

static icl_status read_rows(reading *in, size_t count_max)
{
    while (in->dataset->count < count_max) {
        json_t *row = NULL;
        size_t line = 0;
        ICL_TRY(next_row(&row, &line, in));
        if (row == NULL) return ICL_OK;
        ICL_TRY(add_row(in, row, line));
    }
    return ICL_OK;
}

static icl_status format_of(icl_format *out, const char *name)
{
    static const struct {
        const char *extension;
        icl_format format;
    } known[] = {
        { ".jsonl", ICL_FORMAT_JSONL }, { ".ndjson", ICL_FORMAT_JSONL },
        { ".json", ICL_FORMAT_JSONL },  { ".csv", ICL_FORMAT_CSV },
        { ".tsv", ICL_FORMAT_TSV },     { ".tab", ICL_FORMAT_TSV },
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(dot, known[i].extension) != 0) continue;
        *out = known[i].format;
        return ICL_OK;
    }
    return icl_error_set(
        ICL_EINVAL, "the extension of \"%s\" does not tell its format: use .jsonl, .csv or .tsv",
        name);
}

static void append_stem(icl_text *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(base, '.');
    icl_text_append(out, base, dot == NULL || dot == base ? strlen(base) : (size_t)(dot - base));
}

static icl_status begin_rows(reading *in, const char *name)
{
    icl_dataset *dataset = calloc(1, sizeof *dataset);
    if (dataset == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the examples");
    in->dataset = dataset;
    dataset->name = icl_string_copy(name, strlen(name));
    if (dataset->name == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the examples");
    if (in->options.labels != NULL)
        return icl_label_space_copy(&dataset->labels, in->options.labels);
    return icl_label_space_new(&dataset->labels, NULL, 0);
}

static icl_status begin_stream(reading *in, FILE *stream, const char *name)
{
    icl_format format = in->options.format;
    assert(in->options.input_field_count > 0);
    if (format == ICL_FORMAT_AUTO) ICL_TRY(format_of(&format, name));
    in->name = icl_string_copy(name, strlen(name));
    if (in->name == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the examples");
    if (in->options.id_stem != NULL)
        icl_text_append_string(&in->stem, in->options.id_stem);
    else
        append_stem(&in->stem, name);
    ICL_TRY(icl_text_status(&in->stem));
    in->jsonl = (icl_jsonl){ .stream = stream, .name = in->name };
    if (format == ICL_FORMAT_JSONL) return ICL_OK;
    return icl_csv_new(&in->csv, stream, in->name, format == ICL_FORMAT_CSV ? ',' : '\t');
}

icl_status icl_dataset_reader_open(icl_dataset_reader **out, FILE *stream, const char *name,
                                   const icl_dataset_options *options)
{
    reading *in = calloc(1, sizeof *in);
    if (in == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the examples");
    in->options = options == NULL ? icl_dataset_options_default() : *options;
    const icl_status status = begin_stream(in, stream, name);
    if (status != ICL_OK) {
        icl_dataset_reader_close(in);
        return status;
    }
    *out = in;
    return ICL_OK;
}

void icl_dataset_reader_close(icl_dataset_reader *reader)
{
    if (reader == NULL) return;
    icl_dataset_close(reader->dataset);
    icl_jsonl_deinit(&reader->jsonl);
    icl_csv_free(reader->csv);
    icl_text_deinit(&reader->stem);
    free(reader->sentence);
    free(reader->name);
    free(reader);
}

/* What went wrong behind rows that go out now is said in their place next time. */
static icl_status keep_failure(reading *in, icl_status status)
{
    if (status == ICL_OK || in->dataset->count == 0) return status;
    in->failure = status;
    in->sentence = icl_string_copy(icl_error_message(), strlen(icl_error_message()));
    return in->sentence != NULL ? ICL_OK : icl_error_set(ICL_ENOMEM, "out of memory");
}

icl_status icl_dataset_reader_next(icl_dataset **out, icl_dataset_reader *reader, size_t count_max)
{
    assert(count_max > 0);
    *out = NULL;
    if (reader->failure != ICL_OK) return icl_error_set(reader->failure, "%s", reader->sentence);
    icl_status status = begin_rows(reader, reader->name);
    if (status == ICL_OK) status = keep_failure(reader, read_rows(reader, count_max));
    if (status == ICL_OK && reader->dataset->count > 0) {
        *out = reader->dataset;
        reader->dataset = NULL;
    }
    icl_dataset_close(reader->dataset);
    reader->dataset = NULL;
    return status;
}

icl_status icl_dataset_read(icl_dataset **out, FILE *stream, const char *name,
                            const icl_dataset_options *options)
{
    icl_dataset_reader *in = NULL;
    ICL_TRY(icl_dataset_reader_open(&in, stream, name, options));
    icl_status status = begin_rows(in, name);
    if (status == ICL_OK) status = read_rows(in, SIZE_MAX);
    if (status == ICL_OK && in->dataset->count == 0)
        status = icl_error_set(ICL_EPARSE, "%s: the file holds no examples", name);
    if (status == ICL_OK) {
        *out = in->dataset;
        in->dataset = NULL;
    }
    icl_dataset_reader_close(in);
    return status;
}

icl_status icl_dataset_open(icl_dataset **out, const char *path, const icl_dataset_options *options)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL)
        return icl_error_set(ICL_EIO, "cannot open \"%s\": %s", path, strerror(errno));
    const icl_status status = icl_dataset_read(out, stream, path, options);
    fclose(stream);
    return status;
}

static icl_status copy_example(icl_dataset *to, const icl_example *from)
{
    icl_example copy = { .row = json_incref(from->row),
                         .id = icl_string_copy(from->id, strlen(from->id)),
                         .input = icl_string_copy(from->input, strlen(from->input)),
                         .label = from->label,
                         .line = from->line };
    icl_status status = ICL_OK;
    if (copy.id == NULL || copy.input == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for the examples");
    if (status == ICL_OK) status = store(to, &copy);
    if (status != ICL_OK) example_deinit(&copy);
    return status;
}

icl_status icl_dataset_subset(icl_dataset **out, const icl_dataset *dataset, const size_t *items,
                              size_t count)
{
    assert(count > 0);
    reading in = { .options = { .labels = dataset->labels } };
    icl_status status = begin_rows(&in, dataset->name);
    for (size_t i = 0; i < count && status == ICL_OK; i++)
        status = copy_example(in.dataset, icl_dataset_at(dataset, items[i]));
    if (status == ICL_OK)
        *out = in.dataset;
    else
        icl_dataset_close(in.dataset);
    return status;
}

void icl_dataset_close(icl_dataset *dataset)
{
    if (dataset == NULL) return;
    icl_string_map_deinit(&dataset->ids);
    for (size_t i = 0; i < dataset->count; i++) example_deinit(&dataset->examples[i]);
    free(dataset->examples);
    icl_label_space_free(dataset->labels);
    free(dataset->name);
    free(dataset);
}

/* --- getters --- */

size_t icl_dataset_count(const icl_dataset *dataset)
{
    return dataset->count;
}

const icl_example *icl_dataset_at(const icl_dataset *dataset, size_t index)
{
    assert(index < dataset->count);
    return &dataset->examples[index];
}

size_t icl_dataset_find(const icl_dataset *dataset, const char *id)
{
    return icl_string_map_find(&dataset->ids, id);
}

const icl_label_space *icl_dataset_labels(const icl_dataset *dataset)
{
    return dataset->labels;
}

const char *icl_dataset_name(const icl_dataset *dataset)
{
    return dataset->name;
}

const char *icl_example_id(const icl_example *example)
{
    return example->id;
}

const char *icl_example_input(const icl_example *example)
{
    return example->input;
}

const char *icl_example_text(const icl_example *example, const char *field)
{
    return json_string_value(json_object_get(example->row, field));
}

size_t icl_example_label(const icl_example *example)
{
    return example->label;
}

size_t icl_example_line(const icl_example *example)
{
    return example->line;
}

const json_t *icl_example_row(const icl_example *example)
{
    return example->row;
}
