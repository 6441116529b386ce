#include "data/csv.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/quote.h"
#include "base/string_map.h"
#include "base/text.h"

/* The cells of one record: all bytes in one buffer, a NUL after each cell. */
typedef struct record {
    icl_text bytes;
    size_t *starts; /* [count + 1], offsets into bytes; the last one is its length */
    size_t count, capacity;
    size_t line; /* where the record starts */
} record;

struct icl_csv {
    FILE *stream;
    const char *name;
    int separator;
    size_t line; /* line of the next byte */
    bool after_cr;
    int pending[3]; /* bytes read while looking for a byte order mark, last one first */
    size_t pending_count;
    record header, current;
};

static void record_deinit(record *cells)
{
    icl_text_deinit(&cells->bytes);
    free(cells->starts);
}

static const char *cell_bytes(const record *cells, size_t cell)
{
    return cells->bytes.bytes + cells->starts[cell];
}

static size_t cell_length(const record *cells, size_t cell)
{
    return cells->starts[cell + 1] - cells->starts[cell] - 1;
}

static int next_byte(icl_csv *csv)
{
    const int byte =
        csv->pending_count > 0 ? csv->pending[--csv->pending_count] : getc_unlocked(csv->stream);
    if (byte == '\r' || (byte == '\n' && !csv->after_cr)) csv->line++;
    csv->after_cr = byte == '\r';
    return byte;
}

static void skip_byte_order_mark(icl_csv *csv)
{
    static const int mark[] = { 0xEF, 0xBB, 0xBF };
    int seen[3];
    size_t count = 0;
    do seen[count] = getc_unlocked(csv->stream);
    while (seen[count] == mark[count] && ++count < 3);
    if (count == 3) return;
    for (size_t i = count + 1; i > 0; i--) csv->pending[csv->pending_count++] = seen[i - 1];
}

static bool ends_cell(const icl_csv *csv, int byte)
{
    return byte == csv->separator || byte == '\n' || byte == '\r' || byte == EOF;
}

static icl_status keep_byte(icl_csv *csv, record *cells, int byte)
{
    if (byte == '\0')
        return icl_error_set(ICL_EPARSE, "%s:%zu: NUL byte in column %zu", csv->name, csv->line,
                             cells->count + 1);
    if (cells->bytes.length >= ICL_LINE_BYTES_MAX)
        return icl_error_set(ICL_EPARSE, "%s:%zu: the record is longer than %d bytes", csv->name,
                             cells->line, ICL_LINE_BYTES_MAX);
    icl_text_append_char(&cells->bytes, (char)byte);
    return ICL_OK;
}

/* The rest of a cell whose opening quote has been read, and the byte after its closing quote. */
static icl_status read_quoted(icl_csv *csv, record *cells, int *out_end)
{
    const size_t opened_line = csv->line;
    int byte;
    for (;;) {
        byte = next_byte(csv);
        if (byte == EOF)
            return icl_error_set(ICL_EPARSE, "%s:%zu: the quote opened in column %zu never closes",
                                 csv->name, opened_line, cells->count + 1);
        if (byte == '"' && (byte = next_byte(csv)) != '"') break;
        ICL_TRY(keep_byte(csv, cells, byte));
    }
    if (!ends_cell(csv, byte))
        return icl_error_set(ICL_EPARSE, "%s:%zu: text after the closing quote of column %zu",
                             csv->name, csv->line, cells->count + 1);
    *out_end = byte;
    return ICL_OK;
}

