/* math/spectrum.h - principal axes of data, over LAPACK. */
#ifndef ICL_MATH_SPECTRUM_H
#define ICL_MATH_SPECTRUM_H

#include <stddef.h>

#include <icl/status.h>

/* The directions of greatest variance of centred rows [count][columns], best first, as rows of unit
 * length: axes[axis_count][columns]. The largest component of each is positive. axis_count <=
 * columns. ICL_ENOMEM; ICL_EINVAL: the rows hold a NaN or an infinity. */
icl_status icl_principal_axes(float *axes, size_t axis_count, const float *rows, size_t count,
                              size_t columns);

#endif
