#include "index/bm25.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/string_map.h"
#include "base/text.h"
#include "index/words.h"

typedef struct posting {
    size_t document;
    size_t occurrences; /* of the term in the document */
} posting;

typedef struct term {
    double idf;
    size_t first, count;   /* its postings in icl_bm25.postings, by document */
    size_t newest_posting; /* while building: its entry for the latest document */
} term;

struct icl_bm25 {
    icl_bm25_options options;
    size_t document_count;
    double mean_length;
    size_t *lengths; /* [document_count] words */
    icl_arena words; /* backing of the vocabulary's keys */
    icl_string_map vocabulary;
    term *terms; /* [term_count] in the order of first appearance */
    size_t term_count, term_capacity;
    posting *postings; /* grouped by term */
    /* Scratch of a search. */
    double *scores;      /* [document_count] 0 outside of a search */
    bool *touched;       /* [document_count] false outside of a search */
    icl_scored *matches; /* [document_count] */
};

/* Postings in the order of reading, before they are grouped. */
typedef struct builder {
    posting *postings;
    size_t *terms; /* [count] the term of each posting */
    size_t count, capacity;
} builder;

static icl_status out_of_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for the BM25 index");
}

static icl_status grow_builder(builder *b)
{
    const size_t capacity = b->capacity > 0 ? 2 * b->capacity : 1024;
    posting *postings = realloc(b->postings, capacity * sizeof *postings);
    if (postings == NULL) return out_of_memory();
    b->postings = postings;
    size_t *terms = realloc(b->terms, capacity * sizeof *terms);
    if (terms == NULL) return out_of_memory();
    b->terms = terms;
    b->capacity = capacity;
    return ICL_OK;
}

static icl_status add_term(icl_bm25 *index, const char *word, size_t length)
{
    if (index->term_count == index->term_capacity) {
        const size_t capacity = index->term_capacity > 0 ? 2 * index->term_capacity : 256;
        term *terms = realloc(index->terms, capacity * sizeof *terms);
        if (terms == NULL) return out_of_memory();
        index->terms = terms;
        index->term_capacity = capacity;
    }
    char *key = icl_arena_alloc(&index->words, length + 1);
    if (key == NULL) return out_of_memory();
    memcpy(key, word, length);
    size_t place = index->term_count;
    ICL_TRY(icl_string_map_add(&index->vocabulary, key, &place));
    index->terms[index->term_count++] = (term){ .newest_posting = SIZE_MAX };
    return ICL_OK;
}

static icl_status add_word(icl_bm25 *index, builder *b, size_t document, const icl_text *word)
{
    size_t found = icl_string_map_find(&index->vocabulary, icl_text_string(word));
    if (found == SIZE_MAX) {
        found = index->term_count;
        ICL_TRY(add_term(index, word->bytes, word->length));
    }
    term *t = &index->terms[found];
    index->lengths[document]++;
    if (t->newest_posting != SIZE_MAX && b->postings[t->newest_posting].document == document) {
        b->postings[t->newest_posting].occurrences++;
        return ICL_OK;
    }
    if (b->count == b->capacity) ICL_TRY(grow_builder(b));
    b->postings[b->count] = (posting){ .document = document, .occurrences = 1 };
    b->terms[b->count] = found;
    t->newest_posting = b->count++;
    t->count++;
    return ICL_OK;
}

static icl_status read_documents(icl_bm25 *index, builder *b, const char *const *texts,
                                 const atomic_bool *cancelled)
{
    icl_text word = { 0 };
    icl_status status = ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < index->document_count; i++) {
        status = icl_cancel_check(cancelled);
        icl_word_reader reader = icl_word_reader_new(texts[i], index->options.lower);
        while (status == ICL_OK && icl_word_next(&word, &reader)) {
            status = icl_text_status(&word);
            if (status == ICL_OK) status = add_word(index, b, i, &word);
        }
    }
    icl_text_deinit(&word);
    return status;
}

/* Counting sort by term; within a term documents stay in ascending order. */
static icl_status group_postings(icl_bm25 *index, const builder *b)
{
    index->postings = malloc((b->count + 1) * sizeof *index->postings);
    if (index->postings == NULL) return out_of_memory();
    size_t first = 0;
    for (size_t i = 0; i < index->term_count; i++) {
        index->terms[i].first = first;
        first += index->terms[i].count;
        index->terms[i].count = 0;
    }
    for (size_t i = 0; i < b->count; i++) {
        term *t = &index->terms[b->terms[i]];
        index->postings[t->first + t->count++] = b->postings[i];
    }
    return ICL_OK;
}

static void weigh_terms(icl_bm25 *index)
{
    double sum = 0;
    for (size_t i = 0; i < index->term_count; i++) {
        term *t = &index->terms[i];
        const double holding = (double)t->count, all = (double)index->document_count;
        t->idf = log(all - holding + 0.5) - log(holding + 0.5);
        sum += t->idf;
    }
    const double common = index->options.epsilon * sum / (double)index->term_count;
    for (size_t i = 0; i < index->term_count; i++)
        if (index->terms[i].idf < 0) index->terms[i].idf = common;

    size_t words = 0;
    for (size_t i = 0; i < index->document_count; i++) words += index->lengths[i];
    index->mean_length = (double)words / (double)index->document_count;
}