static icl_status begin_cell(record *cells)
{
    if (cells->count + 1 >= cells->capacity) {
        const size_t capacity = cells->capacity == 0 ? 16 : cells->capacity * 2;
        size_t *grown = realloc(cells->starts, capacity * sizeof *grown);
        if (grown == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a CSV record");
        cells->starts = grown;
        cells->capacity = capacity;
    }
    cells->starts[cells->count] = cells->bytes.length;
    return ICL_OK;
}

static icl_status end_cell(const icl_csv *csv, record *cells)
{
    icl_text_append_char(&cells->bytes, '\0');
    ICL_TRY(icl_text_status(&cells->bytes));
    cells->starts[++cells->count] = cells->bytes.length;
    const char *bytes = cell_bytes(cells, cells->count - 1);
    const size_t length = cell_length(cells, cells->count - 1);
    const size_t valid = icl_utf8_valid_length(bytes, length);
    if (valid < length)
        return icl_error_set(
            ICL_EPARSE, "%s:%zu: invalid UTF-8: byte 0x%02x at byte offset %zu of column %zu",
            csv->name, cells->line, (unsigned char)bytes[valid], valid, cells->count);
    return ICL_OK;
}

/* One cell that begins with `first`; *out_end is the byte that ended it. */
static icl_status read_cell(icl_csv *csv, record *cells, int first, int *out_end)
{
    ICL_TRY(begin_cell(cells));
    if (first == '"') {
        ICL_TRY(read_quoted(csv, cells, out_end));
    } else {
        int byte = first;
        for (; !ends_cell(csv, byte); byte = next_byte(csv)) ICL_TRY(keep_byte(csv, cells, byte));
        *out_end = byte;
    }
    return end_cell(csv, cells);
}

static icl_status read_record(icl_csv *csv, record *cells, bool *out_any)
{
    int byte;
    icl_text_clear(&cells->bytes);
    cells->count = 0;
    do byte = next_byte(csv); /* blank lines, and the \n of \r\n */
    while (byte == '\n' || byte == '\r');
    cells->line = csv->line;
    *out_any = byte != EOF;
    if (byte != EOF) {
        ICL_TRY(read_cell(csv, cells, byte, &byte));
        while (byte == csv->separator) ICL_TRY(read_cell(csv, cells, next_byte(csv), &byte));
    }
    if (ferror(csv->stream))
        return icl_error_set(ICL_EIO, "cannot read \"%s\": %s", csv->name, strerror(errno));
    return ICL_OK;
}

static icl_status read_header(icl_csv *csv)
{
    bool any = false;
    errno = 0;
    skip_byte_order_mark(csv);
    ICL_TRY(read_record(csv, &csv->header, &any));
    if (!any) return icl_error_set(ICL_EPARSE, "%s: the file is empty: no header line", csv->name);
    icl_string_map names = { 0 };
    icl_status status = ICL_OK;
    for (size_t i = 0; i < csv->header.count && status == ICL_OK; i++) {
        size_t index = i;
        const char *column = cell_bytes(&csv->header, i);
        status = icl_string_map_add(&names, column, &index);
        char shown[ICL_QUOTE_BYTES];
        if (status == ICL_OK && index != i)
            status = icl_error_set(ICL_EPARSE, "%s:%zu: column name %s stands twice", csv->name,
                                   csv->header.line, icl_quote(shown, column, strlen(column)));
    }
    icl_string_map_deinit(&names);
    return status;
}

icl_status icl_csv_new(icl_csv **out, FILE *stream, const char *name, char separator)
{
    icl_csv *csv = calloc(1, sizeof *csv);
    if (csv == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    *csv = (icl_csv){ .stream = stream, .name = name, .separator = separator, .line = 1 };
    const icl_status status = read_header(csv);
    if (status == ICL_OK)
        *out = csv;
    else
        icl_csv_free(csv);
    return status;
}

void icl_csv_free(icl_csv *csv)
{
    if (csv == NULL) return;
    record_deinit(&csv->header);
    record_deinit(&csv->current);
    free(csv);
}

icl_status icl_csv_next(icl_csv *csv, bool *out_more)
{
    bool any = false;
    errno = 0;
    ICL_TRY(read_record(csv, &csv->current, &any));
    if (any && csv->current.count != csv->header.count)
        return icl_error_set(ICL_EPARSE, "%s:%zu: the record has %zu cells, the header has %zu",
                             csv->name, csv->current.line, csv->current.count, csv->header.count);
    *out_more = any;
    return ICL_OK;
}

size_t icl_csv_column_count(const icl_csv *csv)
{
    return csv->header.count;
}

const char *icl_csv_column(const icl_csv *csv, size_t column)
{
    assert(column < csv->header.count);
    return cell_bytes(&csv->header, column);
}

const char *icl_csv_cell(const icl_csv *csv, size_t column)
{
    assert(column < csv->current.count);
    return cell_bytes(&csv->current, column);
}

size_t icl_csv_cell_length(const icl_csv *csv, size_t column)
{
    assert(column < csv->current.count);
    return cell_length(&csv->current, column);
}

size_t icl_csv_line(const icl_csv *csv)
{
    return csv->current.line;
}
