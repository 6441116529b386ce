/* What a graph promises: gradients add up, frozen weights cost nothing, inputs can have gradients,
 * several losses, several uses of one weight, and the same bits whatever the number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <icl/status.h>

#include "learn/gradient_check.h"

/* y = w x with loss sum(y^2) / 2 over the three numbers of one row. */
typedef struct fixture {
    icl_device *device;
    icl_parameters *parameters;
    icl_graph *graph;
    size_t w;
} fixture;

static fixture start(bool composed)
{
    fixture f = { .device = cpu_device(1, composed) };
    assert_int_equal(icl_parameters_new(&f.parameters, f.device), ICL_OK);
    f.w = add_weight(f.parameters, "w", 2, 3, 0);
    return f;
}

static void stop(fixture *f)
{
    icl_graph_free(f->graph);
    icl_parameters_free(f->parameters);
    icl_device_close(f->device);
}

static const float w_numbers[] = { 1, 2, -1, 0.5f, 3, -2 };

static void allocate(fixture *f)
{
    assert_int_equal(icl_parameters_allocate(f->parameters), ICL_OK);
    icl_parameters_set(f->parameters, f->w, w_numbers);
    assert_int_equal(icl_graph_new(&f->graph, f->parameters), ICL_OK);
}

/* Mean squared error against zero: the mean of y^2. */
static icl_value *mean_square(icl_graph *graph, icl_value *y, const char *zero_name,
                              icl_value **zero, icl_value **one)
{
    *zero = icl_graph_input(graph, zero_name, icl_value_size(y, 0), icl_value_size(y, 1), false);
    *one = icl_graph_input(graph, "one", icl_value_size(y, 1), 1, false);
    return icl_loss_mse(graph, y, *zero, *one);
}

static void test_graph__gradients_of_weights_and_inputs_add_up_over_runs(void **state)
{
    for (int composed = 0; composed < 2; composed++) {
        fixture f = start(composed == 1);
        allocate(&f);
        icl_value *x = icl_graph_input(f.graph, "x", 2, 1, true), *zero, *one;
        icl_value *y = icl_op_linear(f.graph, icl_graph_parameter(f.graph, f.w), x);
        icl_value *loss = mean_square(f.graph, y, "zero", &zero, &one);
        icl_graph_add_loss(f.graph, "loss", loss, 1.5f); /* 1.5 / 3 sum(y^2) = sum(y^2) / 2 */
        assert_int_equal(icl_graph_finish(f.graph, true), ICL_OK);
        icl_graph_set(f.graph, x, (float[]){ 2, -1 });
        icl_graph_set(f.graph, zero, (float[]){ 0, 0, 0 });
        icl_graph_set(f.graph, one, (float[]){ 1 });

        /* y = (0, -2.5, 8): dw = y x^T, dx = w^T y; the loss is reported without its factor. */
        const double y_expected[] = { 0, -2.5, 8 }, x_numbers[] = { 2, -1 };
        for (int run = 1; run <= 2; run++) {
            assert_int_equal(icl_graph_run(f.graph), ICL_OK);
            assert_near((double)icl_graph_scalar(f.graph, loss), (6.25 + 64) / 3, 1e-5);
            float *gradient = read_gradient(f.parameters, f.w), for_x[2];
            for (size_t i = 0; i < 6; i++)
                assert_near((double)gradient[i], run * y_expected[i / 2] * x_numbers[i % 2], 1e-4);
            icl_graph_get_gradient(f.graph, x, for_x);
            assert_near((double)for_x[0], 2.5 + 24, 1e-4);
            assert_near((double)for_x[1], -1.25 - 16, 1e-4);
            free(gradient);
        }
        icl_parameters_zero_gradients(f.parameters);
        float *gradient = read_gradient(f.parameters, f.w);
        for (size_t i = 0; i < 6; i++) assert_near((double)gradient[i], 0, 0);
        free(gradient);
        stop(&f);
    }
}

