/* AdamW against its formula in double precision; gradients are made by a loss of c . w, whose
 * gradient is c. */
#include "trainee.h"

enum { VECTOR = 5, MATRIX = 40000, WEIGHTS = 3 };

typedef struct world {
    icl_device *device;
    icl_parameters *parameters;
    icl_graph *graph;
    icl_value *slopes[WEIGHTS];
    icl_optimizer *optimizer;
} world;

static const char *const names[WEIGHTS] = { "vector", "matrix", "frozen" };
static const size_t counts[WEIGHTS] = { VECTOR, MATRIX, VECTOR };

static float start_of(size_t weight, size_t index)
{
    return 0.5f * sinf((float)(weight * 7 + index));
}

static float slope_of(size_t weight, size_t index, size_t run)
{
    return cosf((float)(weight + 3 * index + 11 * run)) * (float)(1 + index % 3) * 0.01f;
}

static void fill_weights(const world *w)
{
    float *values = malloc(MATRIX * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < WEIGHTS; i++) {
        for (size_t j = 0; j < counts[i]; j++) values[j] = start_of(i, j);
        icl_parameters_set(w->parameters, i, values);
    }
    free(values);
}

static void build(world *w)
{
    assert_ok(icl_graph_new(&w->graph, w->parameters));
    for (size_t i = 0; i < WEIGHTS; i++) {
        const int64_t count = (int64_t)counts[i];
        icl_value *weight = icl_graph_parameter(w->graph, i);
        w->slopes[i] = icl_graph_input(w->graph, names[i], count, 1, false);
        icl_value *row = icl_op_reshape(w->graph, weight, count, 1, 1, 1);
        icl_graph_add_loss(w->graph, names[i], icl_op_linear(w->graph, w->slopes[i], row), 1.0f);
    }
    assert_ok(icl_graph_finish(w->graph, true));
}

static void world_open(world *w, size_t threads, bool composed,
                       const icl_optimizer_options *options)
{
    *w = (world){ .device = cpu_device(threads, composed) };
    assert_ok(icl_parameters_new(&w->parameters, w->device));
    size_t index = 0;
    assert_ok(icl_parameters_add(&index, w->parameters, names[0], (int64_t[]){ VECTOR }, 1));
    icl_parameters_set_rate_scale(w->parameters, index, 0.25f);
    assert_ok(
        icl_parameters_add(&index, w->parameters, names[1], (int64_t[]){ MATRIX / 100, 100 }, 2));
    assert_ok(icl_parameters_add(&index, w->parameters, names[2], (int64_t[]){ VECTOR }, 1));
    icl_parameters_set_frozen(w->parameters, index, true);
    assert_ok(icl_parameters_allocate(w->parameters));
    fill_weights(w);
    build(w);
    assert_ok(icl_optimizer_new(&w->optimizer, w->parameters, options));
}

static void world_close(world *w)
{
    icl_optimizer_free(w->optimizer);
    icl_graph_free(w->graph);
    icl_parameters_free(w->parameters);
    icl_device_close(w->device);
}

/* Adds slope_of(.., run), multiplied by `factor`, to the gradients. */
static void run(const world *w, size_t number, float factor)
{
    float *slopes = malloc(MATRIX * sizeof *slopes);
    assert_non_null(slopes);
    for (size_t i = 0; i < WEIGHTS; i++) {
        for (size_t j = 0; j < counts[i]; j++) slopes[j] = factor * slope_of(i, j, number);
        icl_graph_set(w->graph, w->slopes[i], slopes);
    }
    assert_ok(icl_graph_run(w->graph));
    free(slopes);
}

static icl_optimizer_options plain_options(void)
{
    icl_optimizer_options options = icl_optimizer_options_default();
    options.shape = ICL_RATE_CONSTANT;
    options.rate = 1e-2;
    options.warmup_steps = 0;
    return options;
}

/* --- the formula, in double --- */

typedef struct reference {
    double *weight, *m, *v; /* [VECTOR + MATRIX] */
} reference;

enum { NUMBERS = VECTOR + MATRIX };

/* The mean of two micro-batches. */
static double gradient_at(size_t index, size_t step)
{
    const size_t weight = index < VECTOR ? 0 : 1, at = index < VECTOR ? index : index - VECTOR;
    return ((double)slope_of(weight, at, 2 * step) + (double)slope_of(weight, at, 2 * step + 1)) /
           2;
}

static double norm_at(size_t step)
{
    double sum = 0.0;
    for (size_t i = 0; i < NUMBERS; i++) sum += gradient_at(i, step) * gradient_at(i, step);
    return sqrt(sum);
}

