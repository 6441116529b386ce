/* The Q network: gradients by differences, running norm by two passes, forty updates by PyTorch,
 * and a game whose values are known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "near.h"
#include "select/q_learner.h"

enum { ACTIONS = 5, ROWS = 40 };

static void draw(double *out, size_t count, icl_rng *rng)
{
    for (size_t i = 0; i < count; i++) out[i] = icl_rng_normal(rng);
}

/* A choice of ACTIONS actions over drawn features, and a network that has seen it. */
typedef struct stage {
    double features[ACTIONS][ICL_Q_ACTION];
    icl_q_choice choice;
    icl_q_network network;
} stage;

static void set_stage(stage *s)
{
    icl_rng rng = icl_rng_new(11, "stage", "", "test");
    draw((double *)s->features, ACTIONS * ICL_Q_ACTION, &rng);
    s->choice = (icl_q_choice){ .actions = (const double(*)[ICL_Q_ACTION])s->features,
                                .action_count = ACTIONS };
    draw(s->choice.state, ICL_Q_STATE, &rng);
    icl_q_network_start(&s->network, &rng);
    draw(s->network.weights.stop, ICL_Q_ACTION, &rng);
    icl_q_network_track(&s->network, &s->choice);
}

static double weighted_values(const stage *s, const double *slopes, icl_q_pass *passes)
{
    double values[ACTIONS + 1], sum = 0.0;
    icl_rng same = icl_rng_new(5, "dropout", "", "test");
    icl_q_forward(values, passes, &s->network, &s->choice, 0.3, &same);
    for (size_t a = 0; a <= ACTIONS; a++) sum += slopes[a] * values[a];
    return sum;
}

static void test_q_network__gradients_are_those_of_differences(void **state)
{
    (void)state;
    stage s;
    set_stage(&s);
    const double slopes[ACTIONS + 1] = { 0.3, -1.0, 0.5, 0.0, 2.0, -0.7 };
    icl_q_pass passes[ACTIONS + 1];
    weighted_values(&s, slopes, passes);
    icl_q_weights gradient = { 0 };
    icl_q_backward(&gradient, &s.network, slopes, passes, &s.choice);
    for (size_t i = 0; i < ICL_Q_WEIGHTS; i++) {
        double *weight = &s.network.weights.all[i];
        const double kept = *weight, step = 1e-6;
        *weight = kept + step;
        const double above = weighted_values(&s, slopes, passes);
        *weight = kept - step;
        const double below = weighted_values(&s, slopes, passes);
        *weight = kept;
        assert_near(gradient.all[i], (above - below) / (2.0 * step), 1e-7);
    }
}

static void test_q_network__without_dropout_values_are_the_forward_pass(void **state)
{
    (void)state;
    stage s;
    set_stage(&s);
    double values[ACTIONS + 1], passed[ACTIONS + 1];
    icl_q_pass passes[ACTIONS + 1];
    icl_q_values(values, &s.network, &s.choice);
    icl_q_forward(passed, passes, &s.network, &s.choice, 0.0, NULL);
    for (size_t a = 0; a <= ACTIONS; a++) assert_near(values[a], passed[a], 0.0);
}

static void test_q_network__running_norm_is_mean_and_variance(void **state)
{
    (void)state;
    double rows[ROWS][ICL_Q_INPUT];
    icl_rng rng = icl_rng_new(2, "norm", "", "test");
    draw((double *)rows, ROWS * ICL_Q_INPUT, &rng);
    icl_running_norm norm = { 0 };
    for (size_t r = 0; r < ROWS; r++) {
        rows[r][3] = 1e6 + rows[r][3]; /* far from zero */
        icl_running_norm_add(&norm, rows[r]);
    }
    assert_near(norm.count, ROWS, 0.0);
    for (size_t i = 0; i < ICL_Q_INPUT; i++) {
        double mean = 0.0, variance = 0.0;
        for (size_t r = 0; r < ROWS; r++) mean += rows[r][i] / ROWS;
        for (size_t r = 0; r < ROWS; r++) variance += (rows[r][i] - mean) * (rows[r][i] - mean);
        assert_near(norm.mean[i], mean, 1e-9);
        assert_near(norm.square_sum[i], variance, 1e-8);
    }
}

