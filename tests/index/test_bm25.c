/* BM25 against the golden values of the method sheet and against PyPI rank_bm25 (recipe in
 * tests/golden/make_bm25.py), and the properties that its constants promise. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "index/bm25.h"
#include "near.h"

static icl_bm25 *index_of(const char *const *texts, size_t count, icl_bm25_options options)
{
    icl_bm25 *index = NULL;
    assert_int_equal(icl_bm25_new(&index, texts, count, &options, NULL), ICL_OK);
    return index;
}

/* Scores of all documents, by document. */
static void score_all(double *out, icl_bm25 *index, const char *query, size_t count)
{
    icl_scored ranked[128];
    assert_true(count <= 128);
    assert_int_equal(icl_bm25_search(ranked, index, query, count, SIZE_MAX), ICL_OK);
    for (size_t i = 0; i < count; i++) out[ranked[i].index] = ranked[i].score;
}

static void test_bm25__has_the_golden_values_of_the_sheet(void **state)
{
    (void)state;
    const char *const texts[] = { "a b", "a c", "d e", "a b b" };
    icl_bm25_options weights = icl_bm25_options_default();
    weights.k1 = 0; /* a score is the sum of the words' weights */
    icl_bm25 *index = index_of(texts, 4, weights);
    double scores[4];
    const char *const words[] = { "a", "b", "c", "e", "unknown" };
    const double idf[] = { 0.0847298, 0, 0.8472979, 0.8472979, 0 }; /* seven digits: 1e-7 */
    const size_t holder[] = { 0, 0, 1, 2, 3 };
    for (size_t i = 0; i < 5; i++) {
        score_all(scores, index, words[i], 4);
        assert_near(scores[holder[i]], idf[i], 1e-7);
    }
    icl_bm25_free(index);
    index = index_of(texts, 4, icl_bm25_options_default());
    score_all(scores, index, "a b", 4);
    const double expected[] = { 0.0891892, 0.0891892, 0, 0.0736781 };
    for (size_t i = 0; i < 4; i++) assert_near(scores[i], expected[i], 1e-7);
    icl_bm25_free(index);
}

typedef struct golden {
    char *documents[128];
    size_t document_count, query_count;
    icl_bm25 *index;
} golden;

static void check_golden_query(golden *g, char *line)
{
    char *scores = strchr(line, '\t');
    assert_non_null(scores);
    *scores++ = 0;
    double actual[128];
    score_all(actual, g->index, line, g->document_count);
    for (size_t i = 0; i < g->document_count; i++) {
        char *end = NULL;
        assert_near(actual[i], strtod(scores, &end), 1e-12);
        assert_true(end != scores);
        scores = end;
    }
    g->query_count++;
}

static void test_bm25__equals_rank_bm25(void **state)
{
    (void)state;
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/bm25_rank.tsv", "r");
    assert_non_null(file);
    golden g = { 0 };
    icl_text line = { 0 };
    bool too_long = false;
    while (icl_line_read(&line, file, &too_long)) {
        if (strncmp(line.bytes, "document\t", 9) == 0) {
            g.documents[g.document_count++] = strdup(line.bytes + 9);
            continue;
        }
        assert_int_equal(strncmp(line.bytes, "query\t", 6), 0);
        if (g.index == NULL)
            g.index = index_of((const char *const *)g.documents, g.document_count,
                               icl_bm25_options_default());
        check_golden_query(&g, line.bytes + 6);
    }
    fclose(file);
    icl_text_deinit(&line);
    assert_int_equal(g.document_count, 60);
    assert_int_equal(g.query_count, 12);
    icl_bm25_free(g.index);
    for (size_t i = 0; i < g.document_count; i++) free(g.documents[i]);
}

static const char *const songs[] = {
    "play some jazz",
    "play the song again",
    "what is the weather in rome",
    "book a table for two in rome",
    "play rome rome rome",
};

static void test_bm25__unknown_words_add_nothing_and_repeated_ones_add_up(void **state)
{
    (void)state;
    icl_bm25 *index = index_of(songs, 5, icl_bm25_options_default());
    double once[5], unknown[5], twice[5];
    score_all(once, index, "rome", 5);
    score_all(unknown, index, "xyzzy rome qwerty", 5);
    score_all(twice, index, "rome rome", 5);
    assert_memory_equal(once, unknown, sizeof once);
    for (size_t i = 0; i < 5; i++) assert_true(twice[i] == 2 * once[i]);
    assert_true(once[2] > 0);
    icl_bm25_free(index);
}

static void test_bm25__b_and_k1_switch_length_and_repetition_off(void **state)
{
    (void)state;
    icl_bm25_options options = icl_bm25_options_default();
    options.b = 0;
    icl_bm25 *index = index_of(songs, 5, options);
    double scores[5];
    score_all(scores, index, "rome", 5);
    assert_true(scores[2] == scores[3]); /* lengths 6 and 7 */
    assert_true(scores[4] > scores[2]);  /* three times */
    icl_bm25_free(index);

    options.k1 = 0;
    index = index_of(songs, 5, options);
    score_all(scores, index, "rome", 5);
    assert_true(scores[4] == scores[2]);
    icl_bm25_free(index);
}

