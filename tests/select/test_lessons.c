/* What retrievers are taught: candidates and answers, which contexts a query may not call wrong,
 * lists, and the reward model. */
#include <math.h>

#include "base/rng.h"
#include "fake_asker.h"
#include "near.h"
#include "select/ceil_sets.h"
#include "select/contrast.h"
#include "select/draw.h"
#include "select/fit.h"
#include "select/listwise.h"
#include "select/reward.h"
#include "select/select_call.h"

enum { POOL = 24, LABELS = 3, COLUMNS = 6, WIDTH = 5 };

typedef struct lesson_world {
    char texts[POOL][24];
    const char *pool_texts[POOL];
    size_t labels[POOL];
    float vectors[POOL * COLUMNS];
    icl_select_input input;
    fake_asker fake;
    icl_fit fit;
} lesson_world;

static int setup(void **state)
{
    lesson_world *world = calloc(1, sizeof *world);
    if (world == NULL) return -1;
    icl_rng rng = icl_rng_new(2, "lessons", "", "fill");
    for (size_t i = 0; i < POOL; i++) {
        snprintf(world->texts[i], sizeof world->texts[i], "word%zu common%zu", i, i % 4);
        world->pool_texts[i] = world->texts[i];
        world->labels[i] = i % LABELS;
        for (size_t c = 0; c < COLUMNS; c++)
            world->vectors[i * COLUMNS + c] = (float)icl_rng_normal(&rng);
    }
    world->input = (icl_select_input){ .pool_count = POOL,
                                       .label_count = LABELS,
                                       .pool_texts = world->pool_texts,
                                       .pool_labels = world->labels,
                                       .pool_vectors = world->vectors,
                                       .vector_size = COLUMNS,
                                       .task = "lessons",
                                       .seed = 3 };
    fake_asker_serve(&world->fake, &world->input, fake_hashed, NULL);
    const icl_fit_origin origin = { "epr", "", "", "", "", "", 0, 0 };
    if (icl_fit_file_new(&world->fit.file, &origin) != ICL_OK) return -1;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    lesson_world *world = *state;
    icl_fit_file_free(world->fit.file);
    free(world);
    return 0;
}

static icl_feedback ask(const lesson_world *world, bool normalise)
{
    icl_feedback feedback = { 0 };
    const icl_feedback_options options = { .width = WIDTH, .normalise = normalise };
    assert_int_equal(icl_feedback_ask(&feedback, &world->fit, &world->input, &options), ICL_OK);
    return feedback;
}

/* What the fake says of one pair. */
static double answer_of(const lesson_world *world, size_t candidate, size_t item, bool normalise)
{
    double nats[LABELS], sum = 0;
    const icl_ask_prompt prompt = { .shown = &candidate, .shown_count = 1, .item = item };
    const icl_asker *asker = world->input.asker;
    assert_int_equal(asker->labels(asker->user, nats, &prompt, 1), ICL_OK);
    for (size_t l = 0; l < LABELS; l++) sum += exp(nats[l]);
    return nats[world->labels[item]] - (normalise ? log(sum) : 0);
}

static void test_lessons__answers_are_those_of_the_candidates_best_first(void **state)
{
    const lesson_world *world = *state;
    for (int normalise = 0; normalise < 2; normalise++) {
        icl_feedback feedback = ask(world, normalise != 0);
        assert_int_equal(feedback.width, WIDTH);
        for (size_t i = 0; i < POOL * WIDTH; i++) {
            const size_t item = i / WIDTH;
            assert_true(feedback.candidates[i] != item && feedback.candidates[i] < POOL);
            if (i % WIDTH > 0) assert_true(feedback.nats[i] <= feedback.nats[i - 1]);
            assert_near(feedback.nats[i],
                        answer_of(world, feedback.candidates[i], item, normalise != 0), 1e-12);
        }
        icl_feedback_deinit(&feedback);
    }
}

static void test_lessons__words_find_candidates_that_share_them(void **state)
{
    const lesson_world *world = *state;
    icl_feedback feedback = ask(world, false);
    for (size_t i = 0; i < POOL * WIDTH; i++) /* five others share the word "common" + i % 4 */
        assert_int_equal(feedback.candidates[i] % 4, i / WIDTH % 4);
    icl_feedback_deinit(&feedback);
}

