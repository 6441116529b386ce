#include "data/jsonl.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"

static bool is_blank(const icl_text *line)
{
    return strspn(icl_text_string(line), " \t") == line->length;
}

/* Bytes that no JSON text may hold; the parser would report them without saying where. */
static icl_status check_bytes(const icl_jsonl *reader)
{
    const char *bytes = icl_text_string(&reader->bytes);
    const size_t length = reader->bytes.length;
    const char *nul = memchr(bytes, '\0', length);
    if (nul != NULL)
        return icl_error_set(ICL_EPARSE, "%s:%zu:%zu: NUL byte in the line", reader->name,
                             reader->line, (size_t)(nul - bytes) + 1);
    const size_t valid = icl_utf8_valid_length(bytes, length);
    if (valid < length)
        return icl_error_set(ICL_EPARSE, "%s:%zu: invalid UTF-8: byte 0x%02x at byte offset %zu",
                             reader->name, reader->line, (unsigned char)bytes[valid], valid);
    return ICL_OK;
}

static icl_status parse(json_t **out_row, const icl_jsonl *reader)
{
    ICL_TRY(check_bytes(reader));
    json_error_t error;
    json_t *row = json_loadb(reader->bytes.bytes, reader->bytes.length,
                             JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (row == NULL && json_error_code(&error) == json_error_null_character)
        return icl_error_set(ICL_EPARSE, "%s:%zu:%d: the text holds \\u0000, a NUL character",
                             reader->name, reader->line, error.column);
    if (row == NULL)
        return icl_error_set(ICL_EPARSE, "%s:%zu:%d: invalid JSON: %s", reader->name, reader->line,
                             error.column, error.text);
    if (!json_is_object(row)) {
        json_decref(row);
        return icl_error_set(ICL_EPARSE, "%s:%zu: the line is not a JSON object", reader->name,
                             reader->line);
    }
    *out_row = row;
    return ICL_OK;
}

icl_status icl_jsonl_next(icl_jsonl *reader, json_t **out_row)
{
    static const char mark[] = "\xEF\xBB\xBF";
    *out_row = NULL;
    do {
        bool too_long = false;
        errno = 0;
        const bool any = icl_line_read(&reader->bytes, reader->stream, &too_long);
        if (ferror(reader->stream))
            return icl_error_set(ICL_EIO, "cannot read \"%s\": %s", reader->name, strerror(errno));
        if (!any) return ICL_OK;
        reader->line++;
        if (too_long)
            return icl_error_set(ICL_EPARSE, "%s:%zu: the line is longer than %d bytes",
                                 reader->name, reader->line, ICL_LINE_BYTES_MAX);
        ICL_TRY(icl_text_status(&reader->bytes));
        if (reader->line == 1 && reader->bytes.length >= 3 &&
            memcmp(reader->bytes.bytes, mark, 3) == 0) {
            reader->bytes.length -= 3;
            memmove(reader->bytes.bytes, reader->bytes.bytes + 3, reader->bytes.length + 1);
        }
    } while (is_blank(&reader->bytes));
    return parse(out_row, reader);
}

void icl_jsonl_deinit(icl_jsonl *reader)
{
    icl_text_deinit(&reader->bytes);
}