static icl_status build(icl_bm25 *index, const char *const *texts, const atomic_bool *cancelled)
{
    const size_t count = index->document_count;
    builder b = { 0 };
    icl_status status;
    index->lengths = calloc(count + 1, sizeof *index->lengths);
    index->scores = calloc(count + 1, sizeof *index->scores);
    index->touched = calloc(count + 1, sizeof *index->touched);
    index->matches = malloc((count + 1) * sizeof *index->matches);
    if (index->lengths == NULL || index->scores == NULL || index->touched == NULL ||
        index->matches == NULL) {
        status = out_of_memory();
        goto cleanup;
    }
    status = read_documents(index, &b, texts, cancelled);
    if (status == ICL_OK) status = group_postings(index, &b);
    if (status == ICL_OK && index->term_count > 0) weigh_terms(index);

cleanup:
    free(b.terms);
    free(b.postings);
    return status;
}

icl_bm25_options icl_bm25_options_default(void)
{
    return (icl_bm25_options){ .k1 = 1.5, .b = 0.75, .epsilon = 0.25, .lower = false };
}

icl_status icl_bm25_new(icl_bm25 **out, const char *const *texts, size_t count,
                        const icl_bm25_options *options, const atomic_bool *cancelled)
{
    icl_bm25 *index = calloc(1, sizeof *index);
    if (index == NULL) return out_of_memory();
    index->options = *options;
    index->document_count = count;
    const icl_status status = build(index, texts, cancelled);
    if (status != ICL_OK) {
        icl_bm25_free(index);
        return status;
    }
    *out = index;
    return ICL_OK;
}

void icl_bm25_free(icl_bm25 *index)
{
    if (index == NULL) return;
    free(index->matches);
    free(index->touched);
    free(index->scores);
    free(index->postings);
    free(index->terms);
    icl_string_map_deinit(&index->vocabulary);
    icl_arena_deinit(&index->words);
    free(index->lengths);
    free(index);
}

/* Adds one query word to the scores; returns the new number of matches. */
static size_t add_query_word(icl_bm25 *index, const term *t, size_t match_count)
{
    const double k1 = index->options.k1, b = index->options.b;
    for (size_t i = 0; i < t->count; i++) {
        const posting *p = &index->postings[t->first + i];
        const double frequency = (double)p->occurrences;
        const double length = (double)index->lengths[p->document] / index->mean_length;
        index->scores[p->document] +=
            t->idf * (frequency * (k1 + 1) / (frequency + k1 * (1 - b + b * length)));
        if (index->touched[p->document]) continue;
        index->touched[p->document] = true;
        index->matches[match_count++].index = p->document;
    }
    return match_count;
}

/* Documents without any word of the query score 0, which beats a negative score: the first k of
 * them are candidates too. */
static size_t add_unmatched(icl_bm25 *index, size_t match_count, size_t k, size_t exclude)
{
    size_t added = 0;
    for (size_t i = 0; i < index->document_count && added < k; i++) {
        if (index->touched[i] || i == exclude) continue;
        index->matches[match_count++] = (icl_scored){ .score = 0, .index = i };
        added++;
    }
    return match_count;
}

/* Moves the scores of the matched documents beside them and drops `exclude`. */
static size_t collect_matches(icl_bm25 *index, size_t match_count, size_t exclude)
{
    size_t kept = 0;
    for (size_t i = 0; i < match_count; i++) {
        const size_t document = index->matches[i].index;
        if (document == exclude) continue;
        index->matches[kept++] = (icl_scored){ index->scores[document], document };
    }
    return kept;
}

icl_status icl_bm25_search(icl_scored *out, icl_bm25 *index, const char *query, size_t k,
                           size_t exclude)
{
    icl_text word = { 0 };
    icl_status status = ICL_OK;
    size_t count = 0;
    icl_word_reader reader = icl_word_reader_new(query, index->options.lower);
    while (icl_word_next(&word, &reader)) {
        status = icl_text_status(&word);
        if (status != ICL_OK) break;
        const size_t found = icl_string_map_find(&index->vocabulary, icl_text_string(&word));
        if (found != SIZE_MAX) count = add_query_word(index, &index->terms[found], count);
    }
    icl_text_deinit(&word);

    count = collect_matches(index, count, exclude);
    count = add_unmatched(index, count, k, exclude);
    if (status == ICL_OK) {
        const size_t filled = k < count ? k : count;
        icl_topk(index->matches, count, filled);
        for (size_t i = 0; i < k; i++)
            out[i] = i < filled ? index->matches[i] : (icl_scored){ -(double)INFINITY, SIZE_MAX };
    }
    for (size_t i = 0; i < count; i++) {
        index->scores[index->matches[i].index] = 0;
        index->touched[index->matches[i].index] = false;
    }
    if (exclude < index->document_count) {
        index->scores[exclude] = 0;
        index->touched[exclude] = false;
    }
    return status;
}
