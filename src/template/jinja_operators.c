/* Arithmetic, item access and slices as Python does them, on 64-bit integers. */
#include <math.h>

#include "template/jinja_internal.h"

static const char *const symbols[] = {
    [OPERATOR_ADD] = "+",         [OPERATOR_SUBTRACT] = "-",       [OPERATOR_MULTIPLY] = "*",
    [OPERATOR_DIVIDE] = "/",      [OPERATOR_FLOOR_DIVIDE] = "//",  [OPERATOR_MODULO] = "%",
    [OPERATOR_POWER] = "**",      [OPERATOR_CONCATENATE] = "~",    [OPERATOR_EQUAL] = "==",
    [OPERATOR_NOT_EQUAL] = "!=",  [OPERATOR_LESS] = "<",           [OPERATOR_LESS_EQUAL] = "<=",
    [OPERATOR_GREATER] = ">",     [OPERATOR_GREATER_EQUAL] = ">=", [OPERATOR_IN] = "in",
    [OPERATOR_NOT_IN] = "not in",
};

static int64_t floor_divide(int64_t left, int64_t right)
{
    const int64_t quotient = left / right;
    return quotient - (left % right != 0 && (left < 0) != (right < 0));
}

static bool power_overflows(int64_t base, int64_t exponent, int64_t *out)
{
    int64_t result = 1;
    bool overflow = false, base_overflow = false;
    for (; exponent > 0; exponent >>= 1) {
        if ((exponent & 1) != 0)
            overflow |= base_overflow || __builtin_mul_overflow(result, base, &result);
        base_overflow = base_overflow || __builtin_mul_overflow(base, base, &base);
    }
    *out = result;
    return overflow;
}

int64_t icl_jinja_checked(jinja_render *render, jinja_operator operator, int64_t left,
                          int64_t right)
{
    int64_t result = 0;
    bool overflow = false;
    const bool divides = operator== OPERATOR_FLOOR_DIVIDE || operator== OPERATOR_MODULO;
    if (divides && right == 0) icl_jinja_fail(&render->state, "division by zero");
    switch (operator) {
    case OPERATOR_ADD:
        overflow = __builtin_add_overflow(left, right, &result);
        break;
    case OPERATOR_SUBTRACT:
        overflow = __builtin_sub_overflow(left, right, &result);
        break;
    case OPERATOR_MULTIPLY:
        overflow = __builtin_mul_overflow(left, right, &result);
        break;
    case OPERATOR_POWER:
        overflow = power_overflows(left, right, &result);
        break;
    case OPERATOR_FLOOR_DIVIDE:
        overflow = right == -1 && left == INT64_MIN;
        if (!overflow) result = floor_divide(left, right);
        break;
    default: /* OPERATOR_MODULO: the sign of the divisor, as in Python */
        if (right != -1) result = left - right * floor_divide(left, right);
        break;
    }
    if (overflow)
        icl_jinja_fail(&render->state, "%lld %s %lld does not fit 64 bits", (long long)left,
                   symbols[operator], (long long)right);
    return result;
}

/* CPython's float_divmod: exact remainder first, then a quotient consistent with it. */
static double float_floor_divide(double left, double right, double *out_modulo)
{
    double modulo = fmod(left, right);
    double quotient = (left - modulo) / right;
    if (modulo != 0.0) {
        if ((right < 0.0) != (modulo < 0.0)) {
            modulo += right;
            quotient -= 1.0;
        }
    } else
        modulo = copysign(0.0, right);
    *out_modulo = modulo;
    if (quotient == 0.0) return copysign(0.0, left / right);
    const double floored = floor(quotient);
    return quotient - floored > 0.5 ? floored + 1.0 : floored;
}