static void test_graph__a_frozen_weight_costs_no_node(void **state)
{
    double flops[2], bytes[2];
    for (int frozen = 0; frozen < 2; frozen++) {
        fixture f = start(false);
        const size_t v = add_weight(f.parameters, "v", 3, 64, 0);
        icl_parameters_set_frozen(f.parameters, f.w, frozen == 1);
        assert_int_equal(icl_parameters_number_count(f.parameters, true), frozen ? 192 : 198);
        assert_int_equal(icl_parameters_number_count(f.parameters, false), 198);
        assert_int_equal(icl_parameters_bytes(f.parameters),
                         4 * (frozen ? 198 + 3 * 192 : 4 * 198));
        allocate(&f);
        assert_true((icl_parameters_at(f.parameters, f.w)->gradient == NULL) == (frozen == 1));
        icl_value *x = icl_graph_input(f.graph, "x", 2, 5, false), *zero, *one;
        icl_value *y = icl_op_linear(f.graph, icl_graph_parameter(f.graph, f.w), x);
        y = icl_op_linear(f.graph, icl_graph_parameter(f.graph, v), y);
        icl_graph_add_loss(f.graph, "loss", mean_square(f.graph, y, "zero", &zero, &one), 1);
        assert_int_equal(icl_graph_finish(f.graph, true), ICL_OK);
        assert_int_equal(icl_graph_run(f.graph), ICL_OK);
        flops[frozen] = icl_graph_flops(f.graph);
        bytes[frozen] = (double)icl_graph_bytes(f.graph);
        stop(&f);
    }
    /* Forward w and v, backward dw, dv and the input of v; frozen, only dv is left of those. */
    assert_near(flops[0], 2.0 * 5 * (2 * 6 + 3 * 192), 0);
    assert_near(flops[1], 2.0 * 5 * (6 + 2 * 192), 0);
    assert_true(bytes[1] <= bytes[0]);
}

static void test_graph__detach_stops_the_gradient(void **state)
{
    fixture f = start(false);
    allocate(&f);
    icl_value *x = icl_graph_input(f.graph, "x", 2, 1, true), *zero, *one;
    icl_value *y =
        icl_op_linear(f.graph, icl_graph_parameter(f.graph, f.w), icl_op_detach(f.graph, x));
    icl_graph_add_loss(f.graph, "loss", mean_square(f.graph, y, "zero", &zero, &one), 1);
    assert_int_equal(icl_graph_finish(f.graph, true), ICL_OK);
    icl_graph_set(f.graph, x, (float[]){ 2, -1 });
    icl_graph_set(f.graph, zero, (float[]){ 0, 0, 0 });
    icl_graph_set(f.graph, one, (float[]){ 1 });
    assert_int_equal(icl_graph_run(f.graph), ICL_OK);
    float for_x[2] = { 9, 9 };
    icl_graph_get_gradient(f.graph, x, for_x);
    assert_near((double)for_x[0], 0, 0);
    assert_near((double)for_x[1], 0, 0);
    stop(&f);
}

/* Two losses with weights; a kept value; a part that nothing asks for is not computed; forward
 * only.
 */
static void test_graph__what_is_kept_can_be_read_and_losses_add_up(void **state)
{
    for (int backward = 0; backward < 2; backward++) {
        fixture f = start(false);
        allocate(&f);
        icl_value *w = icl_graph_parameter(f.graph, f.w), *zero[2], *one[2];
        icl_value *x = icl_graph_input(f.graph, "x", 2, 1, false);
        icl_value *unused = icl_graph_input(f.graph, "unused", 2, 1, false);
        icl_op_linear(f.graph, w, unused);
        icl_value *y = icl_op_linear(f.graph, w, x), *doubled = icl_op_scale(f.graph, y, 2);
        icl_graph_keep(f.graph, y);
        icl_graph_add_loss(f.graph, "a", mean_square(f.graph, y, "z0", &zero[0], &one[0]), 3);
        icl_graph_add_loss(f.graph, "b", mean_square(f.graph, doubled, "z1", &zero[1], &one[1]),
                           0.5f);
        assert_int_equal(icl_graph_finish(f.graph, backward == 1), ICL_OK);
        icl_graph_set(f.graph, x, (float[]){ 1, 1 });
        icl_graph_set(f.graph, unused, (float[]){ 1, 1 }); /* harmless */
        for (int i = 0; i < 2; i++) {
            icl_graph_set(f.graph, zero[i], (float[]){ 0, 0, 0 });
            icl_graph_set(f.graph, one[i], (float[]){ 1 });
        }
        assert_int_equal(icl_graph_run(f.graph), ICL_OK);
        float kept[3];
        icl_graph_get(f.graph, y, kept);
        const double expected[] = { 3, -0.5, 1 };
        for (size_t i = 0; i < 3; i++) assert_near((double)kept[i], expected[i], 1e-6);
        float *gradient = read_gradient(f.parameters, f.w);
        for (size_t i = 0; i < 6; i++) /* (3 + 0.5 * 4) / 3 * 2 y */
            assert_near((double)gradient[i], backward * 10.0 / 3 * expected[i / 2], 1e-5);
        free(gradient);
        stop(&f);
    }
}

