/* Every operation and loss: gradients against differences, composed and fused forms alike, also on
 * a card where there is one; the same bits with one thread and with two, nothing where nothing is
 * needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "learn/gradient_check.h"

/* An experiment: weights to make, and the loss of a graph over them. */
typedef struct experiment {
    const char *name;
    void (*add)(icl_parameters *parameters);
    icl_value *(*build)(icl_graph *graph, icl_parameters *parameters);
    double deviation;
} experiment;

static icl_value *weight(icl_graph *graph, icl_parameters *parameters, const char *name)
{
    return icl_graph_parameter(graph, icl_parameters_find(parameters, name));
}

/* --- inputs that experiments share; filled by name with numbers that depend on it --- */

enum { INPUTS_MAX = 8 };
static struct {
    icl_value *value;
    char name[16];
    int32_t bound; /* ids: below this; 0: real numbers */
} inputs[INPUTS_MAX];
static size_t input_count;

static icl_value *input(icl_graph *graph, const char *name, int64_t width, int64_t rows)
{
    icl_value *value = icl_graph_input(graph, name, width, rows, false);
    inputs[input_count].value = value;
    inputs[input_count].bound = 0;
    strcpy(inputs[input_count++].name, name);
    return value;
}

static icl_value *ids(icl_graph *graph, const char *name, int64_t count, int32_t bound)
{
    icl_value *value = icl_graph_input_ids(graph, name, count);
    inputs[input_count].value = value;
    inputs[input_count].bound = bound;
    strcpy(inputs[input_count++].name, name);
    return value;
}

/* "positive" inputs are made into distributions row by row; "weights" have some zeros; "first" ids
 * grow along each sequence of 8; "mask" hides a few keys. */
static void fill_real(icl_graph *graph, icl_value *value, const char *name)
{
    const int64_t width = icl_value_size(value, 0), rows = icl_value_size(value, 1);
    float *numbers = malloc((size_t)(width * rows) * sizeof *numbers);
    assert_non_null(numbers);
    icl_rng rng = icl_rng_new(5, "inputs", name, "fill");
    for (int64_t i = 0; i < width * rows; i++) {
        numbers[i] = (float)icl_rng_normal(&rng);
        if (strcmp(name, "positive") == 0) numbers[i] = fabsf(numbers[i]);
        if (strcmp(name, "weights") == 0) numbers[i] = i % 3 == 1 ? 0.0f : 0.5f + fabsf(numbers[i]);
        if (strcmp(name, "mask") == 0)
            numbers[i] = i % width > 0 && numbers[i] > 1.0f ? -INFINITY : numbers[i];
    }
    for (int64_t r = 0; strcmp(name, "positive") == 0 && r < rows; r++) {
        float sum = 0;
        for (int64_t i = 0; i < width; i++) sum += numbers[r * width + i];
        for (int64_t i = 0; i < width; i++) numbers[r * width + i] /= sum;
    }
    icl_graph_set(graph, value, numbers);
    free(numbers);
}

static void fill_inputs(icl_graph *graph)
{
    for (size_t i = 0; i < input_count; i++) {
        icl_value *value = inputs[i].value;
        if (inputs[i].bound == 0) {
            fill_real(graph, value, inputs[i].name);
            continue;
        }
        int32_t numbers[64];
        icl_rng rng = icl_rng_new(5, "inputs", inputs[i].name, "fill");
        for (int64_t n = 0; n < icl_value_size(value, 0); n++)
            numbers[n] = strcmp(inputs[i].name, "first") == 0
                             ? (int32_t)(n % 8 / 3 * 3)
                             : (int32_t)icl_rng_below(&rng, (size_t)inputs[i].bound);
        icl_graph_set_ids(graph, value, numbers);
    }
}

/* --- experiments --- */

/* A loss that treats every number of y differently: the mean of (y - a fixed target)^2. */
static icl_value *judge(icl_graph *graph, icl_value *y)
{
    int64_t width = icl_value_size(y, 0), rows = 1;
    for (size_t axis = 1; axis < 4; axis++) rows *= icl_value_size(y, axis);
    y = icl_op_reshape(graph, y, width, rows, 1, 1);
    return icl_loss_mse(graph, y, input(graph, "target", width, rows),
                        input(graph, "weights", rows, 1));
}