static void test_q_network__starts_within_the_bounds(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(1, "start", "", "test");
    icl_q_network network;
    icl_q_network_start(&network, &rng);
    const double bound = sqrt(6.0 / (1.0001 * 16.0));
    double largest = 0.0;
    for (size_t i = 0; i < 16; i++)
        for (size_t j = 0; j < 16; j++) largest = fmax(largest, fabs(network.weights.second[i][j]));
    assert_true(largest < bound && largest > 0.9 * bound);
    for (size_t i = 0; i < ICL_Q_ACTION; i++) assert_near(network.weights.stop[i], 0.0, 0.0);
}

/* --- the learner --- */

static icl_q_learner *new_learner(size_t batch, double rate, double conservative)
{
    icl_q_options options = icl_q_options_default();
    options.batch_size = batch;
    options.actions_max = ACTIONS;
    options.rate = rate;
    options.conservative = conservative;
    options.dropout = 0.0;
    icl_q_learner *learner = NULL;
    assert_int_equal(icl_q_learner_new(&learner, &options), ICL_OK);
    return learner;
}

static void test_q_learner__the_target_of_a_last_pick_is_its_reward(void **state)
{
    (void)state;
    stage s;
    set_stage(&s);
    double values[ACTIONS + 1];
    icl_q_transition transition = { .choice = &s.choice, .action = 1, .reward = -0.25 };
    assert_near(icl_q_target(&s.network, &transition, values), -0.25, 0.0);
    transition.next = &s.choice;
    icl_q_values(values, &s.network, &s.choice);
    double best = values[0];
    for (size_t a = 1; a <= ACTIONS; a++) best = fmax(best, values[a]); /* stopping included */
    assert_near(icl_q_target(&s.network, &transition, values), best - 0.25, 1e-15);
}

static void test_q_learner__loss_and_gradient(void **state)
{
    (void)state;
    stage s;
    set_stage(&s);
    icl_q_learner *learner = new_learner(2, 1e-3, 0.7);
    icl_q_network *network = icl_q_learner_network(learner);
    *network = s.network;
    const icl_q_transition picks = { .choice = &s.choice, .action = 2 };
    const icl_q_transition stops = { .choice = &s.choice, .action = ACTIONS };
    const icl_q_transition *const batch[] = { &picks, &stops };
    const double targets[] = { 0.4, -3.0 };
    icl_q_weights gradient, ignored;
    const icl_q_loss loss = icl_q_learner_loss(&gradient, learner, batch, targets, 2, 0.0);
    double values[ACTIONS + 1], sum = 0.0;
    icl_q_values(values, network, &s.choice);
    for (size_t a = 0; a <= ACTIONS; a++) sum += exp(values[a]);
    assert_near(loss.temporal, 0.5 * (fabs(values[2] - 0.4) + fabs(values[ACTIONS] + 3.0)), 1e-12);
    assert_near(loss.conservative, log(sum) - 0.5 * (values[2] + values[ACTIONS]), 1e-12);
    assert_true(loss.conservative >= 0.0);
    for (size_t i = 0; i < ICL_Q_WEIGHTS; i++) {
        double total[2];
        for (size_t side = 0; side < 2; side++) {
            network->weights.all[i] = s.network.weights.all[i] + (side == 0 ? -1e-6 : 1e-6);
            const icl_q_loss at = icl_q_learner_loss(&ignored, learner, batch, targets, 2, 0.0);
            total[side] = at.temporal + 0.7 * at.conservative;
        }
        network->weights.all[i] = s.network.weights.all[i];
        assert_near(gradient.all[i], (total[1] - total[0]) / 2e-6, 1e-7);
    }
    icl_q_learner_free(learner);
}