static void test_graph__attention_scores_are_rows_of_probabilities(void **state)
{
    icl_device *device = cpu_device(1, false);
    icl_parameters *parameters = NULL;
    icl_graph *graph = NULL;
    assert_int_equal(icl_parameters_new(&parameters, device), ICL_OK);
    add_weight(parameters, "q", 4, 2, 6);
    add_weight(parameters, "k", 4, 1, 6);
    fill_weights(parameters, 1);
    assert_int_equal(icl_graph_new(&graph, parameters), ICL_OK);
    const icl_attention_options options = { .batch = 2, .causal = true, .keep_scores = true };
    icl_value *k = icl_graph_parameter(graph, 1);
    icl_value *out = icl_op_attention(graph, icl_graph_parameter(graph, 0), k, k, &options);
    icl_value *scores = icl_attention_scores(graph, out);
    assert_int_equal(icl_graph_finish(graph, false), ICL_OK);
    assert_int_equal(icl_graph_run(graph), ICL_OK);
    float numbers[2][2][3][3]; /* batch, heads, queries, keys */
    assert_int_equal(icl_value_size(scores, 0), 3);
    assert_int_equal(icl_value_size(scores, 2), 2);
    icl_graph_get(graph, scores, &numbers[0][0][0][0]);
    for (int b = 0; b < 2; b++)
        for (int h = 0; h < 2; h++)
            for (int query = 0; query < 3; query++) {
                double sum = 0;
                for (int key = 0; key < 3; key++) {
                    const double p = (double)numbers[b][h][query][key];
                    assert_true(key <= query ? p > 0 : !(p > 0));
                    sum += p;
                }
                assert_near(sum, 1, 1e-6);
            }
    icl_graph_free(graph);
    icl_parameters_free(parameters);
    icl_device_close(device);
}

/* --- threads --- */

enum { TOKENS = 600, WIDTH = 64, VOCAB = 300 };

/* A block of a decoder large enough that every kernel has work for several threads. */
static float *decoder_gradients(size_t threads, size_t *count, float *loss_out)
{
    icl_device *device = cpu_device(threads, false);
    assert_int_equal(icl_device_thread_count(device), threads);
    icl_parameters *parameters = NULL;
    icl_graph *graph = NULL;
    assert_int_equal(icl_parameters_new(&parameters, device), ICL_OK);
    const size_t table = add_weight(parameters, "table", WIDTH, VOCAB, 0);
    const size_t gain = add_weight(parameters, "gain", WIDTH, 0, 0);
    const size_t square = add_weight(parameters, "square", WIDTH, WIDTH, 0);
    const size_t wide = add_weight(parameters, "wide", WIDTH, 3 * WIDTH, 0);
    const size_t narrow = add_weight(parameters, "narrow", 3 * WIDTH, WIDTH, 0);
    fill_weights(parameters, 0.2);
    assert_int_equal(icl_graph_new(&graph, parameters), ICL_OK);
    icl_value *ids = icl_graph_input_ids(graph, "ids", TOKENS);
    icl_value *weights = icl_graph_input(graph, "weights", TOKENS, 1, false);
    icl_value *rows = icl_op_rows(graph, icl_graph_parameter(graph, table), ids);
    icl_value *x = icl_op_rms_norm(graph, rows, icl_graph_parameter(graph, gain), 1e-5f);
    icl_value *q = icl_op_linear(graph, icl_graph_parameter(graph, square), x);
    q = icl_op_rope(graph, icl_op_reshape(graph, q, 16, 4, TOKENS, 1), ids, 1e4f, false);
    const icl_attention_options options = { .batch = 2, .causal = true };
    x = icl_op_add(graph, rows, icl_op_attention(graph, q, q, q, &options));
    icl_value *up = icl_op_linear(graph, icl_graph_parameter(graph, wide), x);
    x = icl_op_linear(graph, icl_graph_parameter(graph, narrow), icl_op_silu_gate(graph, up, up));
    icl_value *logits = icl_op_linear(graph, icl_graph_parameter(graph, table), x);
    icl_value *loss = icl_loss_cross_entropy(graph, logits, ids, weights, 0);
    icl_graph_add_loss(graph, "loss", loss, 1);
    assert_int_equal(icl_graph_finish(graph, true), ICL_OK);
    int32_t numbers[TOKENS];
    float ones[TOKENS];
    for (int i = 0; i < TOKENS; i++) {
        numbers[i] = i * 7 % VOCAB;
        ones[i] = i % 4 == 0 ? 0.0f : 1.0f;
    }
    icl_graph_set_ids(graph, ids, numbers);
    icl_graph_set(graph, weights, ones);
    assert_int_equal(icl_graph_run(graph), ICL_OK);
    *loss_out = icl_graph_scalar(graph, loss);

    *count = (size_t)icl_parameters_number_count(parameters, true);
    float *all = malloc(*count * sizeof *all), *end = all;
    assert_non_null(all);
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        float *one = read_gradient(parameters, i);
        const size_t size = icl_parameters_at(parameters, i)->count;
        memcpy(end, one, size * sizeof *one);
        end += size;
        free(one);
    }
    icl_graph_free(graph);
    icl_parameters_free(parameters);
    icl_device_close(device);
    return all;
}