static void add_x(icl_parameters *parameters)
{
    add_weight(parameters, "x", 24, 7, 0);
}

static void add_x_bias(icl_parameters *parameters)
{
    add_x(parameters);
    add_weight(parameters, "bias", 24, 0, 0);
}

static void add_x_gain(icl_parameters *parameters)
{
    add_x(parameters);
    add_weight(parameters, "gain", 24, 0, 0);
}

static void add_x_gain_bias(icl_parameters *parameters)
{
    add_x(parameters);
    add_weight(parameters, "gain", 24, 0, 0);
    add_weight(parameters, "bias", 24, 0, 0);
}

static void add_pair(icl_parameters *parameters)
{
    add_x(parameters);
    add_weight(parameters, "other", 24, 7, 0);
}

static void add_linear(icl_parameters *parameters)
{
    add_x(parameters);
    add_weight(parameters, "w", 24, 10, 0);
    add_weight(parameters, "v", 10, 24, 0);
}

static void add_qkv(icl_parameters *parameters)
{
    add_weight(parameters, "q", 6, 4, 16);
    add_weight(parameters, "k", 6, 2, 16);
    add_weight(parameters, "v", 6, 2, 16);
}

static void add_qkv_bias(icl_parameters *parameters)
{
    add_qkv(parameters);
    add_weight(parameters, "bias", 8, 8, 0);
}

#define X     weight(graph, parameters, "x")
#define OTHER weight(graph, parameters, "other")

static icl_value *build_add(icl_graph *graph, icl_parameters *parameters)
{
    icl_value *y = icl_op_add(graph, X, weight(graph, parameters, "bias"));
    return judge(graph, icl_op_add(graph, y, icl_op_multiply(graph, X, X)));
}

static icl_value *build_multiply(icl_graph *graph, icl_parameters *parameters)
{
    icl_value *y = icl_op_multiply(graph, X, weight(graph, parameters, "gain"));
    return judge(graph, icl_op_scale(graph, y, 1.5f));
}

static icl_value *build_linear(icl_graph *graph, icl_parameters *parameters)
{
    icl_value *w = weight(graph, parameters, "w"), *v = weight(graph, parameters, "v");
    icl_value *hidden = icl_op_linear(graph, v, icl_op_linear(graph, w, X));
    /* w serves twice, and x three times. */
    return judge(graph, icl_op_linear(graph, w, icl_op_add(graph, hidden, X)));
}

static void add_column(icl_parameters *parameters)
{
    add_x(parameters);
    add_weight(parameters, "w", 24, 1, 0);
}

static icl_value *build_column(icl_graph *graph, icl_parameters *parameters)
{
    return judge(graph, icl_op_linear(graph, weight(graph, parameters, "w"), X));
}

static icl_value *build_rows(icl_graph *graph, icl_parameters *parameters)
{
    icl_value *one = icl_op_rows(graph, X, ids(graph, "ids", 11, 7));
    icl_value *table = icl_op_scale(graph, X, 0.5f); /* not a weight */
    icl_value *two = icl_op_rows(graph, table, ids(graph, "more", 5, 7));
    return judge(graph, icl_op_concat_rows(graph, one, two));
}

static icl_value *build_rms_norm(icl_graph *graph, icl_parameters *parameters)
{
    icl_value *gain = weight(graph, parameters, "gain");
    return judge(graph, icl_op_add(graph, X, icl_op_rms_norm(graph, X, gain, 1e-5f)));
}

static icl_value *build_layer_norm(icl_graph *graph, icl_parameters *parameters)
{
    return judge(graph, icl_op_layer_norm(graph, X, weight(graph, parameters, "gain"),
                                          weight(graph, parameters, "bias"), 1e-5f));
}

static icl_value *build_unit(icl_graph *graph, icl_parameters *parameters)
{
    return judge(graph, icl_op_unit_rows(graph, X, 1e-6f));
}

static icl_value *build_gate(icl_graph *graph, icl_parameters *parameters)
{
    return judge(graph, icl_op_silu_gate(graph, X, OTHER));
}

static icl_value *build_gelu(icl_graph *graph, icl_parameters *parameters)
{
    return judge(graph, icl_op_gelu(graph, X));
}

