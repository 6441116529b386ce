#include "base/inflate.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "base/error.h"
#include "base/file.h"

enum { CHUNK_BYTES = 1 << 16 };

/* A file being opened. */
typedef struct opening {
    icl_text *out;
    const char *path;
    const icl_text *packed;
    size_t bytes_max, bytes_left; /* of text */
} opening;

static icl_status take(opening *file, const char *bytes, size_t length)
{
    if (length > file->bytes_left)
        return icl_error_set(ICL_EPARSE, "\"%s\" opens to more than the %zu bytes allowed",
                             file->path, file->bytes_max);
    icl_text_append(file->out, bytes, length);
    file->bytes_left -= length;
    return icl_text_status(file->out);
}

static icl_status cut_off(const opening *file, const char *kind)
{
    return icl_error_set(ICL_EPARSE, "\"%s\" is cut off: its %s data ends after %zu bytes",
                         file->path, kind, file->packed->length);
}

/* --- gzip --- */

/* The next piece of text; *out_more turns false behind the last member. */
static icl_status gzip_step(opening *file, z_stream *stream, bool *out_more)
{
    char chunk[CHUNK_BYTES];
    stream->next_out = (Bytef *)chunk;
    stream->avail_out = CHUNK_BYTES;
    const int result = inflate(stream, Z_NO_FLUSH);
    ICL_TRY(take(file, chunk, CHUNK_BYTES - stream->avail_out));
    if (result == Z_BUF_ERROR) return cut_off(file, "gzip");
    if (result != Z_OK && result != Z_STREAM_END)
        return icl_error_set(ICL_EPARSE, "\"%s\" holds damaged gzip data: %s", file->path,
                             stream->msg == NULL ? zError(result) : stream->msg);
    if (result == Z_STREAM_END) *out_more = stream->avail_in > 0 && inflateReset(stream) == Z_OK;
    return ICL_OK;
}

static icl_status open_gzip(opening *file)
{
    if (file->packed->length > UINT32_MAX)
        return icl_error_set(ICL_EUNSUPPORTED, "\"%s\" is larger than 4 GiB", file->path);
    z_stream stream = { .next_in = (Bytef *)file->packed->bytes,
                        .avail_in = (uInt)file->packed->length };
    enum { GZIP_WINDOW_BITS = 15 + 16 };
    if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
        return icl_error_set(ICL_ENOMEM, "out of memory while opening \"%s\"", file->path);
    bool more = true;
    icl_status status = ICL_OK;
    while (status == ICL_OK && more) status = gzip_step(file, &stream, &more);
    inflateEnd(&stream);
    return status;
}

/* --- zstd --- */

static icl_status open_zstd(opening *file)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (stream == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory while opening \"%s\"", file->path);
    ZSTD_inBuffer in = { .src = file->packed->bytes, .size = file->packed->length };
    char chunk[CHUNK_BYTES];
    size_t wanted = 1; /* 0 at the end of a frame */
    bool full = false; /* there may be text left in the decoder */
    icl_status status = ICL_OK;
    while (status == ICL_OK && (in.pos < in.size || full)) {
        ZSTD_outBuffer to = { .dst = chunk, .size = sizeof chunk };
        wanted = ZSTD_decompressStream(stream, &to, &in);
        full = to.pos == to.size;
        if (ZSTD_isError(wanted))
            status = icl_error_set(ICL_EPARSE, "\"%s\" holds damaged zstd data: %s", file->path,
                                   ZSTD_getErrorName(wanted));
        else
            status = take(file, chunk, to.pos);
    }
    ZSTD_freeDStream(stream);
    if (status == ICL_OK && wanted != 0) status = cut_off(file, "zstd");
    return status;
}

/* --- which --- */

static bool begins_with(const icl_text *text, const char *magic, size_t length)
{
    return text->length >= length && memcmp(text->bytes, magic, length) == 0;
}

icl_status icl_file_read_inflated(icl_text *out, const char *path, size_t bytes_max)
{
    icl_text packed = { 0 };
    icl_status status = icl_file_read(&packed, path, bytes_max);
    opening file = {
        .out = out, .path = path, .packed = &packed, .bytes_max = bytes_max, .bytes_left = bytes_max
    };
    if (status != ICL_OK) goto cleanup;
    if (begins_with(&packed, "\x1F\x8B", 2))
        status = open_gzip(&file);
    else if (begins_with(&packed, "\x28\xB5\x2F\xFD", 4))
        status = open_zstd(&file);
    else
        status = take(&file, icl_text_string(&packed), packed.length);

cleanup:
    icl_text_deinit(&packed);
    return status;
}
