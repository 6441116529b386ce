/* knn and bm25 on a pool whose neighbours are plain to see. */
#include <math.h>

#include "select/select_call.h"

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
        cmocka_unit_test(test_select_bm25__shared_rare_words_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
