/* base/card.h - what a registered method says of itself, and how its options are read.
 *
 * A stage's registry is a list of methods, each starting with a card. "knn(k=8, metric=l2)" is a
 * call: a name and options; icl_call_parse splits it, icl_options_read checks it against the card.
 */
#ifndef ICL_BASE_CARD_H
#define ICL_BASE_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#include "base/text.h"

typedef enum icl_option_type {
    ICL_OPTION_INT,    /* whole number in [minimum, maximum] */
    ICL_OPTION_REAL,   /* finite number in [minimum, maximum] */
    ICL_OPTION_BOOL,   /* true | false */
    ICL_OPTION_CHOICE, /* one of `choices`, read as its index */
    ICL_OPTION_TEXT,   /* any text, such as a path */
} icl_option_type;

typedef struct icl_option {
    const char *name;
    icl_option_type type;
    const char *fallback; /* written as a user would type it */
    double minimum, maximum;
    const char *const *choices; /* NULL-terminated, for ICL_OPTION_CHOICE */
    const char *help;
} icl_option;

typedef enum icl_needs {
    ICL_NEEDS_NOTHING = 0,
    ICL_NEEDS_EMBEDDINGS = 1 << 0, /* sentence vectors of pool and queries */
    ICL_NEEDS_LOGPROBS = 1 << 1,    /* questions to the language model */
    ICL_NEEDS_GENERATION = 1 << 2,
    ICL_NEEDS_LABELS = 1 << 3,        /* a labelled pool */
    ICL_NEEDS_TRAINING = 1 << 4,      /* a file made by `icl fit` */
    ICL_NEEDS_CONTENT_FREE = 1 << 5,  /* the template rendered with content-free inputs */
    ICL_NEEDS_TOKEN_VECTORS = 1 << 6, /* a vector for every token of pool and queries */
    ICL_NEEDS_GRADIENTS = 1 << 7,     /* the language model's weights, in float32 */
    ICL_NEEDS_DOMAIN_TEXTS = 1 << 8,  /* random texts of the task's own words */
    ICL_NEEDS_VALIDATION = 1 << 9,    /* labelled items scored like queries */
} icl_needs;

enum { ICL_OPTIONS_MAX = 20 };

typedef struct icl_card {
    const char *name;
    const char *summary;       /* one line */
    const char *paper;         /* authors year, "title"; or "folklore" */
    const char *cost;          /* questions asked of the model, in words; "none" */
    unsigned needs;            /* icl_needs bits */
    const icl_option *options; /* [option_count], may be NULL */
    size_t option_count;
} icl_card;

typedef union icl_option_value {
    int64_t integer; /* INT; BOOL 0 or 1; CHOICE index */
    double real;
    const char *text; /* owned by the icl_options */
} icl_option_value;

/* Values of every option of a card, in the card's order. */
typedef struct icl_options {
    const icl_card *card;
    icl_option_value values[ICL_OPTIONS_MAX];
    char *texts[ICL_OPTIONS_MAX]; /* backing of TEXT values */
} icl_options;

/* "name" or "name(key=value, key=value)"; a text value may stand in double quotes. */
typedef struct icl_call {
    char *name;
    size_t argument_count;
    char *keys[ICL_OPTIONS_MAX], *values[ICL_OPTIONS_MAX];
} icl_call;

/* ICL_EPARSE names the offending place. On failure *out is empty. */
icl_status icl_call_parse(icl_call *out, const char *text, size_t length);
void icl_call_deinit(icl_call *call);

/* Defaults, then the call's values. Unknown option: ICL_ENOTFOUND with the nearest name; a value of
 * the wrong type or out of range: ICL_EINVAL naming option, value and range. */
icl_status icl_options_read(icl_options *out, const icl_card *card, const icl_call *call);
void icl_options_deinit(icl_options *options);

/* Value by option name; the name must be on the card (asserted). */
int64_t icl_options_int(const icl_options *options, const char *name);
double icl_options_real(const icl_options *options, const char *name);
bool icl_options_bool(const icl_options *options, const char *name);
const char *icl_options_text(const icl_options *options, const char *name);

/* The call in canonical form with every option spelled out: "knn(k=8,metric=cosine)". */
void icl_options_format(icl_text *out, const icl_options *options);
/* The call with "k" and the options that are not as the card has them: "knn(k=8)". */
void icl_options_format_brief(icl_text *out, const icl_options *options);

#endif