/* Two queries, lists of two: the loss by hand, where nothing is hidden but what has to be. */
static void test_lessons__a_query_is_told_no_falsehood(void **state)
{
    (void)state;
    size_t candidates[8 * 4] = { 0 };
    const size_t first[] = { 2, 3, 4, 5 }, second[] = { 6, 2, 7, 3 };
    memcpy(candidates, first, sizeof first);
    memcpy(candidates + 4, second, sizeof second);
    const icl_feedback feedback = { .pool_count = 8, .width = 4, .candidates = candidates };
    /* Item 0 drew 3 and 5, item 1 drew 7 and, once more, 3. */
    const size_t items[] = { 0, 1 }, contexts[] = { 3, 5, 7, 3 };
    const double scores[] = { 0.5, -1, 2, 0.5, 0.25, 1, -0.75, 0.25 };
    double gradient[8] = { 0 }, loss = 0;
    const icl_lesson_step step = { .query_count = 2,
                                   .list_length = 2,
                                   .items = items,
                                   .contexts = contexts,
                                   .columns = 4,
                                   .scores = scores,
                                   .gradient = gradient };
    assert_int_equal(icl_contrast_loss(&loss, &step, &feedback, 0, 0, 1), ICL_OK);
    /* Item 0: 3 against 5 and 7; its own repetition does not count. Item 1: 7 against 3, which is
     * worse, and 5; once. */
    const double row0 = log(exp(0.5) + exp(-1) + exp(2)) - 0.5;
    const double row1 = log(exp(-0.75) + exp(0.25) + exp(1)) + 0.75;
    assert_near(loss, (row0 + row1) / 2, 1e-12);
    assert_near(gradient[3], 0, 0);
    assert_near(gradient[7], 0, 0);

    /* With the two best hidden and 2 drawn elsewhere, neither query calls 2 wrong. */
    const size_t others[] = { 3, 2, 7, 2 };
    icl_lesson_step again = step;
    memset(gradient, 0, sizeof gradient);
    again.contexts = others;
    assert_int_equal(icl_contrast_loss(&loss, &again, &feedback, 0, 2, 1), ICL_OK);
    for (size_t i = 0; i < 8; i++) assert_true((gradient[i] == 0) == (others[i % 4] == 2));
}

/* The query itself may be the context of another one. */
static void test_lessons__a_query_does_not_see_itself(void **state)
{
    (void)state;
    const size_t candidates[] = { 1, 2, 0, 2, 0, 1 };
    const icl_feedback feedback = { .pool_count = 3,
                                    .width = 2,
                                    .candidates = (size_t *)(uintptr_t)candidates };
    const size_t items[] = { 0, 1 }, contexts[] = { 1, 0 };
    const double scores[] = { 1, 5, 7, 2 };
    double gradient[4] = { 0 }, loss = 1;
    const icl_lesson_step step = { .query_count = 2,
                                   .list_length = 1,
                                   .items = items,
                                   .contexts = contexts,
                                   .columns = 2,
                                   .scores = scores,
                                   .gradient = gradient };
    assert_int_equal(icl_contrast_loss(&loss, &step, &feedback, 0, 0, 1), ICL_OK);
    assert_near(loss, 0, 1e-15);
}

static void test_lessons__every_ordered_choice_is_as_likely(void **state)
{
    (void)state;
    static const size_t items[] = { 10, 11, 12, 13, 14 };
    enum { DRAWS = 20000 };
    size_t counts[5][5] = { 0 };
    icl_rng rng = icl_rng_new(1, "draw", "", "in order");
    for (size_t i = 0; i < DRAWS; i++) {
        size_t pair[2];
        icl_draw_in_order(pair, 2, items, 5, &rng);
        assert_true(pair[0] < pair[1]);
        counts[pair[0] - 10][pair[1] - 10]++;
    }
    for (size_t a = 0; a < 5; a++)
        for (size_t b = a + 1; b < 5; b++) /* 2000 +- 42 */
            assert_near((double)counts[a][b], DRAWS / 10.0, 200);
}

static void test_lessons__places_of_a_list_are_found_again(void **state)
{
    const lesson_world *world = *state;
    icl_feedback feedback = ask(world, false);
    icl_rng rng = icl_rng_new(1, "draw", "", "lists");
    const size_t items[] = { 3, 9 };
    size_t contexts[6], places[3];
    for (size_t q = 0; q < 2; q++) icl_list_draw(contexts + 3 * q, 3, &feedback, items[q], &rng);
    const icl_lesson_step step = {
        .query_count = 2, .list_length = 3, .items = items, .contexts = contexts, .columns = 6
    };
    for (size_t q = 0; q < 2; q++) {
        icl_list_places(places, &step, &feedback, q);
        assert_true(places[0] < places[1] && places[1] < places[2]);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(feedback.candidates[items[q] * WIDTH + places[i]],
                             contexts[3 * q + i]);
    }
    icl_feedback_deinit(&feedback);
}

/* Answers are good after a demonstration of the same label. */
static void by_label(void *context, fake_answer *answer, const fake_data *data,
                     const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    fake_hashed(context, answer, data, prompt, how);
    const size_t own = data->pool_labels[prompt->item];
    answer->label_nats[own] += own == data->pool_labels[prompt->shown[0]] ? 0 : -50;
}

