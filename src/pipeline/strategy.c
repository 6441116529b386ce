#include "pipeline/strategy.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"

typedef struct stage_part {
    const char *name, *fallback;
} stage_part;

static const stage_part parts[ICL_STAGE_COUNT] = {
    [ICL_STAGE_SELECT] = { "select", "knn" },
    [ICL_STAGE_ORDER] = { "order", "nearest-last" },
    [ICL_STAGE_SCORE] = { "score", "direct" },
    [ICL_STAGE_CALIBRATE] = { "calibrate", "none" },
};

const icl_card *const *icl_stage_cards(icl_stage stage, size_t *out_count)
{
    switch (stage) {
    case ICL_STAGE_SELECT:
        return icl_select_cards(out_count);
    case ICL_STAGE_ORDER:
        return icl_order_cards(out_count);
    case ICL_STAGE_SCORE:
        return icl_score_cards(out_count);
    default:
        return icl_calibrate_cards(out_count);
    }
}

/* End of the part that starts at `at`: the next blank outside brackets and quotes. */
static const char *part_end(const char *at)
{
    int depth = 0;
    bool quoted = false;
    for (; *at != '\0'; at++) {
        if (*at == '"') quoted = !quoted;
        if (quoted) continue;
        if (*at == '(') depth++;
        if (*at == ')') depth--;
        if (depth <= 0 && strchr(" \t\r\n", *at) != NULL) break;
    }
    return at;
}

static icl_status find_method(icl_strategy *strategy, icl_stage stage, const char *name,
                              const icl_card **out_card)
{
    switch (stage) {
    case ICL_STAGE_SELECT:
        ICL_TRY(icl_select_find(&strategy->select, name));
        *out_card = &strategy->select->card;
        return ICL_OK;
    case ICL_STAGE_ORDER:
        ICL_TRY(icl_order_find(&strategy->order, name));
        *out_card = &strategy->order->card;
        return ICL_OK;
    case ICL_STAGE_SCORE:
        ICL_TRY(icl_score_find(&strategy->score, name));
        *out_card = &strategy->score->card;
        return ICL_OK;
    default:
        ICL_TRY(icl_calibrate_find(&strategy->calibrate, name));
        *out_card = &strategy->calibrate->card;
        return ICL_OK;
    }
}

static icl_status read_call(icl_strategy *strategy, icl_stage stage, const char *text,
                            size_t length)
{
    icl_call call = { 0 };
    const icl_card *card = NULL;
    icl_status status = icl_call_parse(&call, text, length);
    if (status == ICL_OK) status = find_method(strategy, stage, call.name, &card);
    if (status == ICL_OK) status = icl_options_read(&strategy->options[stage], card, &call);
    icl_call_deinit(&call);
    return status;
}

static icl_status read_part(icl_strategy *strategy, bool *seen, const char *text, size_t length)
{
    char shown[ICL_QUOTE_BYTES];
    const char *equals = memchr(text, '=', length);
    if (equals == NULL)
        return icl_error_set(ICL_EPARSE, "strategy part %s is not of the form stage=method",
                             icl_quote(shown, text, length));
    const size_t name_length = (size_t)(equals - text);
    const char *names[ICL_STAGE_COUNT];
    for (size_t s = 0; s < ICL_STAGE_COUNT; s++) {
        names[s] = parts[s].name;
        if (strlen(parts[s].name) != name_length || memcmp(parts[s].name, text, name_length) != 0)
            continue;
        if (seen[s])
            return icl_error_set(ICL_EPARSE, "strategy part \"%s\" stands twice", parts[s].name);
        seen[s] = true;
        return read_call(strategy, (icl_stage)s, equals + 1, length - name_length - 1);
    }
    icl_quote(shown, text, name_length);
    char *name = icl_string_copy(text, name_length);
    const size_t nearest =
        name == NULL ? ICL_STAGE_COUNT : icl_nearest_name(name, names, ICL_STAGE_COUNT);
    free(name);
    if (nearest < ICL_STAGE_COUNT)
        return icl_error_set(ICL_ENOTFOUND,
                             "unknown stage %s in the strategy; did you mean \"%s\"?", shown,
                             names[nearest]);
    return icl_error_set(ICL_ENOTFOUND,
                         "unknown stage %s in the strategy; there are select, order, score and "
                         "calibrate",
                         shown);
}

icl_status icl_strategy_parse(icl_strategy *out, const char *line)
{
    icl_strategy strategy = { 0 };
    bool seen[ICL_STAGE_COUNT] = { false };
    icl_status status = ICL_OK;
    for (const char *at = line; status == ICL_OK;) {
        at += strspn(at, " \t\r\n");
        if (*at == '\0') break;
        const char *end = part_end(at);
        status = read_part(&strategy, seen, at, (size_t)(end - at));
        at = end;
    }
    for (size_t s = 0; s < ICL_STAGE_COUNT && status == ICL_OK; s++)
        if (!seen[s])
            status =
                read_call(&strategy, (icl_stage)s, parts[s].fallback, strlen(parts[s].fallback));
    if (status != ICL_OK) {
        icl_strategy_deinit(&strategy);
        memset(out, 0, sizeof *out);
        return status;
    }
    *out = strategy;
    return ICL_OK;
}

void icl_strategy_deinit(icl_strategy *strategy)
{
    for (size_t s = 0; s < ICL_STAGE_COUNT; s++) icl_options_deinit(&strategy->options[s]);
    memset(strategy, 0, sizeof *strategy);
}

bool icl_strategy_fits_pool(const icl_strategy *strategy)
{
    const unsigned asks =
        ICL_NEEDS_LOGPROBS | ICL_NEEDS_GENERATION | ICL_NEEDS_TRAINING | ICL_NEEDS_GRADIENTS;
    return ((strategy->select->card.needs | strategy->order->card.needs) & asks) != 0 ||
           (strategy->score->card.needs & ICL_NEEDS_LABELS) != 0 ||
           (strategy->calibrate->card.needs & ICL_NEEDS_VALIDATION) != 0;
}

typedef void options_format(icl_text *out, const icl_options *options);

static void format_stages(icl_text *out, const icl_strategy *strategy, options_format *format)
{
    for (size_t s = 0; s < ICL_STAGE_COUNT; s++) {
        icl_text_printf(out, "%s%s=", s == 0 ? "" : " ", parts[s].name);
        format(out, &strategy->options[s]);
    }
}

void icl_strategy_format(icl_text *out, const icl_strategy *strategy)
{
    format_stages(out, strategy, icl_options_format);
}

static icl_status rewrite(char **out_line, const char *line, options_format *format)
{
    icl_strategy strategy;
    icl_text text = { 0 };
    ICL_TRY(icl_strategy_parse(&strategy, line));
    format_stages(&text, &strategy, format);
    icl_strategy_deinit(&strategy);
    ICL_TRY(icl_text_status(&text));
    *out_line = icl_text_take(&text, NULL);
    return ICL_OK;
}

icl_status icl_strategy_canonical(char **out_line, const char *line)
{
    return rewrite(out_line, line, icl_options_format);
}

icl_status icl_strategy_brief(char **out_line, const char *line)
{
    return rewrite(out_line, line, icl_options_format_brief);
}