/* The conservative part is 0 at best: for a choice of one action whose value is far above. */
static void test_q_learner__the_conservative_part_is_never_negative(void **state)
{
    (void)state;
    stage s;
    set_stage(&s);
    icl_q_learner *learner = new_learner(1, 1e-3, 0.2);
    icl_rng rng = icl_rng_new(9, "conservative", "", "test");
    icl_q_weights ignored;
    for (size_t i = 0; i < 200; i++) {
        draw(icl_q_learner_network(learner)->weights.all, ICL_Q_WEIGHTS, &rng);
        const icl_q_transition transition = { .choice = &s.choice, .action = i % (ACTIONS + 1) };
        const icl_q_transition *const batch[] = { &transition };
        const double target = icl_rng_normal(&rng);
        assert_true(icl_q_learner_loss(&ignored, learner, batch, &target, 1, 0.0).conservative >=
                    0.0);
    }
    icl_q_learner_free(learner);
}

static void test_q_learner__skips_what_cannot_teach(void **state)
{
    (void)state;
    stage s;
    set_stage(&s);
    icl_q_learner *learner = new_learner(4, 1e-3, 0.2);
    const icl_q_network before = *icl_q_learner_network(learner);
    icl_q_transition replay[4];
    for (size_t i = 0; i < 4; i++) replay[i] = (icl_q_transition){ .choice = &s.choice };
    bool changed = true;
    assert_int_equal(icl_q_learner_update(&changed, learner, replay, 3), ICL_OK); /* too few */
    assert_false(changed);
    assert_int_equal(icl_q_learner_update(&changed, learner, replay, 4), ICL_OK); /* all end */
    assert_false(changed);
    replay[0].next = &s.choice;
    assert_int_equal(icl_q_learner_update(&changed, learner, replay, 4), ICL_OK); /* one goes on */
    assert_false(changed);
    assert_memory_equal(&before, icl_q_learner_network(learner), sizeof before);
    replay[3].next = &s.choice;
    assert_int_equal(icl_q_learner_update(&changed, learner, replay, 4), ICL_OK);
    assert_true(changed);
    icl_q_learner_free(learner);
}

/* --- PyTorch --- */

static void read_numbers(double *out, const json_t *list, size_t count)
{
    assert_int_equal(json_array_size(list), count);
    for (size_t i = 0; i < count; i++) out[i] = json_number_value(json_array_get(list, i));
}

typedef struct read_choice {
    double features[ACTIONS][ICL_Q_ACTION];
    icl_q_choice choice;
} read_choice;

static void read_one_choice(read_choice *out, const json_t *from)
{
    const json_t *actions = json_object_get(from, "actions");
    out->choice = (icl_q_choice){ .actions = (const double(*)[ICL_Q_ACTION])out->features,
                                  .action_count = json_array_size(actions) };
    read_numbers(out->choice.state, json_object_get(from, "state"), ICL_Q_STATE);
    for (size_t a = 0; a < out->choice.action_count; a++)
        read_numbers(out->features[a], json_array_get(actions, a), ICL_Q_ACTION);
}

