#include "report/strategy_names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <icl/methods.h>

#include "base/error.h"
#include "base/text.h"
#include "pipeline/strategy.h"

/* The calls of a strategy, every option spelled out. */
typedef struct stage_calls {
    icl_call stages[ICL_STAGE_COUNT];
} stage_calls;

static icl_status parse_calls(stage_calls *out, const char *line)
{
    icl_strategy strategy;
    icl_text text = { 0 };
    ICL_TRY(icl_strategy_parse(&strategy, line));
    icl_status status = ICL_OK;
    for (size_t s = 0; s < ICL_STAGE_COUNT && status == ICL_OK; s++) {
        icl_text_clear(&text);
        icl_options_format(&text, &strategy.options[s]);
        status = icl_text_status(&text);
        if (status == ICL_OK)
            status = icl_call_parse(&out->stages[s], icl_text_string(&text), text.length);
    }
    icl_text_deinit(&text);
    icl_strategy_deinit(&strategy);
    return status;
}

/* Whether any strategy that uses the method of `call` gives another value to option `index`. */
static bool option_differs(const stage_calls *all, size_t count, size_t stage, const icl_call *call,
                           size_t index)
{
    for (size_t i = 0; i < count; i++) {
        const icl_call *other = &all[i].stages[stage];
        if (strcmp(other->name, call->name) == 0 &&
            strcmp(other->values[index], call->values[index]) != 0)
            return true;
    }
    return false;
}

static bool stage_differs(const stage_calls *all, size_t count, size_t stage)
{
    const icl_call *first = &all[0].stages[stage];
    for (size_t i = 1; i < count; i++)
        if (strcmp(all[i].stages[stage].name, first->name) != 0) return true;
    for (size_t o = 0; o < first->argument_count; o++)
        if (option_differs(all, count, stage, first, o)) return true;
    return false;
}

static void append_call(icl_text *out, const stage_calls *all, size_t count, size_t stage,
                        const icl_call *call)
{
    size_t shown = 0;
    icl_text_printf(out, "%s%s=%s", out->length > 0 ? " " : "", icl_stage_name(stage), call->name);
    for (size_t o = 0; o < call->argument_count; o++)
        if (option_differs(all, count, stage, call, o))
            icl_text_printf(out, "%s%s=%s", shown++ == 0 ? "(" : ",", call->keys[o],
                            call->values[o]);
    if (shown > 0) icl_text_append_char(out, ')');
}

static icl_status name_strategy(char **out, const stage_calls *all, size_t count, size_t index)
{
    icl_text text = { 0 };
    for (size_t stage = 0; stage < ICL_STAGE_COUNT; stage++)
        if (stage_differs(all, count, stage))
            append_call(&text, all, count, stage, &all[index].stages[stage]);
    if (text.length == 0) icl_text_append_string(&text, "the strategy"); /* the only one */
    const icl_status status = icl_text_status(&text);
    if (status == ICL_OK) *out = icl_text_take(&text, NULL);
    icl_text_deinit(&text);
    return status;
}

icl_status icl_strategy_names_new(char ***out, const char *const *lines, size_t count)
{
    stage_calls *all = calloc(count, sizeof *all);
    char **names = calloc(count, sizeof *names);
    icl_status status = all == NULL || names == NULL
                            ? icl_error_set(ICL_ENOMEM, "out of memory for %zu names", count)
                            : ICL_OK;
    for (size_t i = 0; i < count && status == ICL_OK; i++) status = parse_calls(&all[i], lines[i]);
    for (size_t i = 0; i < count && status == ICL_OK; i++)
        status = name_strategy(&names[i], all, count, i);
    for (size_t i = 0; all != NULL && i < count; i++)
        for (size_t s = 0; s < ICL_STAGE_COUNT; s++) icl_call_deinit(&all[i].stages[s]);
    free(all);
    if (status == ICL_OK)
        *out = names;
    else
        icl_strategy_names_free(names, count);
    return status;
}

void icl_strategy_names_free(char **names, size_t count)
{
    for (size_t i = 0; names != NULL && i < count; i++) free(names[i]);
    free(names);
}
