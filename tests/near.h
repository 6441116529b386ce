/* near.h - comparing doubles; cmocka's own comparison is in single precision. */
#ifndef ICL_TESTS_NEAR_H
#define ICL_TESTS_NEAR_H

#include <math.h>

/* Fails, with both values, unless they differ by at most `tolerance`; NaN is near nothing. */
#define assert_near(actual, expected, tolerance)                                                   \
    do {                                                                                           \
        const double near_actual_ = (actual), near_expected_ = (expected);                         \
        if (!(fabs(near_actual_ - near_expected_) <= (tolerance)))                                 \
            fail_msg("%.17g is not within %g of %.17g", near_actual_, (double)(tolerance),         \
                     near_expected_);                                                              \
    } while (0)

#endif
