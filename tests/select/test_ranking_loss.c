/* Losses of retrievers: gradients against differences, and values known in closed form. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "near.h"
#include "select/ranking_loss.h"

enum { ROWS = 3, COLUMNS = 5, COUNT = ROWS * COLUMNS };

typedef double loss_function(double *gradient, const double *scores, double weight);

static void fill(double *scores, const char *name)
{
    icl_rng rng = icl_rng_new(3, "loss", name, "scores");
    for (size_t i = 0; i < COUNT; i++) scores[i] = icl_rng_normal(&rng);
}

/* d loss / d every score, by central differences, and that it is added with its weight. */
static void assert_gradient(loss_function *loss, const char *name)
{
    static const double step = 1e-5, weight = 0.7, before = 2;
    double scores[COUNT], gradient[COUNT], ignored[COUNT] = { 0 };
    fill(scores, name);
    for (size_t i = 0; i < COUNT; i++) gradient[i] = before;
    const double value = loss(gradient, scores, weight);
    assert_near(loss(ignored, scores, 0), value, 0);
    for (size_t i = 0; i < COUNT; i++) {
        const double kept = scores[i];
        scores[i] = kept + step;
        const double above = loss(ignored, scores, 1);
        scores[i] = kept - step;
        const double below = loss(ignored, scores, 1);
        scores[i] = kept;
        assert_near(gradient[i] - before, weight * (above - below) / (2 * step), 1e-8);
    }
}

static const size_t positives[ROWS] = { 4, 0, 2 };
static const bool masked[COUNT] = { [1] = true, [COLUMNS + 3] = true, [COLUMNS + 4] = true };

static double infonce(double *gradient, const double *scores, double weight)
{
    const icl_infonce input = {
        .rows = ROWS, .columns = COLUMNS, .scores = scores, .positives = positives, .masked = masked
    };
    return icl_loss_infonce(gradient, &input, weight);
}

static double rank_margin(double *gradient, const double *scores, double weight)
{
    return icl_loss_rank_margin(gradient, scores, COUNT, 0.05, weight);
}

/* Some ranks are shared. */
static double lambda(double *gradient, const double *scores, double weight, icl_lambda metric)
{
    size_t ranks[COUNT];
    double loss = 0;
    for (size_t i = 0; i < COUNT; i++) ranks[i] = 1 + (i * 7) % 11;
    const icl_lambda_loss input = {
        .count = COUNT, .scores = scores, .ranks = ranks, .metric = metric
    };
    assert_int_equal(icl_loss_lambda(gradient, &loss, &input, weight), ICL_OK);
    return loss;
}

static double lambda_mrr(double *gradient, const double *scores, double weight)
{
    return lambda(gradient, scores, weight, ICL_LAMBDA_MRR);
}

static double lambda_rank(double *gradient, const double *scores, double weight)
{
    return lambda(gradient, scores, weight, ICL_LAMBDA_RANK);
}

static double distil(double *gradient, const double *scores, double weight)
{
    double teacher[COUNT], loss = 0;
    fill(teacher, "teacher");
    const icl_distil input = { .count = COUNT,
                               .scores = scores,
                               .teacher = teacher,
                               .temperature = 0.5,
                               .teacher_temperature = 2 };
    assert_int_equal(icl_loss_distil(gradient, &loss, &input, weight), ICL_OK);
    return loss;
}

static void test_ranking_loss__gradients_are_those_of_differences(void **state)
{
    (void)state;
    assert_gradient(infonce, "infonce");
    assert_gradient(rank_margin, "margin");
    assert_gradient(lambda_mrr, "mrr");
    assert_gradient(lambda_rank, "ndcg");
    assert_gradient(distil, "distil");
}

static void test_ranking_loss__infonce_of_equal_scores_is_the_log_of_their_number(void **state)
{
    (void)state;
    double scores[COUNT] = { 0 }, gradient[COUNT] = { 0 };
    icl_infonce input = {
        .rows = ROWS, .columns = COLUMNS, .scores = scores, .positives = positives
    };
    assert_near(icl_loss_infonce(gradient, &input, 1), log(COLUMNS), 1e-15);
    assert_near(gradient[0], (1.0 / COLUMNS) / ROWS, 1e-15);
    assert_near(gradient[4], (1.0 / COLUMNS - 1) / ROWS, 1e-15);
    input.masked = masked;
    assert_near(icl_loss_infonce(gradient, &input, 1), (log(4) + log(3) + log(5)) / 3, 1e-15);
}

static void test_ranking_loss__a_masked_column_has_no_gradient(void **state)
{
    (void)state;
    double scores[COUNT], gradient[COUNT] = { 0 };
    fill(scores, "masked");
    infonce(gradient, scores, 1);
    for (size_t i = 0; i < COUNT; i++) assert_true((gradient[i] == 0) == masked[i]);
}

static void test_ranking_loss__softmax_losses_do_not_see_a_constant(void **state)
{
    (void)state;
    double scores[COUNT], ignored[COUNT] = { 0 };
    fill(scores, "constant");
    const double first = infonce(ignored, scores, 0), second = distil(ignored, scores, 0);
    for (size_t i = 0; i < COUNT; i++) scores[i] += 1000;
    assert_near(infonce(ignored, scores, 0), first, 1e-11);
    assert_near(distil(ignored, scores, 0), second, 1e-11);
}

