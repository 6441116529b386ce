/* The public view of the registries: cards turned into words, once. */
#include <icl/methods.h>

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/text.h"
#include "pipeline/strategy.h"
#include "train/source.h"
#include "train/start.h"

enum { METHODS_MAX = 64 };

typedef struct stage_facts {
    const char *name, *summary;
    const icl_card *const *(*cards)(size_t *out_count);
} stage_facts;

static const icl_card *const *calibrate_cards(size_t *out_count)
{
    return icl_stage_cards(ICL_STAGE_CALIBRATE, out_count);
}

static const icl_card *const *score_cards(size_t *out_count)
{
    return icl_stage_cards(ICL_STAGE_SCORE, out_count);
}

/* Those of a run in its order, then those of training. */
static const stage_facts stages[] = {
    { "select", "choose k demonstrations from the pool for every query", icl_select_cards },
    { "order", "arrange the chosen demonstrations; the last one stands nearest to the query",
      icl_order_cards },
    { "score", "score every label of a query", score_cards },
    { "calibrate", "correct the bias of the scores", calibrate_cards },
    { "source", "make sequences to train on", icl_source_cards },
    { "start", "fill the weights of a model before its first step", icl_start_cards },
};
enum { STAGE_COUNT = sizeof stages / sizeof stages[0] };

static const char *const type_names[] = { "int", "real", "bool", "choice", "text" };

static icl_method views[STAGE_COUNT][METHODS_MAX];
static icl_method_option option_views[STAGE_COUNT][METHODS_MAX][ICL_OPTIONS_MAX];
static char needs_texts[STAGE_COUNT][METHODS_MAX][96];
static char range_texts[STAGE_COUNT][METHODS_MAX][ICL_OPTIONS_MAX][96];
static size_t counts[STAGE_COUNT];

static void describe_needs(char *out, size_t capacity, unsigned needs)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {
        { ICL_NEEDS_EMBEDDINGS, "embeddings" },
        { ICL_NEEDS_LOGPROBS, "log-probabilities" },
        { ICL_NEEDS_GENERATION, "generation" },
        { ICL_NEEDS_LABELS, "labels" },
        { ICL_NEEDS_TRAINING, "a trained file" },
        { ICL_NEEDS_CONTENT_FREE, "content-free prompts" },
        { ICL_NEEDS_TOKEN_VECTORS, "token vectors" },
        { ICL_NEEDS_GRADIENTS, "the model's weights" },
        { ICL_NEEDS_DOMAIN_TEXTS, "random texts" },
        { ICL_NEEDS_VALIDATION, "labelled items" },
    };
    out[0] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((needs & words[i].bit) == 0) continue;
        const size_t used = strlen(out);
        snprintf(out + used, capacity - used, "%s%s", used > 0 ? ", " : "", words[i].word);
    }
    if (out[0] == '\0') snprintf(out, capacity, "nothing");
}

static void describe_range(char *out, size_t capacity, const icl_option *option)
{
    out[0] = '\0';
    if (option->type == ICL_OPTION_INT || option->type == ICL_OPTION_REAL)
        snprintf(out, capacity, "%.15g..%.15g", option->minimum, option->maximum);
    if (option->type == ICL_OPTION_BOOL) snprintf(out, capacity, "true|false");
    /* A text with bounds is a range of numbers. */
    if (option->type == ICL_OPTION_TEXT && option->maximum > 0)
        snprintf(out, capacity, "within %.15g..%.15g", option->minimum, option->maximum);
    else if (option->type == ICL_OPTION_TEXT)
        snprintf(out, capacity, "text");
    if (option->type != ICL_OPTION_CHOICE) return;
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        const size_t used = strlen(out);
        snprintf(out + used, capacity - used, "%s%s", i > 0 ? "|" : "", option->choices[i]);
    }
}

static void describe_method(size_t stage, size_t index, const icl_card *card)
{
    describe_needs(needs_texts[stage][index], sizeof needs_texts[stage][index], card->needs);
    for (size_t o = 0; o < card->option_count; o++) {
        const icl_option *option = &card->options[o];
        char *range = range_texts[stage][index][o];
        describe_range(range, sizeof range_texts[stage][index][o], option);
        option_views[stage][index][o] = (icl_method_option){ .name = option->name,
                                                             .type = type_names[option->type],
                                                             .fallback = option->fallback,
                                                             .range = range,
                                                             .help = option->help };
    }
    views[stage][index] = (icl_method){ .stage = stages[stage].name,
                                        .name = card->name,
                                        .summary = card->summary,
                                        .paper = card->paper,
                                        .cost = card->cost,
                                        .needs = needs_texts[stage][index],
                                        .options = option_views[stage][index],
                                        .option_count = card->option_count };
}

static void describe_all(void)
{
    for (size_t stage = 0; stage < STAGE_COUNT; stage++) {
        size_t count;
        const icl_card *const *cards = stages[stage].cards(&count);
        assert(count <= METHODS_MAX);
        for (size_t m = 0; m < count; m++) describe_method(stage, m, cards[m]);
        counts[stage] = count;
    }
}

static void describe_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, describe_all);
}

size_t icl_stage_count(void)
{
    return STAGE_COUNT;
}

const char *icl_stage_name(size_t stage)
{
    assert(stage < STAGE_COUNT);
    return stages[stage].name;
}

const char *icl_stage_summary(size_t stage)
{
    assert(stage < STAGE_COUNT);
    return stages[stage].summary;
}

icl_status icl_stage_find(size_t *out_stage, const char *name)
{
    const char *names[STAGE_COUNT];
    char shown[ICL_QUOTE_BYTES];
    for (size_t s = 0; s < STAGE_COUNT; s++) {
        names[s] = stages[s].name;
        if (strcmp(names[s], name) != 0) continue;
        *out_stage = s;
        return ICL_OK;
    }
    icl_quote(shown, name, strlen(name));
    const size_t nearest = icl_nearest_name(name, names, STAGE_COUNT);
    if (nearest < STAGE_COUNT)
        return icl_error_set(ICL_ENOTFOUND, "unknown stage %s; did you mean \"%s\"?", shown,
                             names[nearest]);
    return icl_error_set(ICL_ENOTFOUND,
                         "unknown stage %s; there are select, order, score, "
                         "calibrate, source and start",
                         shown);
}

size_t icl_method_count(size_t stage)
{
    assert(stage < STAGE_COUNT);
    describe_once();
    return counts[stage];
}

const icl_method *icl_method_at(size_t stage, size_t index)
{
    assert(index < icl_method_count(stage));
    return &views[stage][index];
}