static void test_q_learner__updates_are_those_of_pytorch(void **state)
{
    (void)state;
    enum { TRANSITIONS = 8 };
    json_t *golden = json_load_file(ICL_SOURCE_DIR "/tests/golden/q_learning.json", 0, NULL);
    assert_non_null(golden);
    static read_choice here[TRANSITIONS], there[TRANSITIONS];
    icl_q_transition replay[TRANSITIONS];
    for (size_t i = 0; i < TRANSITIONS; i++) {
        const json_t *from = json_array_get(json_object_get(golden, "transitions"), i);
        const json_t *next = json_object_get(from, "next");
        read_one_choice(&here[i], json_object_get(from, "choice"));
        if (!json_is_null(next)) read_one_choice(&there[i], next);
        replay[i] = (icl_q_transition){
            .choice = &here[i].choice,
            .action = (size_t)json_integer_value(json_object_get(from, "action")),
            .reward = json_number_value(json_object_get(from, "reward")),
            .next = json_is_null(next) ? NULL : &there[i].choice,
        };
    }
    icl_q_options options = icl_q_options_default();
    options.batch_size = TRANSITIONS;
    options.actions_max = ACTIONS;
    options.target_every = 10;
    options.rate = 3e-3;
    options.dropout = 0.0;
    icl_q_learner *learner = NULL;
    assert_int_equal(icl_q_learner_new(&learner, &options), ICL_OK);
    icl_q_network *network = icl_q_learner_network(learner);
    read_numbers(network->weights.all, json_object_get(golden, "weights"), ICL_Q_WEIGHTS);
    const json_t *curve = json_object_get(golden, "values");
    for (size_t update = 0; update < json_array_size(curve); update++) {
        double values[ACTIONS + 1], expected[ACTIONS + 1];
        assert_int_equal(icl_q_learner_update(NULL, learner, replay, TRANSITIONS), ICL_OK);
        icl_q_values(values, network, &here[0].choice);
        read_numbers(expected, json_array_get(curve, update), here[0].choice.action_count + 1);
        for (size_t a = 0; a <= here[0].choice.action_count; a++)
            assert_near(values[a], expected[a], 1e-6);
    }
    assert_int_equal(json_array_size(curve), 40);
    icl_q_learner_free(learner);
    json_decref(golden);
}

/* --- a game --- */

/* From A one may lose 0.2 and come to B, where another pick earns 1, or win 0.3 and come to C,
 * where it earns 0.1. So Q(A) is 0.8 and 0.4, Q(B) 1, Q(C) 0.1, and stopping 0 everywhere. */
static void test_q_learner__finds_the_values_of_a_known_game(void **state)
{
    (void)state;
    const double two[][ICL_Q_ACTION] = { { 1, 0, 0, 0, 0 }, { 0, 1, 0, 0, 0 } };
    const double one[][ICL_Q_ACTION] = { { 0, 0, 1, 0, 0 } };
    const icl_q_choice a = { { 0, 0 }, two, 2 }, b = { { 1, -1 }, one, 1 },
                       c = { { 1, 1 }, one, 1 };
    const icl_q_transition replay[] = {
        { &a, 0, -0.2, &b },  { &a, 1, 0.3, &c }, { &b, 0, 1.0, NULL }, { &c, 0, 0.1, NULL },
        { &a, 2, 0.0, NULL }, { &b, 1, 0, NULL }, { &c, 1, 0, NULL },
    };
    icl_q_learner *learner = new_learner(7, 2e-3, 0.0);
    for (size_t i = 0; i < 8000; i++)
        assert_int_equal(icl_q_learner_update(NULL, learner, replay, 7), ICL_OK);
    const icl_q_network *network = icl_q_learner_network(learner);
    double values[3];
    icl_q_values(values, network, &a);
    assert_near(values[0], 0.8, 0.05);
    assert_near(values[1], 0.4, 0.05);
    assert_near(values[2], 0.0, 0.05);
    icl_q_values(values, network, &b);
    assert_near(values[0], 1.0, 0.05);
    assert_near(values[1], 0.0, 0.05);
    icl_q_values(values, network, &c);
    assert_near(values[0], 0.1, 0.05);
    assert_near(values[1], 0.0, 0.05);
    icl_q_learner_free(learner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_q_network__gradients_are_those_of_differences),
        cmocka_unit_test(test_q_network__without_dropout_values_are_the_forward_pass),
        cmocka_unit_test(test_q_network__running_norm_is_mean_and_variance),
        cmocka_unit_test(test_q_network__starts_within_the_bounds),
        cmocka_unit_test(test_q_learner__the_target_of_a_last_pick_is_its_reward),
        cmocka_unit_test(test_q_learner__loss_and_gradient),
        cmocka_unit_test(test_q_learner__the_conservative_part_is_never_negative),
        cmocka_unit_test(test_q_learner__skips_what_cannot_teach),
        cmocka_unit_test(test_q_learner__updates_are_those_of_pytorch),
        cmocka_unit_test(test_q_learner__finds_the_values_of_a_known_game),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