/* The answers of by_label about every pair, and the rewards that a model of them gives. */
static void reward_all(double rewards[POOL * (POOL - 1)], icl_feedback *out_feedback,
                       const lesson_world *world, size_t epochs)
{
    icl_select_input input = world->input;
    fake_asker fake;
    fake_asker_serve(&fake, &input, by_label, NULL);
    const icl_feedback_options options = { .width = POOL - 1 };
    const icl_reward_settings settings = { .list_length = 6, .epochs = epochs };
    assert_int_equal(icl_feedback_ask(out_feedback, &world->fit, &input, &options), ICL_OK);
    assert_int_equal(icl_reward_scores(rewards, &world->fit, &input, out_feedback, &settings),
                     ICL_OK);
}

static void test_lessons__a_reward_model_finds_what_helps(void **state)
{
    const lesson_world *world = *state;
    icl_feedback feedback = { 0 };
    double rewards[POOL * (POOL - 1)], sums[2] = { 0 };
    size_t counts[2] = { 0 };
    reward_all(rewards, &feedback, world, 100);
    for (size_t i = 0; i < POOL * (POOL - 1); i++) {
        const bool same = world->labels[i / (POOL - 1)] == world->labels[feedback.candidates[i]];
        assert_true(isfinite(rewards[i]));
        sums[same] += rewards[i];
        counts[same]++;
    }
    const double helping = sums[1] / (double)counts[1], others = sums[0] / (double)counts[0];
    print_message("mean reward of the same label %.2f, of others %.2f\n", helping, others);
    assert_true(helping > others + 1);
    icl_feedback_deinit(&feedback);
}

static void test_lessons__a_reward_model_judges_before_it_learned(void **state)
{
    icl_feedback feedback = { 0 };
    double rewards[POOL * (POOL - 1)];
    reward_all(rewards, &feedback, *state, 0);
    for (size_t i = 0; i < POOL * (POOL - 1); i++) assert_true(isfinite(rewards[i]));
    icl_feedback_deinit(&feedback);
}

/* Scores of sets are linear in the cosines, so a change of one score moves its set alone. */
static void test_lessons__set_losses_have_the_gradient_of_differences(void **state)
{
    (void)state;
    enum { SETS = 4, SIZE = 3, COUNT = SETS * SIZE };
    static const double step = 1e-5;
    double log_dets[2 * SETS], scores[COUNT], ignored[COUNT], above = 0, below = 0, value = 0;
    icl_rng rng = icl_rng_new(7, "sets", "", "fill");
    for (size_t i = 0; i < 2 * SETS; i++) log_dets[i] = -2 * icl_rng_unit(&rng);
    for (size_t i = 0; i < COUNT; i++) scores[i] = icl_rng_normal(&rng);
    const icl_ceil_sets sets = {
        .pool_count = 2, .set_count = SETS, .size = SIZE, .log_dets = log_dets
    };
    for (int loss = ICL_CEIL_MARGIN; loss <= ICL_CEIL_INFONCE; loss++) {
        const icl_ceil_terms terms = { .temperature = 0.3,
                                       .lambda = 0.2,
                                       .loss = (icl_ceil_loss)loss };
        double gradient[COUNT] = { 0 };
        assert_int_equal(icl_ceil_sets_loss(gradient, &value, &sets, 1, scores, &terms, 0.5),
                         ICL_OK);
        for (size_t i = 0; i < COUNT; i++) {
            const double kept = scores[i];
            scores[i] = kept + step;
            memset(ignored, 0, sizeof ignored);
            icl_ceil_sets_loss(ignored, &above, &sets, 1, scores, &terms, 1);
            scores[i] = kept - step;
            icl_ceil_sets_loss(ignored, &below, &sets, 1, scores, &terms, 1);
            scores[i] = kept;
            assert_near(gradient[i], 0.5 * (above - below) / (2 * step), 1e-8);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lessons__answers_are_those_of_the_candidates_best_first),
        cmocka_unit_test(test_lessons__words_find_candidates_that_share_them),
        cmocka_unit_test(test_lessons__a_query_is_told_no_falsehood),
        cmocka_unit_test(test_lessons__a_query_does_not_see_itself),
        cmocka_unit_test(test_lessons__every_ordered_choice_is_as_likely),
        cmocka_unit_test(test_lessons__places_of_a_list_are_found_again),
        cmocka_unit_test(test_lessons__a_reward_model_finds_what_helps),
        cmocka_unit_test(test_lessons__a_reward_model_judges_before_it_learned),
        cmocka_unit_test(test_lessons__set_losses_have_the_gradient_of_differences),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