static icl_value *build_relu(icl_graph *graph, icl_parameters *parameters)
{
    return judge(graph, icl_op_relu(graph, X));
}

static icl_value *rope(icl_graph *graph, icl_parameters *parameters, bool neox)
{
    icl_value *q = weight(graph, parameters, "q");
    icl_value *positions = ids(graph, "positions", 16, 9);
    icl_value *turned = icl_op_rope(graph, q, positions, 100.0f, neox);
    return judge(graph, turned);
}

static void add_q(icl_parameters *parameters)
{
    add_weight(parameters, "q", 6, 4, 16);
}

static icl_value *build_rope(icl_graph *graph, icl_parameters *parameters)
{
    return rope(graph, parameters, false);
}

static icl_value *build_rope_neox(icl_graph *graph, icl_parameters *parameters)
{
    return rope(graph, parameters, true);
}

static icl_value *attention(icl_graph *graph, icl_parameters *parameters,
                            icl_attention_options options)
{
    options.batch = 2;
    return judge(graph, icl_op_attention(graph, weight(graph, parameters, "q"),
                                         weight(graph, parameters, "k"),
                                         weight(graph, parameters, "v"), &options));
}

static icl_value *build_causal(icl_graph *graph, icl_parameters *parameters)
{
    return attention(graph, parameters, (icl_attention_options){ .causal = true });
}

static icl_value *build_full(icl_graph *graph, icl_parameters *parameters)
{
    return attention(graph, parameters, (icl_attention_options){ .scale = 0.7f });
}

static icl_value *build_packed(icl_graph *graph, icl_parameters *parameters)
{
    icl_value *first = ids(graph, "first", 16, 8);
    return attention(graph, parameters, (icl_attention_options){ .causal = true, .first = first });
}

static icl_value *build_masked(icl_graph *graph, icl_parameters *parameters)
{
    icl_value *mask = icl_op_reshape(graph, input(graph, "mask", 8, 16), 8, 8, 1, 2);
    return attention(graph, parameters, (icl_attention_options){ .bias = mask });
}

static icl_value *build_biased(icl_graph *graph, icl_parameters *parameters)
{
    return attention(graph, parameters,
                     (icl_attention_options){ .causal = true,
                                              .keep_scores = true,
                                              .bias = weight(graph, parameters, "bias") });
}

static icl_value *build_linear_attention(icl_graph *graph, icl_parameters *parameters)
{
    return attention(graph, parameters, (icl_attention_options){ .causal = true, .linear = true });
}

static icl_value *build_cross_entropy(icl_graph *graph, icl_parameters *parameters)
{
    return icl_loss_cross_entropy(graph, X, ids(graph, "targets", 7, 24),
                                  input(graph, "weights", 7, 1), 0.0f);
}

static icl_value *build_cross_entropy_normed(icl_graph *graph, icl_parameters *parameters)
{
    return icl_loss_cross_entropy(graph, X, ids(graph, "targets", 7, 24),
                                  input(graph, "weights", 7, 1), 3.0f);
}

static void add_head(icl_parameters *parameters)
{
    add_x(parameters);
    add_weight(parameters, "w", 24, 19, 0);
}

/* The gradient takes the place of logits that nobody reads again. */
static icl_value *build_head(icl_graph *graph, icl_parameters *parameters)
{
    icl_value *logits = icl_op_linear(graph, weight(graph, parameters, "w"), X);
    return icl_loss_cross_entropy(graph, logits, ids(graph, "targets", 7, 19),
                                  input(graph, "weights", 7, 1), 0.0f);
}

/* These are read twice more. */
static icl_value *build_shared_head(icl_graph *graph, icl_parameters *parameters)
{
    icl_value *logits = icl_op_linear(graph, weight(graph, parameters, "w"), X);
    icl_value *weights = input(graph, "weights", 7, 1);
    icl_value *hard =
        icl_loss_cross_entropy(graph, logits, ids(graph, "targets", 7, 19), weights, 0.0f);
    icl_value *soft = icl_loss_kl(graph, logits, input(graph, "teacher", 19, 7), weights, 1.0f);
    return icl_op_add(graph, icl_op_add(graph, hard, soft), judge(graph, logits));
}