static void test_graph__threads_do_not_change_bits(void **state)
{
    size_t count = 0, same = 0;
    float loss_one = 0, loss_more = 0;
    float *one = decoder_gradients(1, &count, &loss_one);
    for (size_t threads = 2; threads <= 3; threads++) {
        float *more = decoder_gradients(threads, &same, &loss_more);
        assert_int_equal(count, same);
        assert_memory_equal(&loss_one, &loss_more, sizeof loss_one);
        assert_memory_equal(one, more, count * sizeof *one);
        free(more);
    }
    free(one);
}

/* --- what the world gets wrong --- */

static void test_device__an_unknown_name_is_refused_with_those_there_are(void **state)
{
    icl_device *device = NULL;
    const icl_device_options options = { .name = "abacus" };
    assert_int_equal(icl_device_open(&device, &options), ICL_EUNSUPPORTED);
    assert_null(device);
    assert_non_null(strstr(icl_error_message(), "\"abacus\""));
    assert_non_null(strstr(icl_error_message(), "cpu"));
}

/* 1 TB and more: refused before anything is touched. */
static void test_graph__what_does_not_fit_is_refused_with_its_size(void **state)
{
    fixture f = start(false);
    allocate(&f);
    icl_value *huge = icl_graph_input(f.graph, "huge", 1 << 20, 1 << 18, false);
    icl_graph_keep(f.graph, icl_op_scale(f.graph, huge, 2));
    assert_int_equal(icl_graph_finish(f.graph, false), ICL_ENOMEM);
    assert_non_null(strstr(icl_error_message(), "intermediate results want "));
    stop(&f);

    f = start(false);
    add_weight(f.parameters, "huge", 1 << 20, 1 << 18, 0);
    assert_int_equal(icl_parameters_allocate(f.parameters), ICL_ENOMEM);
    assert_non_null(strstr(icl_error_message(), "optimizer state want 4398046.5 MB"));
    stop(&f);
}

static void test_parameters__a_name_is_given_once(void **state)
{
    fixture f = start(false);
    size_t index = 77;
    assert_int_equal(icl_parameters_add(&index, f.parameters, "w", (int64_t[]){ 2 }, 1),
                     ICL_EINVAL);
    assert_int_equal(index, 77);
    assert_int_equal(icl_parameters_count(f.parameters), 1);
    assert_int_equal(icl_parameters_find(f.parameters, "w"), 0);
    assert_true(icl_parameters_find(f.parameters, "none") == SIZE_MAX);
    stop(&f);
}

static void test_parameters__a_start_depends_on_seed_and_name_alone(void **state)
{
    float first[6], second[6];
    for (int other = 0; other < 2; other++) {
        fixture f = start(false);
        if (other == 1) add_weight(f.parameters, "before", 5, 0, 0);
        assert_int_equal(icl_parameters_allocate(f.parameters), ICL_OK);
        assert_int_equal(icl_parameters_fill_normal(f.parameters, f.w, 3, 0.5), ICL_OK);
        icl_parameters_get(f.parameters, f.w, other == 1 ? second : first);
        stop(&f);
    }
    assert_memory_equal(first, second, sizeof first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph__gradients_of_weights_and_inputs_add_up_over_runs),
        cmocka_unit_test(test_graph__a_frozen_weight_costs_no_node),
        cmocka_unit_test(test_graph__detach_stops_the_gradient),
        cmocka_unit_test(test_graph__what_is_kept_can_be_read_and_losses_add_up),
        cmocka_unit_test(test_graph__attention_scores_are_rows_of_probabilities),
        cmocka_unit_test(test_graph__threads_do_not_change_bits),
        cmocka_unit_test(test_device__an_unknown_name_is_refused_with_those_there_are),
        cmocka_unit_test(test_graph__what_does_not_fit_is_refused_with_its_size),
        cmocka_unit_test(test_parameters__a_name_is_given_once),
        cmocka_unit_test(test_parameters__a_start_depends_on_seed_and_name_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