static double float_power(jinja_render *render, double left, double right)
{
    if (left == 0.0 && right < 0.0)
        icl_jinja_fail(&render->state, "zero cannot be raised to a negative power");
    if (left < 0.0 && isfinite(left) && isfinite(right) && right != floor(right))
        icl_jinja_fail(&render->state,
                       "a negative number raised to a fraction is not a real number");
    const double result = pow(left, right);
    if (isinf(result) && isfinite(left) && isfinite(right))
        icl_jinja_fail(&render->state, "the power is too large for a float");
    return result;
}

static jinja_value float_binary(jinja_render *render, jinja_operator operator, double left,
                                double right)
{
    const bool divides = operator== OPERATOR_DIVIDE || operator== OPERATOR_FLOOR_DIVIDE ||
    operator== OPERATOR_MODULO;
    double modulo;
    if (divides && right == 0.0) icl_jinja_fail(&render->state, "division by zero");
    switch (operator) {
    case OPERATOR_ADD:
        return icl_jinja_float(left + right);
    case OPERATOR_SUBTRACT:
        return icl_jinja_float(left - right);
    case OPERATOR_MULTIPLY:
        return icl_jinja_float(left * right);
    case OPERATOR_DIVIDE:
        return icl_jinja_float(left / right);
    case OPERATOR_FLOOR_DIVIDE:
        return icl_jinja_float(float_floor_divide(left, right, &modulo));
    case OPERATOR_POWER:
        return icl_jinja_float(float_power(render, left, right));
    default:
        float_floor_divide(left, right, &modulo);
        return icl_jinja_float(modulo);
    }
}

static jinja_value number_binary(jinja_render *render, jinja_operator operator, jinja_value left,
                                 jinja_value right)
{
    const bool integers = left.kind != JINJA_FLOAT && right.kind != JINJA_FLOAT;
    const bool to_float = operator==
        OPERATOR_DIVIDE ||(operator== OPERATOR_POWER && icl_jinja_as_double(right) < 0.0);
    if (!integers || to_float)
        return float_binary(render, operator, icl_jinja_as_double(left),
                            icl_jinja_as_double(right));
    const int64_t a = icl_jinja_as_integer(render, left, "operand");
    const int64_t b = icl_jinja_as_integer(render, right, "operand");
    return icl_jinja_integer(icl_jinja_checked(render, operator, a, b));
}

static jinja_value repeat(jinja_render *render, jinja_value value, int64_t times)
{
    if (value.kind == JINJA_TEXT) {
        const size_t begin = icl_jinja_capture_begin(render);
        for (int64_t i = 0; i < times && value.text.length > 0; i++) {
            icl_jinja_charge(render, 1);
            icl_jinja_write(render, value.text.bytes, value.text.length);
        }
        return icl_jinja_text(icl_jinja_capture_end(render, begin));
    }
    const jinja_value list = icl_jinja_list_new(render, value.kind, 0);
    const size_t count = value.list->count;
    for (int64_t i = 0; i < times && count > 0; i++)
        for (size_t k = 0; k < count; k++) icl_jinja_list_add(render, list, value.list->items[k]);
    return list;
}

static bool is_sequence(jinja_value value)
{
    return value.kind == JINJA_TEXT || value.kind == JINJA_LIST || value.kind == JINJA_TUPLE;
}

static bool is_integral(jinja_value value)
{
    return value.kind == JINJA_INTEGER || value.kind == JINJA_BOOLEAN;
}

static jinja_value concatenate(jinja_render *render, jinja_value left, jinja_value right)
{
    if (left.kind == JINJA_TEXT) {
        const size_t begin = icl_jinja_capture_begin(render);
        icl_jinja_write(render, left.text.bytes, left.text.length);
        icl_jinja_write(render, right.text.bytes, right.text.length);
        return icl_jinja_text(icl_jinja_capture_end(render, begin));
    }
    const jinja_value list =
        icl_jinja_list_new(render, left.kind, left.list->count + right.list->count);
    for (size_t i = 0; i < left.list->count; i++)
        icl_jinja_list_add(render, list, left.list->items[i]);
    for (size_t i = 0; i < right.list->count; i++)
        icl_jinja_list_add(render, list, right.list->items[i]);
    return list;
}

