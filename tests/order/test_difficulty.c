/* How hard demonstrations are: a world in which the model's ratings are written down. */
#include <stdlib.h>

#include "near.h"
#include "order/difficulty.h"
#include "order_world.h"
#include "rows.h"

enum { POOL = 4, QUERIES = 1, K = 2, LABELS = 2, RATINGS = 5 };

static const char *const pool_texts[POOL] = { "one", "two", "three", "four" };
static const char *const query_texts[QUERIES] = { "five" };
static const char *const query_ids[QUERIES] = { "q" };
static const size_t pool_labels[POOL] = { 0, 1, 1, 0 };
static const size_t selected[QUERIES * K] = { 2, 0 };

/* Shares of the ratings 1 to 5, up to a factor that each demonstration has of its own. */
static const double shares[POOL][RATINGS] = {
    { 1, 0, 0, 0, 0 }, { .1, .2, .3, .4, 0 }, { .2, .2, .2, .2, .2 }, { 0, 0, 0, .5, .5 }
};

static void rates(void *context, fake_answer *answer, const fake_data *data,
                  const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context;
    (void)data;
    (void)how;
    assert_int_equal(prompt->of, ICL_ASK_WRITTEN);
    assert_int_equal(prompt->shown_count, 1);
    const size_t item = prompt->shown[0];
    const int rating = prompt->written[strlen(prompt->written) - 1] - '1';
    assert_in_range(rating, 0, RATINGS - 1);
    answer->input = (icl_ask_text){ .nats = log(shares[item][rating] + 1e-30) - 20. * (double)item,
                                    .tokens = 9 };
}

static void test_difficulty__a_rating_is_the_mean_under_the_model(void **state)
{
    (void)state;
    static const size_t items[] = { 3, 1, 0, 2 };
    static const double wanted[] = { 4.5, .1 + .4 + .9 + 1.6, 1, 3 };
    double rated[4];
    world w = { .input = ORDER_INPUT(.task = "rating") };
    fake_asker_serve(&w.fake, &w.input, rates, NULL);
    assert_int_equal(icl_difficulty_by_rating(rated, &w.input, "iccl", items, 4), ICL_OK);
    for (size_t i = 0; i < 4; i++) assert_near(rated[i], wanted[i], 1e-12); /* rounding */
    assert_int_equal(w.fake.calls, 1);
    assert_int_equal(w.fake.prompts, 4 * RATINGS);
}

static void test_difficulty__a_field_is_read_for_the_items_alone(void **state)
{
    (void)state;
    static const size_t items[] = { 2, 0 };
    double read[2] = { 0, 0 };
    icl_dataset *rows =
        rows_of("a.jsonl", "{\"text\":\"one\",\"label\":\"x\",\"level\":7}\n"
                           "{\"text\":\"two\",\"label\":\"x\"}\n"
                           "{\"text\":\"three\",\"label\":\"x\",\"level\":\"2\"}\n"
                           "{\"text\":\"four\",\"label\":\"x\",\"level\":\"C1\"}\n");
    const icl_order_input input = ORDER_INPUT(.pool_rows = rows);
    assert_int_equal(icl_difficulty_by_field(read, &input, "level", items, 2), ICL_OK);
    assert_true(read[0] == 2 && read[1] == 7);
    const size_t unrated = 3;
    assert_int_equal(icl_difficulty_by_field(read, &input, "level", &unrated, 1), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "field \"level\" of item \"a-4\" is \"C1\", not a number");
    icl_dataset_close(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_difficulty__a_rating_is_the_mean_under_the_model),
        cmocka_unit_test(test_difficulty__a_field_is_read_for_the_items_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
