/* The rows that a person has to look at, least confident first: their lines wait in a temporary
 * file, so that memory holds no more than where each begins. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply/annotate_state.h"
#include "base/array.h"
#include "base/error.h"

static icl_status spool_failed(void)
{
    return icl_error_set(ICL_EIO, "cannot keep the rows to review in a temporary file: %s",
                         strerror(errno));
}

icl_status icl_review_open(icl_review *out, bool wanted)
{
    *out = (icl_review){ 0 };
    if (!wanted) return ICL_OK;
    out->spool = tmpfile();
    return out->spool != NULL ? ICL_OK : spool_failed();
}

icl_status icl_review_add(icl_review *review, double confidence, const char *line)
{
    if (review->spool == NULL) return ICL_OK;
    ICL_TRY(icl_array_reserve(&review->entries, &review->capacity, review->count + 1));
    const icl_review_entry entry = { .confidence = confidence,
                                     .at = ftell(review->spool),
                                     .length = (long)strlen(line) };
    if (entry.at < 0 || fputs(line, review->spool) == EOF) return spool_failed();
    review->entries[review->count++] = entry;
    return ICL_OK;
}

static int by_confidence(const void *left, const void *right)
{
    const icl_review_entry *a = left, *b = right;
    if (a->confidence != b->confidence) return a->confidence < b->confidence ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static icl_status copy_line(icl_review *review, const icl_review_entry *entry, FILE *out)
{
    char bytes[4096];
    if (fseek(review->spool, entry->at, SEEK_SET) != 0) return spool_failed();
    for (size_t left = (size_t)entry->length; left > 0;) {
        const size_t want = left < sizeof bytes ? left : sizeof bytes;
        if (fread(bytes, 1, want, review->spool) != want) return spool_failed();
        if (fwrite(bytes, 1, want, out) != want)
            return icl_error_set(ICL_EIO, "cannot write the rows to review: %s", strerror(errno));
        left -= want;
    }
    return ICL_OK;
}

icl_status icl_annotator_write_review(icl_annotator *annotator, FILE *out)
{
    icl_review *review = &annotator->review;
    if (review->spool == NULL) return ICL_OK;
    if (fflush(review->spool) != 0) return spool_failed();
    if (review->count > 0)
        qsort(review->entries, review->count, sizeof *review->entries, by_confidence);
    for (size_t i = 0; i < review->count; i++) ICL_TRY(copy_line(review, &review->entries[i], out));
    if (fflush(out) == 0) return ICL_OK;
    return icl_error_set(ICL_EIO, "cannot write the rows to review: %s", strerror(errno));
}

void icl_review_close(icl_review *review)
{
    if (review->spool != NULL) fclose(review->spool);
    free(review->entries);
    *review = (icl_review){ 0 };
}