static jinja_value concatenate_str(jinja_render *render, jinja_value left, jinja_value right)
{
    const size_t begin = icl_jinja_capture_begin(render);
    icl_jinja_write_str(render, left);
    icl_jinja_write_str(render, right);
    return icl_jinja_text(icl_jinja_capture_end(render, begin));
}

static jinja_value arithmetic(jinja_render *render, jinja_operator operator, jinja_value left,
                              jinja_value right)
{
    icl_jinja_require_defined(render, left);
    if (operator== OPERATOR_MODULO && left.kind == JINJA_TEXT)
        return icl_jinja_text(icl_jinja_printf(render, left.text, right));
    icl_jinja_require_defined(render, right);
    if (icl_jinja_is_number(left) && icl_jinja_is_number(right))
        return number_binary(render, operator, left, right);
    if (operator== OPERATOR_ADD && left.kind == right.kind && is_sequence(left))
        return concatenate(render, left, right);
    if (operator== OPERATOR_MULTIPLY && is_sequence(left) && is_integral(right))
        return repeat(render, left, icl_jinja_as_integer(render, right, "operand"));
    if (operator== OPERATOR_MULTIPLY && is_integral(left) && is_sequence(right))
        return repeat(render, right, icl_jinja_as_integer(render, left, "operand"));
    icl_jinja_fail(&render->state, "\"%s\" does not work on %s and %s", symbols[operator],
               icl_jinja_kind_name(left), icl_jinja_kind_name(right));
}

jinja_value icl_jinja_binary(jinja_render *render, jinja_operator operator, jinja_value left,
                             jinja_value right)
{
    int order;
    switch (operator) {
    case OPERATOR_CONCATENATE:
        return concatenate_str(render, left, right);
    case OPERATOR_EQUAL:
        return icl_jinja_boolean(icl_jinja_equal(render, left, right));
    case OPERATOR_NOT_EQUAL:
        return icl_jinja_boolean(!icl_jinja_equal(render, left, right));
    case OPERATOR_IN:
        return icl_jinja_boolean(icl_jinja_contains(render, right, left));
    case OPERATOR_NOT_IN:
        return icl_jinja_boolean(!icl_jinja_contains(render, right, left));
    case OPERATOR_LESS:
    case OPERATOR_LESS_EQUAL:
    case OPERATOR_GREATER:
    case OPERATOR_GREATER_EQUAL:
        break;
    default:
        return arithmetic(render, operator, left, right);
    }
    order = icl_jinja_compare(render, left, right, symbols[operator]);
    if (operator== OPERATOR_LESS) return icl_jinja_boolean(order == -1);
    if (operator== OPERATOR_LESS_EQUAL) return icl_jinja_boolean(order == -1 || order == 0);
    if (operator== OPERATOR_GREATER) return icl_jinja_boolean(order == 1);
    return icl_jinja_boolean(order == 0 || order == 1);
}

jinja_value icl_jinja_negate(jinja_render *render, jinja_value value, bool minus)
{
    icl_jinja_require_defined(render, value);
    if (!icl_jinja_is_number(value))
        icl_jinja_fail(&render->state, "\"%s\" does not work on %s", minus ? "-" : "+",
                       icl_jinja_kind_name(value));
    if (value.kind == JINJA_FLOAT) return icl_jinja_float(minus ? -value.number : value.number);
    const int64_t integer = icl_jinja_as_integer(render, value, "operand");
    return icl_jinja_integer(minus ? icl_jinja_checked(render, OPERATOR_SUBTRACT, 0, integer)
                                   : integer);
}

/* ---- items and attributes ---- */

