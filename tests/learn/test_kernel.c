/* Kernels against plain loops in double: products of every kind of shape, attention longer than a
 * tile, and the rows' functions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/kernel_attention.h"
#include "learn/kernel_product.h"
#include "learn/kernel_rows.h"
#include "near.h"

static float *numbers(const char *name, size_t count, double deviation)
{
    float *out = malloc(count * sizeof *out);
    assert_non_null(out);
    icl_rng rng = icl_rng_new(11, "kernel", name, "numbers");
    for (size_t i = 0; i < count; i++) out[i] = (float)(deviation * icl_rng_normal(&rng));
    return out;
}

/* --- products --- */

static double element(icl_block block, int64_t row, int64_t column)
{
    return (double)(block.transposed ? block.numbers[column * block.stride + row]
                                     : block.numbers[row * block.stride + column]);
}

static void check_product(int64_t rows, int64_t columns, int64_t inner, bool a_turned,
                          bool b_turned, bool add)
{
    const int64_t a_stride = (a_turned ? rows : inner) + 3;
    const int64_t b_stride = (b_turned ? inner : columns) + 1, stride = columns + 2;
    float *a_numbers = numbers("a", (size_t)((a_turned ? inner : rows) * a_stride), 1);
    float *b_numbers = numbers("b", (size_t)((b_turned ? columns : inner) * b_stride), 1);
    float *out = numbers("out", (size_t)(rows * stride), 1);
    float *before = numbers("out", (size_t)(rows * stride), 1);
    const icl_block a = { a_numbers, a_stride, a_turned }, b = { b_numbers, b_stride, b_turned };
    icl_product(out, stride, a, b, rows, columns, inner, add);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++) {
            double sum = add ? (double)before[r * stride + c] : 0;
            for (int64_t k = 0; k < inner; k++) sum += element(a, r, k) * element(b, k, c);
            /* sqrt(inner) roundings of sums that grow to some sqrt(inner). */
            assert_near((double)out[r * stride + c], sum, 1.2e-7 * (double)inner + 1e-6);
        }
        for (int64_t c = columns; c < stride; c++) /* between the rows nothing is touched */
            assert_memory_equal(&out[r * stride + c], &before[r * stride + c], sizeof *out);
    }
    free(before);
    free(out);
    free(b_numbers);
    free(a_numbers);
}

static void test_product__shapes_of_every_kind_against_plain_loops(void **state)
{
    static const int64_t shapes[][3] = { { 1, 1, 1 },    { 12, 32, 16 },  { 13, 33, 17 },
                                         { 5, 64, 320 }, { 31, 47, 321 }, { 24, 10, 700 },
                                         { 3, 100, 2 } };
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (int kind = 0; kind < 8; kind++)
            check_product(shapes[s][0], shapes[s][1], shapes[s][2], (kind & 1) != 0,
                          (kind & 2) != 0, (kind & 4) != 0);
}

static void test_product__slabs_cover_all_rows_once(void **state)
{
    for (int64_t count = 1; count < 3000; count += 7) {
        const icl_slabs slabs = icl_slabs_of(count);
        int64_t next = 0, first = 0;
        for (int64_t s = 0; s < slabs.slab_count; s++) {
            const int64_t rows = icl_slab(slabs, s, &first);
            assert_int_equal(first, next);
            assert_true(rows > 0);
            next += rows;
        }
        assert_int_equal(next, count);
    }
}

/* --- attention --- */

enum { LENGTH = 300, HEADS = 4, KV_HEADS = 2, WIDTH = 8 };
enum { ROW = HEADS * WIDTH, KV_ROW = KV_HEADS * WIDTH };

typedef struct case_of {
    icl_attention_shape shape;
    icl_attention_sequence sequence;
    icl_attention_gradients gradients;
    int32_t first[LENGTH];
    float *q, *k, *v, *bias, *dout;
} case_of;