static void test_ranking_loss__margin_is_zero_where_scores_fall_enough(void **state)
{
    (void)state;
    const double steep[] = { 3, 2.5, 2, 0 }, even[] = { 1, 0.75, 0.5, 0.25, 0 };
    double gradient[5] = { 0 };
    assert_near(icl_loss_rank_margin(gradient, steep, 4, 0.1, 1), 0, 0);
    assert_near(icl_loss_rank_margin(gradient, even, 5, 0.25, 1), 0, 1e-15);
    for (size_t i = 0; i < 5; i++) assert_near(gradient[i], 0, 1e-15);
    const double two[] = { 1, 0 };
    assert_near(icl_loss_rank_margin(gradient, two, 2, 1.5, 1), 0.5, 1e-15);
}

static void test_ranking_loss__equal_scores_miss_every_margin_and_move_nowhere(void **state)
{
    (void)state;
    const double equal[] = { 2, 2, 2 };
    double gradient[3] = { 0 };
    assert_near(icl_loss_rank_margin(gradient, equal, 3, 0.1, 1), 0.1 + 0.2, 1e-15);
    for (size_t i = 0; i < 3; i++) assert_near(gradient[i], 0, 0);
}

static void test_ranking_loss__lambda_of_two_is_known(void **state)
{
    (void)state;
    const double scores[] = { 1, 2 };
    const size_t ranks[] = { 1, 2 };
    double gradient[2] = { 0 }, loss = 0;
    icl_lambda_loss input = { .count = 2, .scores = scores, .ranks = ranks };
    assert_int_equal(icl_loss_lambda(gradient, &loss, &input, 1), ICL_OK);
    assert_near(loss, 0.6566308, 5e-8);
    assert_near(gradient[0], -0.5 / (1 + exp(-1)), 1e-15);
    /* |1 - 1/2| (1 - 1/log2 3) / (1 + 1/(2 log2 3)) log(1 + e) */
    input.metric = ICL_LAMBDA_RANK;
    assert_int_equal(icl_loss_lambda(gradient, &loss, &input, 1), ICL_OK);
    const double second = 1 / log2(3);
    assert_near(loss, 0.5 * (1 - second) / (1 + second / 2) * log1p(exp(1)), 1e-15);
}

static void test_ranking_loss__equal_ranks_give_no_gradient(void **state)
{
    (void)state;
    const double scores[] = { 1, 2, 5 };
    const size_t equal[] = { 1, 1, 1 }, pair[] = { 2, 1, 2 };
    double gradient[3] = { 0 }, loss = 7;
    icl_lambda_loss input = { .count = 3, .scores = scores, .ranks = equal };
    assert_int_equal(icl_loss_lambda(gradient, &loss, &input, 1), ICL_OK);
    assert_near(loss, 0, 0);
    for (size_t i = 0; i < 3; i++) assert_near(gradient[i], 0, 0);
    input.ranks = pair; /* items 0 and 2 do not push one another */
    assert_int_equal(icl_loss_lambda(gradient, &loss, &input, 1), ICL_OK);
    /* Positions 3, 2, 1: item 0 against 1 weighs 1/2 - 1/3, item 1 against 2 weighs 1 - 1/2. */
    assert_near(gradient[0], (1.0 / 6) / (1 + exp(1)) / 2, 1e-15);
    assert_near(gradient[2], (1.0 / 2) / (1 + exp(-3)) / 2, 1e-15);
    assert_near(gradient[1], -gradient[0] - gradient[2], 1e-15);
}

static void test_ranking_loss__far_differences_are_clamped(void **state)
{
    (void)state;
    const double scores[] = { 0, 1000 };
    const size_t ranks[] = { 1, 2 };
    double gradient[2] = { 0 }, loss = 0;
    const icl_lambda_loss input = { .count = 2, .scores = scores, .ranks = ranks };
    assert_int_equal(icl_loss_lambda(gradient, &loss, &input, 1), ICL_OK);
    assert_near(loss, 25, 1e-12);
    assert_near(gradient[0], 0, 0);
}

static void test_ranking_loss__a_student_like_its_teacher_has_nothing_to_learn(void **state)
{
    (void)state;
    double scores[COUNT], gradient[COUNT] = { 0 }, teacher[COUNT], loss = 1;
    fill(scores, "alike");
    for (size_t i = 0; i < COUNT; i++) teacher[i] = 4 * scores[i] + 3;
    const icl_distil input = { .count = COUNT,
                               .scores = scores,
                               .teacher = teacher,
                               .temperature = 0.5,
                               .teacher_temperature = 2 };
    assert_int_equal(icl_loss_distil(gradient, &loss, &input, 1), ICL_OK);
    assert_near(loss, 0, 1e-14);
    for (size_t i = 0; i < COUNT; i++) assert_near(gradient[i], 0, 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranking_loss__gradients_are_those_of_differences),
        cmocka_unit_test(test_ranking_loss__infonce_of_equal_scores_is_the_log_of_their_number),
        cmocka_unit_test(test_ranking_loss__a_masked_column_has_no_gradient),
        cmocka_unit_test(test_ranking_loss__softmax_losses_do_not_see_a_constant),
        cmocka_unit_test(test_ranking_loss__margin_is_zero_where_scores_fall_enough),
        cmocka_unit_test(test_ranking_loss__equal_scores_miss_every_margin_and_move_nowhere),
        cmocka_unit_test(test_ranking_loss__lambda_of_two_is_known),
        cmocka_unit_test(test_ranking_loss__equal_ranks_give_no_gradient),
        cmocka_unit_test(test_ranking_loss__far_differences_are_clamped),
        cmocka_unit_test(test_ranking_loss__a_student_like_its_teacher_has_nothing_to_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