static jinja_value list_item(jinja_render *render, jinja_value value, int64_t index)
{
    icl_jinja_charge_text(render, value);
    const size_t count = icl_jinja_length(render, value);
    const int64_t at = index < 0 ? index + (int64_t)count : index;
    if (at < 0 || (uint64_t)at >= count)
        return icl_jinja_undefined(&render->state, "no item %lld in %s of %zu", (long long)index,
                                   icl_jinja_kind_name(value), count);
    if (value.kind != JINJA_TEXT) return value.list->items[at];
    return icl_jinja_text(icl_jinja_string_range(value.text, (size_t)at, (size_t)at + 1));
}

static jinja_value method_of(jinja_render *render, jinja_value value, jinja_string name)
{
    const jinja_method_entry *entry = icl_jinja_method_find(value.kind, name);
    if (entry == NULL) return (jinja_value){ 0 };
    jinja_method *method = icl_jinja_alloc(&render->state, sizeof *method);
    *method = (jinja_method){ value, entry };
    return (jinja_value){ .kind = JINJA_METHOD, .method = method };
}

static jinja_value no_item(jinja_render *render, jinja_value value, jinja_value index)
{
    const jinja_string name = icl_jinja_repr(render, index);
    return icl_jinja_undefined(&render->state, "%s has no item %.*s", icl_jinja_kind_name(value),
                               (int)name.length, name.bytes);
}

jinja_value icl_jinja_item(jinja_render *render, jinja_value value, jinja_value index)
{
    icl_jinja_require_defined(render, value);
    const bool has_positions = value.kind == JINJA_TEXT || value.kind == JINJA_LIST ||
                               value.kind == JINJA_TUPLE || value.kind == JINJA_RANGE;
    if (value.kind == JINJA_DICT) {
        const bool hashable = index.kind != JINJA_LIST && index.kind != JINJA_DICT;
        const jinja_value *found = hashable ? icl_jinja_dict_find(render, value.dict, index) : NULL;
        if (found != NULL) return *found;
    }
    if (has_positions && is_integral(index))
        return list_item(render, value, icl_jinja_as_integer(render, index, "index"));
    if (index.kind == JINJA_TEXT && value.kind != JINJA_DICT)
        return icl_jinja_attribute(render, value, index.text);
    if (index.kind == JINJA_TEXT) {
        const jinja_value method = method_of(render, value, index.text);
        if (icl_jinja_given(method)) return method;
    }
    return no_item(render, value, index);
}

static jinja_value loop_attribute(jinja_render *render, const jinja_loop *loop, jinja_string name)
{
    const size_t index = loop->index;
    if (icl_jinja_string_is(name, "index")) return icl_jinja_count(index + 1);
    if (icl_jinja_string_is(name, "index0")) return icl_jinja_count(index);
    if (icl_jinja_string_is(name, "first")) return icl_jinja_boolean(index == 0);
    if (icl_jinja_string_is(name, "last")) return icl_jinja_boolean(index + 1 == loop->count);
    if (icl_jinja_string_is(name, "length")) return icl_jinja_count(loop->count);
    if (icl_jinja_string_is(name, "revindex")) return icl_jinja_count(loop->count - index);
    if (icl_jinja_string_is(name, "revindex0")) return icl_jinja_count(loop->count - index - 1);
    if (icl_jinja_string_is(name, "depth")) return icl_jinja_integer(1);
    if (icl_jinja_string_is(name, "depth0")) return icl_jinja_integer(0);
    if (icl_jinja_string_is(name, "previtem"))
        return index > 0 ? loop->items[index - 1]
                         : icl_jinja_undefined(&render->state, "there is no previous item");
    if (icl_jinja_string_is(name, "nextitem"))
        return index + 1 < loop->count
                   ? loop->items[index + 1]
                   : icl_jinja_undefined(&render->state, "there is no next item");
    return icl_jinja_undefined(&render->state, "the loop has no attribute \"%.*s\"",
                               (int)name.length, name.bytes);
}