static case_of *new_case(bool causal, bool packed, bool biased)
{
    case_of *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->shape = (icl_attention_shape){ LENGTH, HEADS, KV_HEADS, WIDTH, 0.4f, causal };
    for (int t = 0; t < LENGTH; t++) c->first[t] = t < 140 ? 0 : t < 150 ? 140 : 150;
    c->q = numbers("q", LENGTH * ROW, 1);
    c->k = numbers("k", LENGTH * KV_ROW, 1);
    c->v = numbers("v", LENGTH * KV_ROW, 1);
    c->dout = numbers("dout", LENGTH * ROW, 1);
    c->bias = numbers("bias", LENGTH * LENGTH, 1);
    for (size_t i = 0; i < LENGTH * LENGTH; i++)
        if (i % LENGTH != i / LENGTH && c->bias[i] > 1.5f) c->bias[i] = -INFINITY;
    c->sequence = (icl_attention_sequence){
        .q = c->q,
        .k = c->k,
        .v = c->v,
        .first = packed ? c->first : NULL,
        .bias = biased ? c->bias : NULL,
        .out = numbers("out", LENGTH * ROW, 9),
        .log_sums = numbers("sums", LENGTH * HEADS, 9),
    };
    c->gradients = (icl_attention_gradients){
        .dout = c->dout,
        .dq = numbers("dq", LENGTH * ROW, 9),
        .dk = numbers("dk", LENGTH * KV_ROW, 9),
        .dv = numbers("dv", LENGTH * KV_ROW, 9),
    };
    return c;
}

static void free_case(case_of *c)
{
    free(c->q);
    free(c->k);
    free(c->v);
    free(c->bias);
    free(c->dout);
    free(c->sequence.out);
    free(c->sequence.log_sums);
    free(c->gradients.dq);
    free(c->gradients.dk);
    free(c->gradients.dv);
    free(c);
}

static double dot(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < WIDTH; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Attention weights of one query, in double. */
static void plain_weights(double *p, const case_of *c, int head, int query)
{
    const float *q = &c->q[query * ROW + head * WIDTH];
    const int kv = head / (HEADS / KV_HEADS);
    double most = -INFINITY, sum = 0;
    for (int key = 0; key < LENGTH; key++) {
        const bool hidden = (c->shape.causal && key > query) ||
                            (c->sequence.first != NULL && key < c->first[query]);
        p[key] = 0.4 * dot(q, &c->k[key * KV_ROW + kv * WIDTH]);
        if (c->sequence.bias != NULL) p[key] += (double)c->bias[query * LENGTH + key];
        if (hidden) p[key] = -INFINITY;
        most = fmax(most, p[key]);
    }
    for (int key = 0; key < LENGTH; key++) sum += p[key] = exp(p[key] - most);
    for (int key = 0; key < LENGTH; key++) p[key] /= sum;
}

typedef struct plain {
    double out[LENGTH * ROW], dq[LENGTH * ROW], dk[LENGTH * KV_ROW], dv[LENGTH * KV_ROW];
} plain;

static void plain_query(plain *r, const case_of *c, int head, int query)
{
    double p[LENGTH], dp[LENGTH], along = 0;
    const int kv = head / (HEADS / KV_HEADS) * WIDTH, at = query * ROW + head * WIDTH;
    plain_weights(p, c, head, query);
    for (int key = 0; key < LENGTH; key++) {
        dp[key] = dot(&c->dout[at], &c->v[key * KV_ROW + kv]);
        along += p[key] * dp[key];
    }
    for (int key = 0; key < LENGTH; key++) {
        const double slope = 0.4 * p[key] * (dp[key] - along);
        for (int i = 0; i < WIDTH; i++) {
            r->out[at + i] += p[key] * (double)c->v[key * KV_ROW + kv + i];
            r->dq[at + i] += slope * (double)c->k[key * KV_ROW + kv + i];
            r->dk[key * KV_ROW + kv + i] += slope * (double)c->q[at + i];
            r->dv[key * KV_ROW + kv + i] += p[key] * (double)c->dout[at + i];
        }
    }
}

static void assert_all_near(const float *actual, const double *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) assert_near((double)actual[i], expected[i], 2e-5);
}