static void reference_step(reference *r, const icl_optimizer_options *o, size_t step)
{
    const double clip = fmin(1.0, o->clip_norm / (norm_at(step) + 1e-6));
    for (size_t i = 0; i < NUMBERS; i++) {
        const double g = clip * gradient_at(i, step);
        const double rate = o->rate * (i < VECTOR ? 0.25 : 1.0);
        const double decay = i < VECTOR ? 0.0 : o->weight_decay;
        r->m[i] = o->beta1 * r->m[i] + (1 - o->beta1) * g;
        r->v[i] = o->beta2 * r->v[i] + (1 - o->beta2) * g * g;
        const double m = r->m[i] / (1 - pow(o->beta1, (double)step + 1));
        const double v = r->v[i] / (1 - pow(o->beta2, (double)step + 1));
        r->weight[i] -= rate * (decay * r->weight[i] + m / (sqrt(v) + o->epsilon));
    }
}

static void assert_weights(const world *w, const reference *r)
{
    for (size_t i = 0; i < 2; i++) {
        float *values = copy_weight(w->parameters, i);
        for (size_t j = 0; j < counts[i]; j++)
            assert_near((double)values[j], r->weight[i * VECTOR + j], 2e-6);
        free(values);
    }
}

static void check_formula(bool composed)
{
    const icl_optimizer_options options = plain_options();
    world w;
    world_open(&w, 1, composed, &options);
    double *numbers = calloc(3 * NUMBERS, sizeof *numbers);
    assert_non_null(numbers);
    reference r = { numbers, numbers + NUMBERS, numbers + 2 * NUMBERS };
    for (size_t i = 0; i < NUMBERS; i++)
        r.weight[i] = (double)(i < VECTOR ? start_of(0, i) : start_of(1, i - VECTOR));
    for (size_t step = 0; step < 10; step++) {
        run(&w, 2 * step, 1.0f);
        run(&w, 2 * step + 1, 1.0f);
        icl_optimizer_report report;
        assert_ok(icl_optimizer_step(w.optimizer, 2, &report));
        assert_near(report.gradient_norm, norm_at(step), 1e-5 * norm_at(step));
        assert_false(report.skipped);
        reference_step(&r, &options, step);
    }
    assert_weights(&w, &r);
    assert_int_equal(icl_optimizer_steps(w.optimizer), 10);
    free(numbers);
    world_close(&w);
}

static void test_optimizer__equals_adamw(void **state)
{
    assert_true(norm_at(0) > 1.5); /* so that the norm is clipped */
    check_formula(false);
    check_formula(true);
}

static void test_optimizer__frozen_weights_stay(void **state)
{
    const icl_optimizer_options options = plain_options();
    world w;
    world_open(&w, 1, false, &options);
    run(&w, 0, 1.0f);
    icl_optimizer_report report;
    assert_ok(icl_optimizer_step(w.optimizer, 1, &report));
    float *values = copy_weight(w.parameters, 2);
    for (size_t j = 0; j < VECTOR; j++) assert_true(values[j] == start_of(2, j));
    free(values);
    world_close(&w);
}

/* Two steps, the matrix afterwards; yours to free. */
static float *matrix_after(size_t threads)
{
    const icl_optimizer_options options = plain_options();
    world w;
    world_open(&w, threads, false, &options);
    icl_optimizer_report report;
    for (size_t step = 0; step < 2; step++) {
        run(&w, step, 1.0f);
        assert_ok(icl_optimizer_step(w.optimizer, 1, &report));
    }
    float *values = copy_weight(w.parameters, 1);
    world_close(&w);
    return values;
}

static void test_optimizer__threads_change_no_bit(void **state)
{
    float *one = matrix_after(1), *two = matrix_after(2), *three = matrix_after(3);
    assert_memory_equal(one, two, MATRIX * sizeof *one);
    assert_memory_equal(one, three, MATRIX * sizeof *one);
    free(three);
    free(two);
    free(one);
}

/* A step that is skipped leaves no trace in later ones: what follows is as if it had not been. */
static void check_skip(bool composed)
{
    const icl_optimizer_options options = plain_options();
    world plain, skipping;
    world_open(&plain, 1, composed, &options);
    world_open(&skipping, 1, composed, &options);
    icl_optimizer_report report;
    for (size_t step = 0; step < 3; step++) {
        run(&skipping, step, step == 1 ? INFINITY : 1.0f);
        assert_ok(icl_optimizer_step(skipping.optimizer, 1, &report));
        assert_true(report.skipped == (step == 1));
        if (step == 1) continue;
        run(&plain, step, 1.0f);
        assert_ok(icl_optimizer_step(plain.optimizer, 1, &report));
    }
    assert_int_equal(icl_optimizer_steps(skipping.optimizer), 2);
    assert_int_equal(icl_optimizer_adam_steps(skipping.optimizer), 2);
    float *expected = copy_weight(plain.parameters, 1),
          *actual = copy_weight(skipping.parameters, 1);
    assert_memory_equal(actual, expected, MATRIX * sizeof *actual);
    free(actual);
    free(expected);
    world_close(&skipping);
    world_close(&plain);
}

static void test_optimizer__step_without_finite_norm_is_skipped(void **state)
{
    check_skip(false);
    check_skip(true);
}

