#include "learn/kernel_rows.h"

#include <math.h>
#include <string.h>

#include "math/lanes.h"

/* Always the same order: halves are added until one number is left. */
ICL_LANES_INLINE float sum_of(icl_lanes lanes)
{
    float parts[ICL_LANES];
    memcpy(parts, &lanes, sizeof parts);
    for (int half = ICL_LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) parts[i] += parts[i + half];
    return parts[0];
}

ICL_LANES_INLINE float max_of(icl_lanes lanes)
{
    float parts[ICL_LANES];
    memcpy(parts, &lanes, sizeof parts);
    for (int half = ICL_LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            parts[i] = parts[i + half] > parts[i] ? parts[i + half] : parts[i];
    return parts[0];
}

float icl_row_dot(const float *a, const float *b, int64_t count)
{
    icl_lanes sum = icl_lanes_set(0.0f);
    int64_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES)
        sum += icl_lanes_load(&a[i]) * icl_lanes_load(&b[i]);
    if (i < count)
        sum += icl_lanes_load_some(&a[i], count - i, 0) * icl_lanes_load_some(&b[i], count - i, 0);
    return sum_of(sum);
}

/* --- normalisation --- */

static float inverse_rms(const float *x, float epsilon, int64_t width)
{
    return 1.0f / sqrtf(icl_row_dot(x, x, width) / (float)width + epsilon);
}

void icl_rows_rms_norm(float *y, const float *x, const float *gain, float epsilon, int64_t rows,
                       int64_t width)
{
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        const float inverse = inverse_rms(x, epsilon, width);
        for (int64_t i = 0; i < width; i++) y[i] = x[i] * inverse * gain[i];
    }
}

static float gained_dot(const float *dy, const float *gain, const float *x, int64_t width)
{
    icl_lanes sum = icl_lanes_set(0.0f);
    int64_t i = 0;
    for (; i + ICL_LANES <= width; i += ICL_LANES)
        sum += icl_lanes_load(&dy[i]) * icl_lanes_load(&gain[i]) * icl_lanes_load(&x[i]);
    if (i < width)
        sum += icl_lanes_load_some(&dy[i], width - i, 0) *
               icl_lanes_load_some(&gain[i], width - i, 0) *
               icl_lanes_load_some(&x[i], width - i, 0);
    return sum_of(sum);
}

void icl_rows_rms_norm_gradient(float *dx, const float *before, const float *dy, const float *x,
                                const float *gain, float epsilon, int64_t rows, int64_t width)
{
    for (int64_t r = 0; r < rows; r++) {
        const float inverse = inverse_rms(x, epsilon, width);
        const float pull =
            gained_dot(dy, gain, x, width) * inverse * inverse * inverse / (float)width;
        if (before == NULL) {
            for (int64_t i = 0; i < width; i++) dx[i] = dy[i] * gain[i] * inverse - x[i] * pull;
        } else {
            for (int64_t i = 0; i < width; i++)
                dx[i] = before[i] + (dy[i] * gain[i] * inverse - x[i] * pull);
            before += width;
        }
        dx += width;
        dy += width;
        x += width;
    }
}

void icl_rows_rms_norm_gain(float *dgain, const float *dy, const float *x, float epsilon,
                            int64_t rows, int64_t width)
{
    memset(dgain, 0, (size_t)width * sizeof *dgain);
    for (int64_t r = 0; r < rows; r++, x += width, dy += width) {
        const float inverse = inverse_rms(x, epsilon, width);
        for (int64_t i = 0; i < width; i++) dgain[i] += dy[i] * x[i] * inverse;
    }
}

/* --- gated linear unit --- */

ICL_LANES_INLINE icl_lanes sigmoid(icl_lanes x)
{
    const icl_lanes_int negative = x < icl_lanes_set(0.0f);
    const icl_lanes small = icl_lanes_exp(icl_lanes_choose(negative, x, -x));
    const icl_lanes one = icl_lanes_set(1.0f);
    return icl_lanes_choose(negative, small, one) / (one + small);
}

void icl_rows_silu_gate(float *y, const float *gate, const float *up, int64_t count)
{
    int64_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES) {
        const icl_lanes x = icl_lanes_load(&gate[i]);
        icl_lanes_store(&y[i], x * sigmoid(x) * icl_lanes_load(&up[i]));
    }
    if (i < count) {
        const icl_lanes x = icl_lanes_load_some(&gate[i], count - i, 0);
        icl_lanes_store_some(&y[i], x * sigmoid(x) * icl_lanes_load_some(&up[i], count - i, 0),
                             count - i);
    }
}