static void test_attention__tiles_against_plain_loops(void **state)
{
    for (int kind = 0; kind < 6; kind++) {
        case_of *c = new_case(kind % 2 == 0, kind == 2 || kind == 4, kind >= 3);
        if (kind == 3) c->sequence.first = NULL;
        float *scratch = malloc(icl_attention_scratch(&c->shape) * sizeof *scratch);
        plain *r = calloc(1, sizeof *r);
        assert_non_null(scratch);
        assert_non_null(r);
        for (int head = 0; head < HEADS; head++)
            icl_attention_head(&c->shape, &c->sequence, head, scratch);
        for (int head = 0; head < KV_HEADS; head++)
            icl_attention_group_gradient(&c->shape, &c->sequence, &c->gradients, head, scratch);
        for (int head = 0; head < HEADS; head++)
            for (int query = 0; query < LENGTH; query++) plain_query(r, c, head, query);
        assert_all_near(c->sequence.out, r->out, LENGTH * ROW);
        assert_all_near(c->gradients.dq, r->dq, LENGTH * ROW);
        assert_all_near(c->gradients.dk, r->dk, LENGTH * KV_ROW);
        assert_all_near(c->gradients.dv, r->dv, LENGTH * KV_ROW);
        free(r);
        free(scratch);
        free_case(c);
    }
}

/* --- rows --- */

static void test_rows__silu_is_within_a_millionth_of_libm(void **state)
{
    enum { COUNT = 20001 };
    float *gate = malloc(COUNT * sizeof *gate), *up = malloc(COUNT * sizeof *up);
    float *y = malloc(COUNT * sizeof *y), *dgate = malloc(COUNT * sizeof *y);
    float *dup = malloc(COUNT * sizeof *y), *dy = malloc(COUNT * sizeof *y);
    for (int i = 0; i < COUNT; i++) {
        gate[i] = ((float)i - 10000.0f) / 400.0f; /* -25..25 */
        up[i] = dy[i] = 1.0f;
    }
    icl_rows_silu_gate(y, gate, up, COUNT);
    icl_rows_silu_gate_gradient(dgate, dup, dy, gate, up, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const double x = (double)gate[i], s = 1 / (1 + exp(-x)), silu = x * s;
        const double slope = s + x * s * (1 - s);
        assert_near((double)y[i], silu, 1e-6 * fabs(silu));
        assert_near((double)dup[i], silu, 1e-6 * fabs(silu));
        /* The slope crosses zero, where only its summands are exact to a millionth. */
        assert_near((double)dgate[i], slope, 1e-6 * (s + fabs(silu * (1 - s))));
    }
    free(gate);
    free(up);
    free(y);
    free(dgate);
    free(dup);
    free(dy);
}

static void test_rows__cross_entropy_of_extreme_logits(void **state)
{
    enum { CLASSES = 37 };
    float logits[CLASSES], gradient[CLASSES], nll, log_sum;
    for (int i = 0; i < CLASSES; i++) logits[i] = i % 2 == 0 ? 300.0f : -300.0f;
    icl_row_cross_entropy(&nll, &log_sum, logits, CLASSES, 1);
    assert_near((double)nll, 600 + log(19), 1e-4);
    icl_row_cross_entropy_gradient(gradient, NULL, logits, log_sum, 2.0f, CLASSES, 1);
    for (int i = 0; i < CLASSES; i++)
        assert_near((double)gradient[i], i == 1 ? -2 : i % 2 == 0 ? 2.0 / 19 : 0, 1e-5);
    icl_row_cross_entropy_gradient(gradient, gradient, logits, log_sum, 0.0f, CLASSES, 1);
    assert_near((double)gradient[1], -2, 1e-5);

    /* Nothing is lost of a loss near zero. */
    float near_certain[CLASSES] = { 18.0f };
    icl_row_cross_entropy(&nll, &log_sum, near_certain, CLASSES, 0);
    assert_near((double)nll, log1p(36 * exp(-18.0)), 2e-6);
}

static void test_rows__a_query_without_keys_sees_nothing(void **state)
{
    float scores[3] = { 1, 2, 3 };
    const float hidden[3] = { -INFINITY, -INFINITY, -INFINITY };
    const float log_sum = icl_row_softmax(scores, hidden, 1, 3);
    for (int i = 0; i < 3; i++) assert_near((double)scores[i], 0, 0);
    float again[3] = { 1, 2, 3 };
    icl_row_softmax_again(again, hidden, 1, log_sum, 3);
    for (int i = 0; i < 3; i++) assert_near((double)again[i], 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product__shapes_of_every_kind_against_plain_loops),
        cmocka_unit_test(test_product__slabs_cover_all_rows_once),
        cmocka_unit_test(test_attention__tiles_against_plain_loops),
        cmocka_unit_test(test_rows__silu_is_within_a_millionth_of_libm),
        cmocka_unit_test(test_rows__cross_entropy_of_extreme_logits),
        cmocka_unit_test(test_rows__a_query_without_keys_sees_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
