/* Temperatures against the closed form of two labels: with the share r of wrong items and the same
 * margin m everywhere, sigmoid(m / T) = 1 - r. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "near.h"
#include "score/temperature.h"

enum { COUNT = 40 };

static double fit(double margin, size_t wrong, double doubt)
{
    double scores[COUNT][2], temperature = 0;
    size_t gold[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        scores[i][0] = margin - 3;
        scores[i][1] = -3;
        gold[i] = i < wrong;
    }
    assert_int_equal(icl_temperature_fit(&temperature, &scores[0][0], gold, COUNT, 2, doubt),
                     ICL_OK);
    return temperature;
}

static void test_temperature__says_how_often_the_margin_is_right(void **state)
{
    (void)state;
    assert_near(fit(2, 10, 0), 2 / log(3), 1e-6);
    assert_near(fit(8, 4, 0), 8 / log(9), 1e-6);
}

static void test_temperature__doubt_keeps_right_items_from_certainty(void **state)
{
    (void)state;
    assert_near(fit(2, 0, 0), 0.01, 1e-6);
    assert_near(fit(2, 0, 1.0 / (COUNT + 2)), 2 / log(COUNT + 1), 1e-6);
    assert_near(fit(2, 10, 0.1), 2 / log((0.75 * 0.9 + 0.25 * 0.1) / (0.75 * 0.1 + 0.25 * 0.9)),
                1e-6);
}

static void test_temperature__impossible_labels_take_no_part(void **state)
{
    (void)state;
    const double scores[] = { 2, 0, -INFINITY, 2, 0, -INFINITY, 2, 0, -INFINITY };
    const size_t gold[] = { 0, 2, 0 };
    double temperature = 0;
    assert_int_equal(icl_temperature_fit(&temperature, scores, gold, 3, 3, 0.1), ICL_OK);
    assert_near(temperature, 2 / log(9), 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_temperature__says_how_often_the_margin_is_right),
        cmocka_unit_test(test_temperature__doubt_keeps_right_items_from_certainty),
        cmocka_unit_test(test_temperature__impossible_labels_take_no_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