static void test_bm25__case_is_kept_unless_lower(void **state)
{
    (void)state;
    const char *const texts[] = { "Rome rises", "rome falls", "paris", "oslo" };
    icl_bm25_options options = icl_bm25_options_default();
    double scores[4];
    icl_bm25 *index = index_of(texts, 4, options);
    score_all(scores, index, "ROME Rome", 4);
    assert_true(scores[0] > 0 && scores[1] == 0);
    icl_bm25_free(index);
    options.lower = true;
    index = index_of(texts, 4, options);
    score_all(scores, index, "Rome", 4); /* in half of them: ln 1 */
    assert_true(scores[0] == 0 && scores[1] == 0);
    icl_bm25_free(index);
    const char *const more[] = { "Rome rises", "rome falls", "paris", "oslo", "bonn", "bern" };
    index = index_of(more, 6, options);
    double wider[6];
    score_all(wider, index, "ROME", 6);
    assert_true(wider[0] > 0 && wider[0] == wider[1]);
    icl_bm25_free(index);
}

/* Documents without a common word score 0; among equals the lower index stands first. */
static void test_bm25__fills_up_with_the_lowest_documents(void **state)
{
    (void)state;
    icl_bm25 *index = index_of(songs, 5, icl_bm25_options_default());
    icl_scored out[7];
    assert_int_equal(icl_bm25_search(out, index, "jazz", 7, 1), ICL_OK);
    const size_t expected[] = { 0, 2, 3, 4, SIZE_MAX, SIZE_MAX, SIZE_MAX };
    for (size_t i = 0; i < 7; i++) assert_int_equal(out[i].index, expected[i]);
    assert_true(out[0].score > 0 && out[1].score == 0);

    assert_int_equal(icl_bm25_search(out, index, "jazz", 2, 0), ICL_OK);
    assert_int_equal(out[0].index, 1);
    assert_int_equal(out[1].index, 2);
    icl_bm25_free(index);
}

/* Every word stands in more than half of the documents, so the mean idf and with it every weight is
 * negative: a document that shares nothing with the query wins. */
static void test_bm25__negative_scores_lose_against_no_match(void **state)
{
    (void)state;
    const char *const texts[] = { "a b", "a b", "a b", "" };
    icl_bm25 *index = index_of(texts, 4, icl_bm25_options_default());
    icl_scored out[4];
    assert_int_equal(icl_bm25_search(out, index, "a", 1, SIZE_MAX), ICL_OK);
    assert_int_equal(out[0].index, 3);
    assert_true(out[0].score == 0);
    assert_int_equal(icl_bm25_search(out, index, "a", 4, SIZE_MAX), ICL_OK);
    const size_t expected[] = { 3, 0, 1, 2 };
    for (size_t i = 0; i < 4; i++) assert_int_equal(out[i].index, expected[i]);
    assert_true(out[1].score < 0);
    icl_bm25_free(index);
}

/* The scratch memory is clean after a search, the excluded document's included. */
static void test_bm25__searches_leave_no_trace(void **state)
{
    (void)state;
    icl_bm25 *index = index_of(songs, 5, icl_bm25_options_default());
    icl_scored first[5], again[5];
    assert_int_equal(icl_bm25_search(first, index, "play rome", 5, SIZE_MAX), ICL_OK);
    assert_int_equal(icl_bm25_search(again, index, "the weather in rome", 1, 4), ICL_OK);
    assert_int_equal(icl_bm25_search(again, index, "", 0, SIZE_MAX), ICL_OK);
    assert_int_equal(icl_bm25_search(again, index, "play rome", 5, SIZE_MAX), ICL_OK);
    assert_memory_equal(first, again, sizeof first);
    icl_bm25_free(index);
}

static void test_bm25__empty_pools_texts_and_queries_are_fine(void **state)
{
    (void)state;
    icl_bm25 *index = index_of(NULL, 0, icl_bm25_options_default());
    icl_scored out[2];
    assert_int_equal(icl_bm25_search(out, index, "a", 1, SIZE_MAX), ICL_OK);
    assert_int_equal(out[0].index, SIZE_MAX);
    icl_bm25_free(index);

    const char *const blank[] = { "", " \n" };
    index = index_of(blank, 2, icl_bm25_options_default());
    assert_int_equal(icl_bm25_search(out, index, "", 2, SIZE_MAX), ICL_OK);
    assert_true(out[0].index == 0 && out[1].index == 1 && out[1].score == 0);
    icl_bm25_free(index);
    icl_bm25_free(NULL);
}

static void test_bm25__stops_when_asked(void **state)
{
    (void)state;
    const atomic_bool cancelled = true;
    const icl_bm25_options options = icl_bm25_options_default();
    icl_bm25 *index = NULL;
    assert_int_equal(icl_bm25_new(&index, songs, 5, &options, &cancelled), ICL_ECANCELLED);
    assert_null(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bm25__has_the_golden_values_of_the_sheet),
        cmocka_unit_test(test_bm25__equals_rank_bm25),
        cmocka_unit_test(test_bm25__unknown_words_add_nothing_and_repeated_ones_add_up),
        cmocka_unit_test(test_bm25__b_and_k1_switch_length_and_repetition_off),
        cmocka_unit_test(test_bm25__case_is_kept_unless_lower),
        cmocka_unit_test(test_bm25__fills_up_with_the_lowest_documents),
        cmocka_unit_test(test_bm25__negative_scores_lose_against_no_match),
        cmocka_unit_test(test_bm25__searches_leave_no_trace),
        cmocka_unit_test(test_bm25__empty_pools_texts_and_queries_are_fine),
        cmocka_unit_test(test_bm25__stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