/* d silu(x) / dx = s + x s (1 - s). */
ICL_LANES_INLINE void gate_gradient(icl_lanes *dgate, icl_lanes *dup, icl_lanes dy, icl_lanes x,
                                    icl_lanes up)
{
    const icl_lanes s = sigmoid(x);
    *dup = dy * x * s;
    *dgate = dy * up * (s + x * s * (icl_lanes_set(1.0f) - s));
}

void icl_rows_silu_gate_gradient(float *dgate, float *dup, const float *dy, const float *gate,
                                 const float *up, int64_t count)
{
    icl_lanes for_gate, for_up;
    int64_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES) {
        gate_gradient(&for_gate, &for_up, icl_lanes_load(&dy[i]), icl_lanes_load(&gate[i]),
                      icl_lanes_load(&up[i]));
        icl_lanes_store(&dgate[i], for_gate);
        icl_lanes_store(&dup[i], for_up);
    }
    if (i < count) {
        const int64_t left = count - i;
        gate_gradient(&for_gate, &for_up, icl_lanes_load_some(&dy[i], left, 0),
                      icl_lanes_load_some(&gate[i], left, 0), icl_lanes_load_some(&up[i], left, 0));
        icl_lanes_store_some(&dgate[i], for_gate, left);
        icl_lanes_store_some(&dup[i], for_up, left);
    }
}

/* --- GELU: x / 2 (1 + tanh(u)) = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3) --- */

#define GELU_DOUBLED 1.59576912160573071f
#define GELU_CUBIC   0.044715f

ICL_LANES_INLINE icl_lanes gelu(icl_lanes x)
{
    const icl_lanes doubled =
        x * (icl_lanes_set(GELU_DOUBLED) + x * x * icl_lanes_set(GELU_DOUBLED * GELU_CUBIC));
    return x * sigmoid(doubled);
}

/* s + x s (1 - s) 2 du/dx. */
ICL_LANES_INLINE icl_lanes gelu_slope(icl_lanes x)
{
    const icl_lanes linear = icl_lanes_set(GELU_DOUBLED), one = icl_lanes_set(1.0f);
    const icl_lanes cubic = x * x * icl_lanes_set(GELU_DOUBLED * GELU_CUBIC);
    const icl_lanes s = sigmoid(x * (linear + cubic));
    return s + x * s * (one - s) * (linear + cubic * icl_lanes_set(3.0f));
}

void icl_rows_gelu(float *y, const float *x, int64_t count)
{
    int64_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES)
        icl_lanes_store(&y[i], gelu(icl_lanes_load(&x[i])));
    if (i < count)
        icl_lanes_store_some(&y[i], gelu(icl_lanes_load_some(&x[i], count - i, 0)), count - i);
}

void icl_rows_gelu_gradient(float *dx, const float *dy, const float *x, int64_t count)
{
    int64_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES)
        icl_lanes_store(&dx[i], icl_lanes_load(&dy[i]) * gelu_slope(icl_lanes_load(&x[i])));
    if (i < count) {
        const int64_t left = count - i;
        icl_lanes_store_some(&dx[i],
                             icl_lanes_load_some(&dy[i], left, 0) *
                                 gelu_slope(icl_lanes_load_some(&x[i], left, 0)),
                             left);
    }
}

/* --- rotary positions --- */

void icl_rows_rope(float *y, const float *x, const float *cosines, const float *sines,
                   int64_t heads, int64_t width, bool neox, bool back)
{
    const int64_t half = width / 2, step = neox ? 1 : 2, far = neox ? half : 1;
    const float turn = back ? -1.0f : 1.0f;
    for (int64_t h = 0; h < heads; h++, x += width, y += width) {
        for (int64_t i = 0; i < half; i++) {
            const float a = x[i * step], b = x[i * step + far];
            y[i * step] = a * cosines[i] - b * sines[i] * turn;
            y[i * step + far] = b * cosines[i] + a * sines[i] * turn;
        }
    }
}

/* --- softmax --- */

static float row_max(const float *x, int64_t count)
{
    icl_lanes most = icl_lanes_set(-INFINITY);
    int64_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES)
        most = icl_lanes_max(icl_lanes_load(&x[i]), most);
    if (i < count) most = icl_lanes_max(icl_lanes_load_some(&x[i], count - i, -INFINITY), most);
    return max_of(most);
}

static float row_log_sum(const float *x, int64_t count)
{
    const float most = row_max(x, count);
    icl_lanes sum = icl_lanes_set(0.0f);
    int64_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES)
        sum += icl_lanes_exp(icl_lanes_load(&x[i]) - icl_lanes_set(most));
    if (i < count)
        sum +=
            icl_lanes_exp(icl_lanes_load_some(&x[i], count - i, -INFINITY) - icl_lanes_set(most));
    return most + logf(sum_of(sum));
}

