/* index/phrases.h - which texts hold which runs of words.
 *
 *   icl_phrases *index = NULL;
 *   icl_status status = icl_phrases_new(&index, texts, text_count, &options, NULL);
 *   icl_phrase *found = NULL;
 *   size_t count = 0;
 *   status = icl_phrases_find(&found, &count, index, "play some jazz");
 *   ... found[i].texts [found[i].text_count] ...
 *   free(found);
 *   icl_phrases_free(index);
 *
 * A phrase is one word of index/words.h or several in a row.
 */
#ifndef ICL_INDEX_PHRASES_H
#define ICL_INDEX_PHRASES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

typedef struct icl_phrases icl_phrases;

typedef struct icl_phrases_options {
    size_t words_max; /* of a phrase, at least 1 */
    bool lower;       /* compare in lower case */
} icl_phrases_options;

typedef struct icl_phrase {
    size_t words;
    const size_t *texts; /* [text_count] ascending; borrowed from the index */
    size_t text_count;   /* at least 1 */
} icl_phrase;

/* Indexes `count` texts (UTF-8, read during the call only). Memory: every distinct phrase once, and
 * a number for each text that holds it. ICL_ECANCELLED, ICL_ENOMEM. */
icl_status icl_phrases_new(icl_phrases **out, const char *const *texts, size_t count,
                           const icl_phrases_options *options, const atomic_bool *cancelled);
void icl_phrases_free(icl_phrases *index);

/* The distinct phrases of `text` that some indexed text holds: those of most words first, equally
 * long ones in the order of the text. *out [*out_count] is yours: free. ICL_ENOMEM. */
icl_status icl_phrases_find(icl_phrase **out, size_t *out_count, const icl_phrases *index,
                            const char *text);

#endif
