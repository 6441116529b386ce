/* knn, x-insta and bm25 on a pool whose neighbours are plain to see. */
#include <math.h>

#include "select/select_call.h"

extern const icl_select_method icl_select_x_insta;

static const char *const pool_texts[] = { "play some jazz", "book a table", "play Jazz now",
                                          "is it raining" };
static const char *const query_texts[] = { "more jazz", "PLAY SOME JAZZ" };
static const char *const query_ids[] = { "a", "b" };
static const float pool_vectors[] = { 2, 0, 0, 3, 1, 1, -1, 0 };
static const float query_vectors[] = { 1, 0.2F, 0, 1 };

static icl_select_input input_of(void)
{
    return (icl_select_input){ .pool_count = 4,
                               .query_count = 2,
                               .pool_texts = pool_texts,
                               .query_texts = query_texts,
                               .query_ids = query_ids,
                               .pool_vectors = pool_vectors,
                               .query_vectors = query_vectors,
                               .vector_size = 2,
                               .task = "nearest" };
}

static void assert_ranks(const icl_selection *selection, const size_t *expected)
{
    for (size_t i = 0; i < selection->query_count * selection->k; i++)
        assert_int_equal(selection->indices[i], expected[i]);
    for (size_t q = 0; q < selection->query_count; q++) {
        for (size_t i = 1; i < selection->k; i++)
            assert_true(selection->scores[q * selection->k + i - 1] >=
                        selection->scores[q * selection->k + i]);
    }
}

static void test_select_knn__metric_decides_who_is_near(void **state)
{
    (void)state;
    const icl_select_input input = input_of();
    icl_selection cosine = select_well(&input, "knn(k=3)");
    assert_ranks(&cosine, (const size_t[]){ 0, 2, 1, 1, 2, 0 });
    assert_true(fabs(cosine.scores[0] - 1 / sqrt(1.04)) < 1e-7);
    icl_selection_deinit(&cosine);
    icl_selection l2 = select_well(&input, "knn(k=3, metric=l2)");
    assert_ranks(&l2, (const size_t[]){ 2, 0, 3, 2, 3, 1 });
    assert_true(fabs(l2.scores[0] + 0.8) < 1e-7);
    icl_selection_deinit(&l2);
}

/* The aligner goes to the prompt; without one nothing is left of the method but knn. */
static void test_select_x_insta__selects_as_knn_and_hands_its_aligner_on(void **state)
{
    (void)state;
    const icl_select_input input = input_of();
    icl_selection knn = select_well(&input, "knn(k=3)");
    const char *const calls[] = { "x-insta(k=3)", "x-insta(k=3, aligner=\"In French, oui.\")" };
    const char *const aligners[] = { "", "In French, oui." };
    for (size_t i = 0; i < 2; i++) {
        icl_selection selection = select_well(&input, calls[i]);
        assert_memory_equal(selection.indices, knn.indices, 6 * sizeof *knn.indices);
        assert_memory_equal(selection.scores, knn.scores, 6 * sizeof *knn.scores);
        icl_selection_deinit(&selection);
        icl_call call = { 0 };
        icl_options options = { 0 };
        assert_int_equal(icl_call_parse(&call, calls[i], strlen(calls[i])), ICL_OK);
        assert_int_equal(icl_options_read(&options, &icl_select_x_insta.card, &call), ICL_OK);
        assert_string_equal(icl_select_aligner(&icl_select_x_insta, &options), aligners[i]);
        icl_options_deinit(&options);
        icl_call_deinit(&call);
    }
    icl_selection_deinit(&knn);
}

static void test_select_bm25__shared_rare_words_decide(void **state)
{
    (void)state;
    const icl_select_input input = input_of();
    icl_selection kept = select_well(&input, "bm25(k=2)");
    assert_ranks(&kept, (const size_t[]){ 0, 1, 0, 1 });
    assert_true(kept.scores[0] > 0 && kept.scores[2] == 0); /* upper case matches nothing */
    icl_selection_deinit(&kept);
    icl_selection lower = select_well(&input, "bm25(k=2, case=lower)");
    assert_int_equal(lower.indices[2], 0);
    assert_true(lower.scores[2] > 0);
    icl_selection_deinit(&lower);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_knn__metric_decides_who_is_near),
        cmocka_unit_test(test_select_x_insta__selects_as_knn_and_hands_its_aligner_on),
        cmocka_unit_test(test_select_bm25__shared_rare_words_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