/* A method hides a key of the same name, as in Jinja: write mapping["items"] for the key. */
jinja_value icl_jinja_attribute(jinja_render *render, jinja_value value, jinja_string name)
{
    icl_jinja_require_defined(render, value);
    const jinja_value method = method_of(render, value, name);
    if (icl_jinja_given(method)) return method;
    if (value.kind == JINJA_LOOP) return loop_attribute(render, value.loop, name);
    if (value.kind == JINJA_DICT || value.kind == JINJA_NAMESPACE) {
        const jinja_value *found = icl_jinja_dict_find_text(value.dict, name);
        if (found != NULL) return *found;
    }
    return icl_jinja_undefined(&render->state, "%s has no attribute \"%.*s\"",
                               icl_jinja_kind_name(value), (int)name.length, name.bytes);
}

/* ---- slices ---- */

/* One end of a slice, clipped to where it can matter; `fallback` when it is left out. */
static int64_t slice_end(jinja_render *render, jinja_value end, int64_t fallback, int64_t low,
                         int64_t high, int64_t count)
{
    if (end.kind == JINJA_NONE) return fallback;
    int64_t at = icl_jinja_as_integer(render, end, "a slice's end");
    if (at < 0) at = at < -count ? low : at + count;
    return at < low ? low : at > high ? high : at;
}

static jinja_value slice_text(jinja_render *render, jinja_string text, int64_t start, int64_t stop,
                              int64_t step)
{
    if (step == 1)
        return icl_jinja_text(start < stop
                                  ? icl_jinja_string_range(text, (size_t)start, (size_t)stop)
                                  : JINJA_STRING(""));
    const jinja_list all = icl_jinja_iterate(render, icl_jinja_text(text));
    const size_t begin = icl_jinja_capture_begin(render);
    for (int64_t at = start; step > 0 ? at < stop : at > stop; at += step)
        icl_jinja_write(render, all.items[at].text.bytes, all.items[at].text.length);
    return icl_jinja_text(icl_jinja_capture_end(render, begin));
}

static int64_t range_at(jinja_render *render, const jinja_list *range, int64_t index)
{
    const int64_t offset = icl_jinja_checked(render, OPERATOR_MULTIPLY, index, range->step);
    return icl_jinja_checked(render, OPERATOR_ADD, range->start, offset);
}

jinja_value icl_jinja_slice(jinja_render *render, jinja_value value, jinja_value start,
                            jinja_value stop, jinja_value step)
{
    icl_jinja_require_defined(render, value);
    const bool sliceable = is_sequence(value) || value.kind == JINJA_RANGE;
    if (!sliceable) icl_jinja_fail(&render->state, "%s has no slices", icl_jinja_kind_name(value));
    icl_jinja_charge_text(render, value);
    const int64_t count = (int64_t)icl_jinja_length(render, value);
    int64_t by = step.kind == JINJA_NONE ? 1 : icl_jinja_as_integer(render, step, "a slice's step");
    if (by == 0) icl_jinja_fail(&render->state, "a slice's step cannot be zero");
    /* A longer step than the text reaches nothing more, and adding it cannot overflow. */
    if (by > count + 1) by = count + 1;
    if (by < -count - 1) by = -count - 1;
    const int64_t low = by > 0 ? 0 : -1, high = by > 0 ? count : count - 1;
    const int64_t from = slice_end(render, start, by > 0 ? low : high, low, high, count);
    const int64_t to = slice_end(render, stop, by > 0 ? high : low, low, high, count);
    if (value.kind == JINJA_TEXT) return slice_text(render, value.text, from, to, by);

    const jinja_value list = icl_jinja_list_new(render, value.kind, 0);
    for (int64_t at = from; by > 0 ? at < to : at > to; at += by)
        icl_jinja_list_add(render, list, value.list->items[at]);
    if (value.kind == JINJA_RANGE) {
        list.list->start = range_at(render, value.list, from);
        list.list->stop = range_at(render, value.list, to);
        list.list->step = icl_jinja_checked(render, OPERATOR_MULTIPLY, value.list->step, by);
    }
    return list;
}
