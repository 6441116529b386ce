/* The functions that every template knows by name. */
#include <time.h>

#include "template/jinja_internal.h"

static int64_t range_count(jinja_render *render, int64_t start, int64_t stop, int64_t step)
{
    if (step > 0 ? start >= stop : start <= stop) return 0;
    const int64_t span = step > 0 ? icl_jinja_checked(render, OPERATOR_SUBTRACT, stop, start)
                                  : icl_jinja_checked(render, OPERATOR_SUBTRACT, start, stop);
    const int64_t by = step > 0 ? step : icl_jinja_checked(render, OPERATOR_SUBTRACT, 0, step);
    return (span - 1) / by + 1;
}

static jinja_value call_range(jinja_render *render, jinja_value self,
                              const jinja_arguments *arguments)
{
    (void)self;
    if (arguments->count < 1 || arguments->count > 3 || arguments->keyword_count > 0)
        icl_jinja_fail(&render->state, "range takes 1 to 3 integers");
    int64_t ends[3];
    for (size_t i = 0; i < arguments->count; i++)
        ends[i] = icl_jinja_as_integer(render, arguments->values[i], "an argument of range");
    const int64_t start = arguments->count > 1 ? ends[0] : 0;
    const int64_t stop = arguments->count > 1 ? ends[1] : ends[0];
    const int64_t step = arguments->count > 2 ? ends[2] : 1;
    if (step == 0) icl_jinja_fail(&render->state, "the step of a range cannot be zero");
    const int64_t count = range_count(render, start, stop, step);
    icl_jinja_charge(render, (size_t)count);
    const jinja_value list = icl_jinja_list_new(render, JINJA_RANGE, (size_t)count);
    list.list->start = start;
    list.list->stop = stop;
    list.list->step = step;
    for (int64_t i = 0; i < count; i++)
        icl_jinja_list_add(render, list, icl_jinja_integer(start + i * step));
    return list;
}

static void add_pairs(jinja_render *render, jinja_value to, jinja_value from)
{
    icl_jinja_require_defined(render, from);
    if (from.kind == JINJA_DICT || from.kind == JINJA_NAMESPACE) {
        for (size_t i = 0; i < from.dict->count; i++)
            icl_jinja_dict_set(render, to.dict, from.dict->pairs[i].key, from.dict->pairs[i].value);
        return;
    }
    const jinja_list pairs = icl_jinja_iterate(render, from);
    for (size_t i = 0; i < pairs.count; i++) {
        const jinja_list pair = icl_jinja_iterate(render, pairs.items[i]);
        if (pair.count != 2)
            icl_jinja_fail(&render->state, "item %zu has %zu parts, not a key and a value", i,
                           pair.count);
        icl_jinja_dict_set(render, to.dict, pair.items[0], pair.items[1]);
    }
}

static jinja_value mapping_of(jinja_render *render, const jinja_arguments *arguments,
                              jinja_kind kind)
{
    const jinja_value dict = icl_jinja_dict_new(render, kind, arguments->keyword_count);
    if (arguments->count > 1)
        icl_jinja_fail(&render->state, "at most one mapping can be passed, not %zu",
                       arguments->count);
    if (arguments->count == 1) add_pairs(render, dict, arguments->values[0]);
    for (size_t i = 0; i < arguments->keyword_count; i++)
        icl_jinja_dict_set(render, dict.dict, icl_jinja_text(arguments->keywords[i].name),
                           arguments->keywords[i].value);
    return dict;
}

static jinja_value call_dict(jinja_render *render, jinja_value self,
                             const jinja_arguments *arguments)
{
    (void)self;
    return mapping_of(render, arguments, JINJA_DICT);
}

static jinja_value call_namespace(jinja_render *render, jinja_value self,
                                  const jinja_arguments *arguments)
{
    (void)self;
    return mapping_of(render, arguments, JINJA_NAMESPACE);
}

static jinja_value call_raise(jinja_render *render, jinja_value self,
                              const jinja_arguments *arguments)
{
    (void)self;
    jinja_value bound[JINJA_PARAMETERS_MAX];
    icl_jinja_bind(render, "raise_exception", "message", arguments, bound);
    const jinja_string text = icl_jinja_str(render, bound[0]);
    icl_jinja_fail(&render->state, "the template reports: %.*s",
                   (int)(text.length > 400 ? 400 : text.length), text.bytes);
}

/* strftime_now(format): the time that the options give, in UTC. */
static jinja_value call_time(jinja_render *render, jinja_value self,
                             const jinja_arguments *arguments)
{
    (void)self;
    jinja_value bound[JINJA_PARAMETERS_MAX];
    icl_jinja_bind(render, "strftime_now", "format", arguments, bound);
    const jinja_string format = icl_jinja_as_text(render, bound[0], "the format of a time");
    if (format.length > 200) icl_jinja_fail(&render->state, "the format of a time is too long");
    const time_t now = (time_t)render->tmpl->options.now_seconds;
    struct tm parts;
    char text[256];
    if (gmtime_r(&now, &parts) == NULL) icl_jinja_fail(&render->state, "the time is out of range");
    /* A final mark tells an empty result from one that did not fit. */
    const char *marked =
        icl_jinja_format(&render->state, "%.*s.", (int)format.length, format.bytes);
    const size_t length = strftime(text, sizeof text, marked, &parts);
    if (length == 0) icl_jinja_fail(&render->state, "the time is longer than 255 bytes");
    return icl_jinja_text(icl_jinja_copy(&render->state, text, length - 1));
}

static const jinja_function functions[] = {
    { "range", call_range },         { "dict", call_dict },
    { "namespace", call_namespace }, { "raise_exception", call_raise },
    { "strftime_now", call_time },
};

const jinja_function *icl_jinja_function_find(const icl_jinja_options *options, jinja_string name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (functions[i].call == call_time && options->now_seconds == 0) continue;
        if (icl_jinja_string_is(name, functions[i].name)) return &functions[i];
    }
    return NULL;
}
