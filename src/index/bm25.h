/* index/bm25.h - Okapi BM25 over an inverted index: a query costs the postings of its words.
 *
 *   icl_bm25 *index = NULL;
 *   const icl_bm25_options options = icl_bm25_options_default();
 *   icl_status status = icl_bm25_new(&index, texts, text_count, &options, NULL);
 *   icl_scored best[8];
 *   status = icl_bm25_search(best, index, "play some jazz", 8, SIZE_MAX);
 *   icl_bm25_free(index);
 *
 * Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", in the
 * variant that in-context retrieval uses (PyPI rank_bm25, BM25Okapi), over the words of
 * index/words.h: idf(t)      = ln(N - n + 0.5) - ln(n + 0.5), n of N documents contain t; a
 * negative one becomes epsilon times the mean idf of the vocabulary, taken before that replacement
 *   score(q, d) = sum over the words of q, repetitions included, of
 *                 idf(t) tf (k1 + 1) / (tf + k1 (1 - b + b |d| / mean |d|))
 */
#ifndef ICL_INDEX_BM25_H
#define ICL_INDEX_BM25_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "math/topk.h"

typedef struct icl_bm25 icl_bm25;

typedef struct icl_bm25_options {
    double k1;      /* how soon repetitions of a word stop counting; 0: they never count */
    double b;       /* how much longer documents are discounted, 0..1 */
    double epsilon; /* weight of words that stand in more than half of the documents */
    bool lower;     /* compare in lower case */
} icl_bm25_options;

icl_bm25_options icl_bm25_options_default(void); /* 1.5, 0.75, 0.25, case kept */

/* Indexes `count` texts (UTF-8, read during the call only). ICL_ECANCELLED, ICL_ENOMEM. */
icl_status icl_bm25_new(icl_bm25 **out, const char *const *texts, size_t count,
                        const icl_bm25_options *options, const atomic_bool *cancelled);
void icl_bm25_free(icl_bm25 *index);

/* Writes out [k]: the best documents without `exclude` (SIZE_MAX: none), equal scores by lower
 * index; where there are fewer than k the rest is { -inf, SIZE_MAX }. Uses the index's scratch
 * memory: one search at a time. ICL_ENOMEM. */
icl_status icl_bm25_search(icl_scored *out, icl_bm25 *index, const char *query, size_t k,
                           size_t exclude);

#endif
