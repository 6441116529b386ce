/* math/lanes.h - sixteen floats at a time, with arithmetic whose bits do not depend on the lane.
 * Compilers lower the type to whatever vectors the target has. */
#ifndef ICL_MATH_LANES_H
#define ICL_MATH_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The functions are inlined, so no vector ever crosses a call. */
#pragma GCC diagnostic ignored "-Wpsabi"

enum { ICL_LANES = 16 };

typedef float icl_lanes __attribute__((vector_size(ICL_LANES * sizeof(float))));
typedef int32_t icl_lanes_int __attribute__((vector_size(ICL_LANES * sizeof(int32_t))));

#define ICL_LANES_INLINE static inline __attribute__((always_inline, unused))

ICL_LANES_INLINE icl_lanes icl_lanes_set(float value)
{
    return value - (icl_lanes){ 0 };
}

/* Bits of `a` where the mask is all ones, of `b` where it is zero. */
ICL_LANES_INLINE icl_lanes icl_lanes_choose(icl_lanes_int mask, icl_lanes a, icl_lanes b)
{
    return (icl_lanes)(((icl_lanes_int)a & mask) | ((icl_lanes_int)b & ~mask));
}

ICL_LANES_INLINE icl_lanes icl_lanes_max(icl_lanes a, icl_lanes b)
{
    return icl_lanes_choose(a > b, a, b);
}

/* exp(x) for x <= 0, relative error below 2e-7; 0 under -87 and for NaN.
 * Cody-Waite reduction, then a polynomial of degree 6. */
ICL_LANES_INLINE icl_lanes icl_lanes_exp(icl_lanes x)
{
    const icl_lanes_int representable = x > icl_lanes_set(-87.0f);
    const icl_lanes magic = icl_lanes_set(12582912.0f); /* 1.5 * 2^23: adding it rounds */
    const icl_lanes shifted = x * icl_lanes_set(1.44269504088896341f) + magic;
    const icl_lanes n = shifted - magic;
    icl_lanes r = x - n * icl_lanes_set(0.693359375f);
    r = r - n * icl_lanes_set(-2.12194440e-4f);
    icl_lanes p = icl_lanes_set(1.9875691500e-4f);
    p = p * r + icl_lanes_set(1.3981999507e-3f);
    p = p * r + icl_lanes_set(8.3334519073e-3f);
    p = p * r + icl_lanes_set(4.1665795894e-2f);
    p = p * r + icl_lanes_set(1.6666665459e-1f);
    p = p * r + icl_lanes_set(5.0000001201e-1f);
    p = p * r * r + r + icl_lanes_set(1.0f);
    /* Unsigned arithmetic: lanes that are not representable may wrap, and are masked below. */
    typedef uint32_t bits __attribute__((vector_size(ICL_LANES * sizeof(uint32_t))));
    const bits exponent = ((bits)shifted - (bits)magic + 127u) << 23;
    return (icl_lanes)((icl_lanes_int)(p * (icl_lanes)exponent) & representable);
}

/* --- memory --- */

ICL_LANES_INLINE icl_lanes icl_lanes_load(const float *from)
{
    icl_lanes lanes;
    memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

ICL_LANES_INLINE void icl_lanes_store(float *to, icl_lanes lanes)
{
    memcpy(to, &lanes, sizeof lanes);
}

/* The last `count` numbers of a row; lanes that are missing hold `fill`. */
ICL_LANES_INLINE icl_lanes icl_lanes_load_some(const float *from, int64_t count, float fill)
{
    icl_lanes lanes = icl_lanes_set(fill);
    memcpy(&lanes, from, (size_t)count * sizeof *from);
    return lanes;
}

ICL_LANES_INLINE void icl_lanes_store_some(float *to, icl_lanes lanes, int64_t count)
{
    memcpy(to, &lanes, (size_t)count * sizeof *to);
}

/* --- a square of lanes turned over --- */

#define ICL_SWAP_LOW(b, l)  ((l) & (b) ? ICL_LANES + (l) - (b) : (l))
#define ICL_SWAP_HIGH(b, l) ((l) & (b) ? ICL_LANES + (l) : (l) + (b))
#define ICL_ALL_LANES(f, b)                                                                        \
    f(b, 0), f(b, 1), f(b, 2), f(b, 3), f(b, 4), f(b, 5), f(b, 6), f(b, 7), f(b, 8), f(b, 9),      \
        f(b, 10), f(b, 11), f(b, 12), f(b, 13), f(b, 14), f(b, 15)

/* Exchanges the off-diagonal b x b blocks of every 2b x 2b block. */
#define ICL_SWAP_BLOCKS(rows, b)                                                                   \
    for (int i = 0; i < ICL_LANES; i++) {                                                          \
        if ((i & (b)) != 0) continue;                                                              \
        const icl_lanes low =                                                                      \
            __builtin_shufflevector(rows[i], rows[i + (b)], ICL_ALL_LANES(ICL_SWAP_LOW, b));       \
        rows[i + (b)] =                                                                            \
            __builtin_shufflevector(rows[i], rows[i + (b)], ICL_ALL_LANES(ICL_SWAP_HIGH, b));      \
        rows[i] = low;                                                                             \
    }

ICL_LANES_INLINE void icl_lanes_transpose(icl_lanes rows[ICL_LANES])
{
    ICL_SWAP_BLOCKS(rows, 8)
    ICL_SWAP_BLOCKS(rows, 4)
    ICL_SWAP_BLOCKS(rows, 2)
    ICL_SWAP_BLOCKS(rows, 1)
}

#endif