void icl_row_cross_entropy(float *nll, float *log_sum, const float *logits, int64_t classes,
                           int32_t target)
{
    *log_sum = row_log_sum(logits, classes);
    *nll = *log_sum - logits[target];
}

float icl_row_soft_entropy(const float *logits, const float *expected, int64_t classes)
{
    const icl_lanes log_sum = icl_lanes_set(row_log_sum(logits, classes));
    icl_lanes sum = icl_lanes_set(0.0f);
    int64_t i = 0;
    for (; i + ICL_LANES <= classes; i += ICL_LANES)
        sum += icl_lanes_load(&expected[i]) * (log_sum - icl_lanes_load(&logits[i]));
    if (i < classes)
        sum += icl_lanes_load_some(&expected[i], classes - i, 0) *
               (log_sum - icl_lanes_load_some(&logits[i], classes - i, 0));
    return sum_of(sum);
}

/* exp() of lanes_exp is for x <= 0, which log sums guarantee up to rounding. */
ICL_LANES_INLINE icl_lanes probability(icl_lanes x, float log_sum)
{
    const icl_lanes shifted = x - icl_lanes_set(log_sum);
    return icl_lanes_exp(
        icl_lanes_choose(shifted > icl_lanes_set(0.0f), icl_lanes_set(0.0f), shifted));
}

static void copy_or_clear(float *out, const float *before, int64_t count)
{
    if (before == NULL)
        memset(out, 0, (size_t)count * sizeof *out);
    else if (before != out)
        memcpy(out, before, (size_t)count * sizeof *out);
}

void icl_row_cross_entropy_gradient(float *out, const float *before, const float *logits,
                                    float log_sum, float weight, int64_t classes, int32_t target)
{
    if (!(weight < 0.0f || weight > 0.0f)) {
        copy_or_clear(out, before, classes);
        return;
    }
    const icl_lanes factor = icl_lanes_set(weight);
    int64_t i = 0;
    for (; i + ICL_LANES <= classes; i += ICL_LANES) {
        const icl_lanes change = probability(icl_lanes_load(&logits[i]), log_sum) * factor;
        icl_lanes_store(&out[i], before != NULL ? icl_lanes_load(&before[i]) + change : change);
    }
    for (; i < classes; i++) {
        const float change = weight * expf(logits[i] - log_sum);
        out[i] = before != NULL ? before[i] + change : change;
    }
    out[target] -= weight;
}

float icl_row_softmax(float *scores, const float *bias, float scale, int64_t count)
{
    for (int64_t i = 0; i < count; i++) scores[i] *= scale;
    if (bias != NULL)
        for (int64_t i = 0; i < count; i++) scores[i] += bias[i];
    const float most = row_max(scores, count);
    if (!(most > -INFINITY)) {
        memset(scores, 0, (size_t)count * sizeof *scores);
        return 0.0f;
    }
    icl_lanes sums = icl_lanes_set(0.0f);
    int64_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES) {
        const icl_lanes e = icl_lanes_exp(icl_lanes_load(&scores[i]) - icl_lanes_set(most));
        sums += e;
        icl_lanes_store(&scores[i], e);
    }
    if (i < count) {
        const icl_lanes e = icl_lanes_exp(icl_lanes_load_some(&scores[i], count - i, -INFINITY) -
                                          icl_lanes_set(most));
        sums += e;
        icl_lanes_store_some(&scores[i], e, count - i);
    }
    const float sum = sum_of(sums), inverse = 1.0f / sum;
    for (i = 0; i < count; i++) scores[i] *= inverse;
    return most + logf(sum);
}

void icl_row_softmax_again(float *scores, const float *bias, float scale, float log_sum,
                           int64_t count)
{
    if (bias != NULL) {
        for (int64_t i = 0; i < count; i++) scores[i] = scores[i] * scale + bias[i];
        scale = 1.0f;
    }
    int64_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES)
        icl_lanes_store(&scores[i],
                        probability(icl_lanes_load(&scores[i]) * icl_lanes_set(scale), log_sum));
    if (i < count)
        icl_lanes_store_some(
            &scores[i],
            probability(icl_lanes_load_some(&scores[i], count - i, 0) * icl_lanes_set(scale),
                        log_sum),
            count - i);
}

void icl_row_softmax_gradient(float *dp, const float *p, float delta, float scale, int64_t count)
{
    for (int64_t i = 0; i < count; i++) dp[i] = p[i] * (dp[i] - delta) * scale;
}