static icl_value *build_mse(icl_graph *graph, icl_parameters *parameters)
{
    return icl_loss_mse(graph, X, OTHER, input(graph, "weights", 7, 1));
}

static icl_value *build_kl(icl_graph *graph, icl_parameters *parameters)
{
    return icl_loss_kl(graph, X, input(graph, "teacher", 24, 7), input(graph, "weights", 7, 1),
                       1.7f);
}

static icl_value *build_contrastive(icl_graph *graph, icl_parameters *parameters)
{
    return icl_loss_contrastive(graph, icl_op_unit_rows(graph, X, 1e-6f), OTHER,
                                input(graph, "positive", 7, 7), 0.8f);
}

static const experiment experiments[] = {
    { "add", add_x_bias, build_add, 0.7 },
    { "multiply", add_x_gain, build_multiply, 1 },
    { "linear", add_linear, build_linear, 0.3 },
    { "linear, one output", add_column, build_column, 0.5 },
    { "rows", add_x, build_rows, 1 },
    { "rms_norm", add_x_gain, build_rms_norm, 1 },
    { "layer_norm", add_x_gain_bias, build_layer_norm, 1 },
    { "unit_rows", add_x, build_unit, 1 },
    { "silu_gate", add_pair, build_gate, 1.5 },
    { "gelu", add_x, build_gelu, 1 },
    { "relu", add_x, build_relu, 1 },
    { "rope", add_q, build_rope, 1 },
    { "rope neox", add_q, build_rope_neox, 1 },
    { "attention causal", add_qkv, build_causal, 1 },
    { "attention full", add_qkv, build_full, 1 },
    { "attention packed", add_qkv, build_packed, 1 },
    { "attention masked", add_qkv, build_masked, 1 },
    { "attention biased", add_qkv_bias, build_biased, 1 },
    { "attention linear", add_qkv, build_linear_attention, 1 },
    { "cross_entropy", add_x, build_cross_entropy, 1 },
    { "cross_entropy, norm", add_x, build_cross_entropy_normed, 1 },
    { "cross_entropy of a head", add_head, build_head, 0.5 },
    { "cross_entropy of a shared head", add_head, build_shared_head, 0.5 },
    { "mse", add_pair, build_mse, 1 },
    { "kl", add_x, build_kl, 1 },
    { "contrastive", add_pair, build_contrastive, 1 },
};
enum { EXPERIMENTS = sizeof experiments / sizeof experiments[0] };

/* --- runs --- */

typedef struct run {
    icl_device *device;
    icl_parameters *parameters;
    icl_graph *graph;
    icl_value *loss;
} run;

/* Differences must not straddle the corner of relu. */
static void keep_off_zero(icl_parameters *parameters)
{
    float numbers[24 * 7];
    icl_parameters_get(parameters, 0, numbers);
    for (size_t i = 0; i < 24 * 7; i++)
        if (fabsf(numbers[i]) < 0.1f) numbers[i] += numbers[i] < 0 ? -0.1f : 0.1f;
    icl_parameters_set(parameters, 0, numbers);
}

static run start_on(icl_device *device, const experiment *what)
{
    run r = { .device = device };
    input_count = 0;
    assert_int_equal(icl_parameters_new(&r.parameters, r.device), ICL_OK);
    what->add(r.parameters);
    fill_weights(r.parameters, what->deviation);
    if (strcmp(what->name, "relu") == 0) keep_off_zero(r.parameters);
    assert_int_equal(icl_graph_new(&r.graph, r.parameters), ICL_OK);
    r.loss = what->build(r.graph, r.parameters);
    icl_graph_add_loss(r.graph, "loss", r.loss, 1.0f);
    assert_int_equal(icl_graph_finish(r.graph, true), ICL_OK);
    fill_inputs(r.graph);
    return r;
}

static run start(const experiment *what, bool composed, size_t threads)
{
    return start_on(cpu_device(threads, composed), what);
}

static void stop(run *r)
{
    icl_graph_free(r->graph);
    icl_parameters_free(r->parameters);
    icl_device_close(r->device);
}

static void check_form(bool composed)
{
    for (size_t e = 0; e < EXPERIMENTS; e++) {
        run r = start(&experiments[e], composed, 1);
        check_gradients(r.graph, r.loss, r.parameters, 60);
        stop(&r);
    }
}