static void test_optimizer__next_phase_keeps_moments(void **state)
{
    icl_optimizer_options options = plain_options();
    world w;
    world_open(&w, 1, false, &options);
    icl_optimizer_report report;
    run(&w, 0, 1.0f);
    assert_ok(icl_optimizer_step(w.optimizer, 1, &report));
    options.rate = 5e-3;
    icl_optimizer_set_options(w.optimizer, &options);
    assert_int_equal(icl_optimizer_steps(w.optimizer), 0);
    assert_int_equal(icl_optimizer_adam_steps(w.optimizer), 1);
    run(&w, 1, 1.0f);
    assert_ok(icl_optimizer_step(w.optimizer, 1, &report));
    assert_near(report.rate, 5e-3, 0.0);
    assert_int_equal(icl_optimizer_adam_steps(w.optimizer), 2);
    world_close(&w);
}

static void test_optimizer__refuses_what_cannot_be(void **state)
{
    icl_optimizer_options options = plain_options();
    options.beta2 = 1.0;
    assert_int_equal(icl_optimizer_options_check(&options), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "beta2 must be at least 0 and below 1, not 1");
    options = plain_options();
    options.rate = NAN;
    assert_int_equal(icl_optimizer_options_check(&options), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "rate must be at least 0 and below inf, not nan");

    options = plain_options();
    icl_device *device = cpu_device(1, false);
    icl_parameters *parameters = NULL;
    size_t index = 0;
    assert_ok(icl_parameters_new(&parameters, device));
    assert_ok(icl_parameters_add(&index, parameters, "w", (int64_t[]){ 2 }, 1));
    icl_parameters_set_frozen(parameters, index, true);
    assert_ok(icl_parameters_allocate(parameters));
    icl_optimizer *optimizer = NULL;
    assert_int_equal(icl_optimizer_new(&optimizer, parameters, &options), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "all 1 weights are frozen: nothing to train");
    assert_null(optimizer);
    icl_parameters_free(parameters);
    icl_device_close(device);
}

/* --- schedules --- */

static double rate_at(icl_rate_shape shape, uint64_t warmup, uint64_t step)
{
    const icl_optimizer_options options = {
        .shape = shape, .rate = 1.0, .rate_end = 0.2, .warmup_steps = warmup, .step_count = 21
    };
    return icl_optimizer_rate(&options, step);
}

static void test_rate__warms_up_to_the_peak(void **state)
{
    for (int shape = ICL_RATE_CONSTANT; shape <= ICL_RATE_NOAM; shape++) {
        if (shape == ICL_RATE_TRIANGULAR) continue;
        assert_near(rate_at((icl_rate_shape)shape, 4, 0), 0.2, 1e-15);
        assert_near(rate_at((icl_rate_shape)shape, 4, 3), 0.8, 1e-15);
        assert_near(rate_at((icl_rate_shape)shape, 4, 4), 1.0, 1e-15);
        assert_near(rate_at((icl_rate_shape)shape, 0, 0), 1.0, 1e-15);
    }
}

static void test_rate__ends_at_the_last_step(void **state)
{
    assert_near(rate_at(ICL_RATE_CONSTANT, 4, 20), 1.0, 1e-15);
    assert_near(rate_at(ICL_RATE_LINEAR, 4, 12), 0.6, 1e-15);
    assert_near(rate_at(ICL_RATE_LINEAR, 4, 20), 0.2, 1e-15);
    assert_near(rate_at(ICL_RATE_COSINE, 4, 8), 0.6 + 0.4 * sqrt(0.5), 1e-15);
    assert_near(rate_at(ICL_RATE_COSINE, 4, 20), 0.2, 1e-15);
    assert_near(rate_at(ICL_RATE_COSINE, 4, 1000), 0.2, 1e-15);
    assert_near(rate_at(ICL_RATE_NOAM, 4, 19), 0.5, 1e-15);
    assert_near(rate_at(ICL_RATE_TRIANGULAR, 4, 0), 0.2, 1e-15);
    assert_near(rate_at(ICL_RATE_TRIANGULAR, 4, 5), 0.6, 1e-15);
    assert_near(rate_at(ICL_RATE_TRIANGULAR, 4, 10), 1.0, 1e-15);
    assert_near(rate_at(ICL_RATE_TRIANGULAR, 4, 20), 0.2, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimizer__equals_adamw),
        cmocka_unit_test(test_optimizer__frozen_weights_stay),
        cmocka_unit_test(test_optimizer__threads_change_no_bit),
        cmocka_unit_test(test_optimizer__step_without_finite_norm_is_skipped),
        cmocka_unit_test(test_optimizer__next_phase_keeps_moments),
        cmocka_unit_test(test_optimizer__refuses_what_cannot_be),
        cmocka_unit_test(test_rate__warms_up_to_the_peak),
        cmocka_unit_test(test_rate__ends_at_the_last_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
