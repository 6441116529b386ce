/* What may follow "is": the tests, also by name for select and reject. */
#include "template/jinja_internal.h"

#define IS_KIND(name, condition)                                                                   \
    static bool is_##name(jinja_render *render, jinja_value value, jinja_value argument)           \
    {                                                                                              \
        (void)render;                                                                              \
        (void)argument;                                                                            \
        return condition;                                                                          \
    }

IS_KIND(defined, value.kind != JINJA_UNDEFINED)
IS_KIND(undefined, value.kind == JINJA_UNDEFINED)
IS_KIND(none, value.kind == JINJA_NONE)
IS_KIND(boolean, value.kind == JINJA_BOOLEAN)
IS_KIND(true, value.kind == JINJA_BOOLEAN && value.boolean)
IS_KIND(false, value.kind == JINJA_BOOLEAN && !value.boolean)
IS_KIND(integer, value.kind == JINJA_INTEGER)
IS_KIND(float, value.kind == JINJA_FLOAT)
IS_KIND(number, icl_jinja_is_number(value))
IS_KIND(string, value.kind == JINJA_TEXT)
IS_KIND(mapping, value.kind == JINJA_DICT)
IS_KIND(callable, value.kind >= JINJA_MACRO || value.kind == JINJA_UNDEFINED)
IS_KIND(sequence, value.kind == JINJA_TEXT || value.kind == JINJA_LIST ||
                      value.kind == JINJA_TUPLE || value.kind == JINJA_RANGE ||
                      value.kind == JINJA_DICT || icl_jinja_is_lenient(render, value))

static bool is_iterable(jinja_render *render, jinja_value value, jinja_value argument)
{
    (void)argument;
    if (icl_jinja_is_lenient(render, value)) return true;
    icl_jinja_require_defined(render, value);
    return icl_jinja_is_iterable(value) || value.kind == JINJA_LOOP;
}

static bool modulo_is(jinja_render *render, jinja_value value, jinja_value divisor, int64_t wanted)
{
    const jinja_value rest = icl_jinja_binary(render, OPERATOR_MODULO, value, divisor);
    return icl_jinja_equal(render, rest, icl_jinja_integer(wanted));
}

static bool is_odd(jinja_render *render, jinja_value value, jinja_value argument)
{
    (void)argument;
    return modulo_is(render, value, icl_jinja_integer(2), 1);
}

static bool is_even(jinja_render *render, jinja_value value, jinja_value argument)
{
    (void)argument;
    return modulo_is(render, value, icl_jinja_integer(2), 0);
}

static bool is_divisible(jinja_render *render, jinja_value value, jinja_value argument)
{
    return modulo_is(render, value, argument, 0);
}

static bool is_lower(jinja_render *render, jinja_value value, jinja_value argument)
{
    (void)argument;
    return icl_jinja_string_has_case(icl_jinja_str(render, value), false);
}

static bool is_upper(jinja_render *render, jinja_value value, jinja_value argument)
{
    (void)argument;
    return icl_jinja_string_has_case(icl_jinja_str(render, value), true);
}

static bool is_in(jinja_render *render, jinja_value value, jinja_value argument)
{
    return icl_jinja_contains(render, argument, value);
}

/* Identity as far as a template can tell it: containers by address, the rest by value. */
static bool is_same(jinja_render *render, jinja_value value, jinja_value argument)
{
    if (value.kind != argument.kind) return false;
    if (value.kind == JINJA_UNDEFINED) return value.origin == argument.origin;
    if (value.kind >= JINJA_LIST) return value.list == argument.list;
    return icl_jinja_equal(render, value, argument);
}

#define IS_ORDER(name, operator)                                                                   \
    static bool is_##name(jinja_render *render, jinja_value value, jinja_value argument)           \
    {                                                                                              \
        return icl_jinja_binary(render, operator, value, argument).boolean;                        \
    }

IS_ORDER(equal, OPERATOR_EQUAL)
IS_ORDER(not_equal, OPERATOR_NOT_EQUAL)
IS_ORDER(less, OPERATOR_LESS)
IS_ORDER(less_equal, OPERATOR_LESS_EQUAL)
IS_ORDER(greater, OPERATOR_GREATER)
IS_ORDER(greater_equal, OPERATOR_GREATER_EQUAL)

static const jinja_test tests[] = {
    { "!=", 1, is_not_equal },
    { "<", 1, is_less },
    { "<=", 1, is_less_equal },
    { "==", 1, is_equal },
    { ">", 1, is_greater },
    { ">=", 1, is_greater_equal },
    { "boolean", 0, is_boolean },
    { "callable", 0, is_callable },
    { "defined", 0, is_defined },
    { "divisibleby", 1, is_divisible },
    { "eq", 1, is_equal },
    { "equalto", 1, is_equal },
    { "even", 0, is_even },
    { "false", 0, is_false },
    { "float", 0, is_float },
    { "ge", 1, is_greater_equal },
    { "greaterthan", 1, is_greater },
    { "gt", 1, is_greater },
    { "in", 1, is_in },
    { "integer", 0, is_integer },
    { "iterable", 0, is_iterable },
    { "le", 1, is_less_equal },
    { "lessthan", 1, is_less },
    { "lower", 0, is_lower },
    { "lt", 1, is_less },
    { "mapping", 0, is_mapping },
    { "ne", 1, is_not_equal },
    { "none", 0, is_none },
    { "number", 0, is_number },
    { "odd", 0, is_odd },
    { "sameas", 1, is_same },
    { "sequence", 0, is_sequence },
    { "string", 0, is_string },
    { "true", 0, is_true },
    { "undefined", 0, is_undefined },
    { "upper", 0, is_upper },
};

enum { TEST_COUNT = sizeof tests / sizeof *tests };

const jinja_test *icl_jinja_test_find(jinja_string name)
{
    for (size_t i = 0; i < TEST_COUNT; i++)
        if (icl_jinja_string_is(name, tests[i].name)) return &tests[i];
    return NULL;
}

const jinja_test *icl_jinja_test_require(jinja_state *state, jinja_string name)
{
    const jinja_test *found = icl_jinja_test_find(name);
    if (found != NULL) return found;
    const char *names[TEST_COUNT];
    for (size_t i = 0; i < TEST_COUNT; i++) names[i] = tests[i].name;
    const char *wanted = icl_jinja_format(state, "%.*s", (int)name.length, name.bytes);
    const size_t nearest = icl_nearest_name(wanted, names, TEST_COUNT);
    if (nearest == TEST_COUNT) icl_jinja_fail(state, "unknown test \"%s\"", wanted);
    icl_jinja_fail(state, "unknown test \"%s\"; did you mean \"%s\"?", wanted, names[nearest]);
}

bool icl_jinja_test_apply(jinja_render *render, const jinja_test *test, jinja_value value,
                          const jinja_arguments *arguments)
{
    if (arguments->keyword_count > 0 || arguments->count != test->argument_count)
        icl_jinja_fail(&render->state, "test \"%s\" takes %zu arguments, not %zu", test->name,
                       test->argument_count, arguments->count + arguments->keyword_count);
    return test->call(render, value,
                      test->argument_count > 0 ? arguments->values[0] : icl_jinja_none());
}
