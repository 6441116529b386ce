#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

/* The known-answer file of Random123 (kat_vectors, philox4x32 10). */
static void test_rng__philox_gives_the_published_numbers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } vectors[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint32_t out[4];
        icl_philox4x32_10(out, vectors[i].counter, vectors[i].key);
        assert_memory_equal(out, vectors[i].out, sizeof out);
    }
}

static void test_rng__a_stream_depends_on_its_key_alone(void **state)
{
    icl_rng one = icl_rng_new(13, "snips", "q1", "select");
    icl_rng same = icl_rng_new(13, "snips", "q1", "select");
    for (int i = 0; i < 100; i++) assert_int_equal(icl_rng_u32(&one), icl_rng_u32(&same));
}

static void test_rng__each_part_of_the_key_makes_another_stream(void **state)
{
    icl_rng streams[] = {
        icl_rng_new(13, "snips", "q1", "select"),          icl_rng_new(14, "snips", "q1", "select"),
        icl_rng_new(13ull << 32, "snips", "q1", "select"), icl_rng_new(13, "snipsq", "1", "select"),
        icl_rng_new(13, "snips", "q1s", "elect"),          icl_rng_new(13, "snips", "q2", "select"),
        icl_rng_new(13, "snips", "q1", "order"),           icl_rng_new(13, NULL, NULL, NULL),
    };
    enum { STREAMS = sizeof streams / sizeof streams[0] };
    uint64_t first[STREAMS];
    for (size_t i = 0; i < STREAMS; i++) {
        first[i] = (uint64_t)icl_rng_u32(&streams[i]) << 32;
        first[i] |= icl_rng_u32(&streams[i]);
        for (size_t j = 0; j < i; j++) assert_true(first[i] != first[j]);
    }
    icl_rng null_parts = icl_rng_new(5, NULL, "a", NULL), empty_parts = icl_rng_new(5, "", "a", "");
    assert_int_equal(icl_rng_u32(&null_parts), icl_rng_u32(&empty_parts));
}

/* Chi-square of `count` draws over `bins` equal bins. */
static double chi_square(const size_t *counts, size_t bins, size_t draws)
{
    const double expected = (double)draws / (double)bins;
    double sum = 0;
    for (size_t i = 0; i < bins; i++) {
        const double off = (double)counts[i] - expected;
        sum += off * off / expected;
    }
    return sum;
}

/* 0.1 % and 99.9 % points of chi-square with 96 degrees of freedom: 58.8 and 143.3. */
static void test_rng__below_is_uniform(void **state)
{
    enum { BINS = 97, DRAWS = 97000 };
    icl_rng rng = icl_rng_new(1, "t", "d", "below");
    size_t counts[BINS] = { 0 };
    for (size_t i = 0; i < DRAWS; i++) {
        const size_t drawn = icl_rng_below(&rng, BINS);
        assert_in_range(drawn, 0, BINS - 1);
        counts[drawn]++;
    }
    const double found = chi_square(counts, BINS, DRAWS);
    assert_true(found > 58.8 && found < 143.3);
    assert_int_equal(icl_rng_below(&rng, 1), 0);
}

static void test_rng__unit_is_uniform_below_one(void **state)
{
    enum { BINS = 97, DRAWS = 97000 };
    icl_rng rng = icl_rng_new(2, "t", "d", "unit");
    size_t counts[BINS] = { 0 };
    for (size_t i = 0; i < DRAWS; i++) {
        const double drawn = icl_rng_unit(&rng);
        assert_true(drawn >= 0 && drawn < 1);
        counts[(size_t)(drawn * BINS)]++;
    }
    const double found = chi_square(counts, BINS, DRAWS);
    assert_true(found > 58.8 && found < 143.3);
}

/* Mean and variance within 4 standard errors; kurtosis tells a normal from a uniform. */
static void test_rng__normal_has_the_moments_of_a_normal(void **state)
{
    enum { DRAWS = 100000 };
    icl_rng rng = icl_rng_new(3, "t", "d", "normal");
    double sum = 0, squares = 0, fourth = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        const double drawn = icl_rng_normal(&rng);
        assert_true(isfinite(drawn));
        sum += drawn;
        squares += drawn * drawn;
        fourth += drawn * drawn * drawn * drawn;
    }
    assert_true(fabs(sum / DRAWS) < 4 / sqrt(DRAWS));
    assert_true(fabs(squares / DRAWS - 1) < 4 * sqrt(2.0 / DRAWS));
    assert_true(fabs(fourth / DRAWS - 3) < 4 * sqrt(96.0 / DRAWS));
}

/* All 24 orders of 4 items come about equally often: 23 degrees of freedom, 0.1 % .. 99.9 %. */
static void test_rng__shuffle_reaches_every_order_equally(void **state)
{
    enum { ORDERS = 24, DRAWS = 24000 };
    icl_rng rng = icl_rng_new(4, "t", "d", "shuffle");
    size_t seen[256] = { 0 }, counts[ORDERS], found = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        size_t items[4] = { 0, 1, 2, 3 };
        icl_rng_shuffle(&rng, items, 4);
        assert_int_equal(1u << items[0] | 1u << items[1] | 1u << items[2] | 1u << items[3], 15);
        seen[items[0] << 6 | items[1] << 4 | items[2] << 2 | items[3]]++;
    }
    for (size_t i = 0; i < 256; i++) {
        if (seen[i] == 0) continue;
        assert_true(found < ORDERS);
        counts[found++] = seen[i];
    }
    assert_int_equal(found, ORDERS);
    const double spread = chi_square(counts, ORDERS, DRAWS);
    assert_true(spread > 6.7 && spread < 49.8);
    icl_rng_shuffle(&rng, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng__philox_gives_the_published_numbers),
        cmocka_unit_test(test_rng__a_stream_depends_on_its_key_alone),
        cmocka_unit_test(test_rng__each_part_of_the_key_makes_another_stream),
        cmocka_unit_test(test_rng__below_is_uniform),
        cmocka_unit_test(test_rng__unit_is_uniform_below_one),
        cmocka_unit_test(test_rng__normal_has_the_moments_of_a_normal),
        cmocka_unit_test(test_rng__shuffle_reaches_every_order_equally),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