static void test_op__fused_gradients_are_those_of_differences(void **state)
{
    check_form(false);
}

static void test_op__composed_gradients_are_those_of_differences(void **state)
{
    check_form(true);
}

/* Compares the gradients of one run of each; tolerance 0 means the same bits. */
static void compare(const experiment *what, run *a, run *b, double tolerance)
{
    assert_int_equal(icl_graph_run(a->graph), ICL_OK);
    assert_int_equal(icl_graph_run(b->graph), ICL_OK);
    const double of_one = (double)icl_graph_scalar(a->graph, a->loss);
    const double of_other = (double)icl_graph_scalar(b->graph, b->loss);
    if (!(fabs(of_one - of_other) <= tolerance * fabs(of_one)))
        fail_msg("%s: losses %.9g and %.9g", what->name, of_one, of_other);
    for (size_t w = 0; w < icl_parameters_count(a->parameters); w++) {
        const icl_parameter *item = icl_parameters_at(a->parameters, w);
        float *of_a = read_gradient(a->parameters, w), *of_b = read_gradient(b->parameters, w);
        double largest = 0;
        for (size_t i = 0; i < item->count; i++) largest = fmax(largest, fabs((double)of_a[i]));
        for (size_t i = 0; i < item->count; i++) {
            const double apart = fabs((double)of_a[i] - (double)of_b[i]);
            if (!(apart <= tolerance * largest))
                fail_msg("%s, %s[%zu]: %.9g and %.9g", what->name, item->name, i, (double)of_a[i],
                         (double)of_b[i]);
        }
        free(of_a);
        free(of_b);
    }
}

static void test_op__both_forms_compute_the_same(void **state)
{
    for (size_t e = 0; e < EXPERIMENTS; e++) {
        run fused = start(&experiments[e], false, 1), composed = start(&experiments[e], true, 1);
        compare(&experiments[e], &fused, &composed, 1e-5);
        stop(&fused);
        stop(&composed);
    }
}

/* Products on a card round their factors to 11 bits (TF32), 5e-4 at most; a gradient comes from up
 * to ten of them, one after the other. */
static void test_op__a_card_computes_the_same(void **state)
{
    for (size_t e = 0; e < EXPERIMENTS; e++) {
        icl_device *card = card_device();
        if (card == NULL) skip();
        run fused = start(&experiments[e], false, 1), there = start_on(card, &experiments[e]);
        compare(&experiments[e], &fused, &there, 5e-3);
        stop(&fused);
        stop(&there);
    }
}

static void test_op__threads_do_not_change_bits(void **state)
{
    for (size_t e = 0; e < EXPERIMENTS; e++) {
        run one = start(&experiments[e], false, 1), two = start(&experiments[e], false, 2);
        compare(&experiments[e], &one, &two, 0);
        stop(&one);
        stop(&two);
    }
}

static void test_op__rows_without_weight_have_no_gradient(void **state)
{
    static const char *const names[] = { "cross_entropy", "mse", "kl" };
    for (size_t e = 0; e < EXPERIMENTS; e++) {
        for (size_t n = 0; n < 2 * sizeof names / sizeof names[0]; n++) {
            if (strcmp(experiments[e].name, names[n / 2]) != 0) continue;
            run r = start(&experiments[e], n % 2 == 1, 1);
            assert_int_equal(icl_graph_run(r.graph), ICL_OK);
            float *gradient = read_gradient(r.parameters, 0);
            for (size_t i = 0; i < 24; i++) { /* the weights of rows 1 and 4 are 0 */
                assert_true(!(gradient[24 + i] < 0 || gradient[24 + i] > 0));
                assert_true(!(gradient[4 * 24 + i] < 0 || gradient[4 * 24 + i] > 0));
                assert_true(gradient[i] < 0 || gradient[i] > 0);
            }
            free(gradient);
            stop(&r);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_op__fused_gradients_are_those_of_differences),
        cmocka_unit_test(test_op__composed_gradients_are_those_of_differences),
        cmocka_unit_test(test_op__both_forms_compute_the_same),
        cmocka_unit_test(test_op__a_card_computes_the_same),
        cmocka_unit_test(test_op__threads_do_not_change_bits),
        cmocka_unit_test(test_op__rows_without_weight_have_no_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
