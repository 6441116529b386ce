/* score/score.h - the ways to score the labels of a query: what is asked of the model, and what
 * follows from the answers.
 *
 *   const icl_score_wants wants = icl_score_wanted(method, &options);
 *   ... the pipeline asks these parts for all rows at once ...
 *   double scores[ROWS * LABELS];
 *   status = icl_score_run(scores, method, &input, &options);
 *
 * A method never questions the model and sees no token: it says which parts it wants and turns the
 * answers into scores. A method is one file and one line in registry.def.
 */
#ifndef ICL_SCORE_SCORE_H
#define ICL_SCORE_SCORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#include "base/card.h"
#include "score/normalise.h"

/* What can be asked about a row: for every name y of every label, and of the prompt alone. C are
 * the row's demonstrations, x its input; C' are the demonstrations with the answer before the
 * input. */
typedef enum icl_score_part {
    ICL_SCORE_ANSWER,        /* log P(y | C, x) */
    ICL_SCORE_WHOLE,         /* log P of all tokens of C, x, y but the first */
    ICL_SCORE_INPUT,         /* log P(x | C', y) */
    ICL_SCORE_UNCONDITIONAL, /* log P(y | a text instead of the input) */
    ICL_SCORE_ANSWER_EACH,   /* log P(y | c, x) for every demonstration c alone */
    ICL_SCORE_INPUT_EACH,    /* log P(x | c', y) for every demonstration c alone */
    ICL_SCORE_NEXT,          /* the distribution of the token after C, x; no cells */
    ICL_SCORE_HIDDEN,        /* the last hidden state after C, x; no cells */
    ICL_SCORE_PART_COUNT,
    ICL_SCORE_CELL_PART_COUNT = ICL_SCORE_NEXT, /* parts before it have a cell for every name */
} icl_score_part;

/* "answer", "whole", "input", "unconditional", "answer-each", "input-each", "next", "hidden": by
 * icl_score_part. */
extern const char *const icl_score_part_names[];

/* Whether it is asked for each demonstration alone. */
bool icl_score_part_is_each(icl_score_part part);

/* What ICL_SCORE_UNCONDITIONAL follows. */
typedef enum icl_score_given {
    ICL_GIVEN_TEXT,         /* icl_score_wants.text; "" is the beginning of a text */
    ICL_GIVEN_PREMISE,      /* the template's final words, which stand before every answer */
    ICL_GIVEN_CONTENT_FREE, /* the template with "N/A" in every input field */
} icl_score_given;

/* What the labelled pool items that rows are compared with show before their own inputs. */
typedef enum icl_anchors_show {
    ICL_ANCHORS_SHOW_SAME,   /* the row's demonstrations */
    ICL_ANCHORS_SHOW_RANDOM, /* as many as the row, drawn for each anchor: one set of anchors serves
                                all rows with the same number of demonstrations */
} icl_anchors_show;

typedef struct icl_score_wants {
    unsigned parts; /* a bit (1 << part) of each part that is to be asked */
    icl_score_given given;
    const char *text;          /* ICL_GIVEN_TEXT; borrowed from the options */
    bool given_demonstrations; /* C stands before what is given */
    size_t anchors;            /* labelled pool items to compare a row with; 0: none */
    unsigned anchor_parts;     /* as `parts`, of each anchor */
    icl_anchors_show anchors_show;
    size_t anchor_tokens; /* ICL_SCORE_NEXT of an anchor: the so many likeliest; 0: all */
} icl_score_wants;

/* One answered question. */
typedef struct icl_score_cell {
    double nats; /* at most 0 up to rounding, or -inf */
    /* Of what was scored: of the answer's words or, in the parts about the input, of the input's
     * text. In ICL_SCORE_WHOLE tokens are those of the whole sequence, the first included, which
     * nothing predicts. */
    icl_answer_size size;
} icl_score_cell;

/* A distribution of the next token, nats: of all tokens, or the likeliest ones. */
typedef struct icl_score_next {
    const float *whole; /* [count], token by token; or NULL */
    const int32_t *tokens;
    const double *nats; /* [count] of `tokens`, the likeliest first; or NULL */
    size_t count;
} icl_score_next;

struct icl_score_row;

/* Labelled pool items, of every label as many as of the others for as long as it has any: none with
 * the row's own input, none among the demonstrations that it shares with the row. In a random order
 * that seed and task fix. */
typedef struct icl_score_anchors {
    size_t count;
    const struct icl_score_row *rows; /* [count] */
    const size_t *labels;             /* [count] */
} icl_score_anchors;

/* A query, or what is scored like one: a content-free input, a validation item. */
typedef struct icl_score_row {
    /* By part; NULL unless it is wanted. [name_count]; of the parts about single demonstrations
     * [icl_score_block_count][name_count]. */
    const icl_score_cell *cells[ICL_SCORE_PART_COUNT];
    icl_score_next next;              /* of ICL_SCORE_NEXT */
    const float *hidden;              /* [hidden_size] of ICL_SCORE_HIDDEN, or NULL */
    const icl_score_anchors *anchors; /* NULL unless wanted; rows may share them */
    size_t shown_count;               /* demonstrations */
    const size_t *shown_labels;       /* [shown_count], in order of showing */
} icl_score_row;

typedef struct icl_score_input {
    size_t label_count, name_count, hidden_size;
    const size_t *name_labels; /* [name_count] the label that a name words, ascending; every label
                                  has a name */
    size_t row_count;
    const icl_score_row *rows;
    const char *const *row_names; /* [row_count] for messages */
    const atomic_bool *cancelled; /* may be NULL */
} icl_score_input;

typedef struct icl_score_method {
    icl_card card;
    icl_score_wants (*wants)(const icl_options *options);
    /* out [row_count][label_count] is zeroed; the higher, the likelier. A row's scores depend on
     * its own answers and its anchors' alone. */
    icl_status (*run)(double *out, const icl_score_input *input, const icl_options *options);
} icl_score_method;

extern const icl_score_method icl_score_direct;

/* All registered methods, and their cards in the same order; static. */
const icl_score_method *const *icl_score_methods(size_t *out_count);
const icl_card *const *icl_score_cards(size_t *out_count);

/* ICL_ENOTFOUND offers the nearest name. */
icl_status icl_score_find(const icl_score_method **out, const char *name);

/* What a call of the method asks. */
icl_score_wants icl_score_wanted(const icl_score_method *method, const icl_options *options);
/* The bits of a comma-separated list of parts with cells; ICL_ENOTFOUND offers the nearest name. */
icl_status icl_score_parts_parse(unsigned *out_parts, const char *list);
bool icl_score_wants_part(const icl_score_wants *wants, icl_score_part part);

/* Runs one method: out [row_count][label_count], untouched on failure. ICL_EMODEL, naming row and
 * part, where an answer is NaN or +inf; -inf, an impossible answer, is allowed. ICL_ENOMEM. */
icl_status icl_score_run(double *out, const icl_score_method *method, const icl_score_input *input,
                         const icl_options *options);

/* ---- for methods: most are a weighted sum of what the parts say ---- */

/* How the names of a label become one score. */
typedef enum icl_score_join {
    ICL_NAMES_SUM,  /* log of the sum: the answer is any of the names */
    ICL_NAMES_MEAN, /* log of the mean: the condition is any of the names, equally likely */
    ICL_NAMES_BEST, /* the largest, where scores are no log-probabilities */
} icl_score_join;

/* What a part says of every label: each name normalised, then the names of a label joined; of the
 * parts about single demonstrations the sum over these. */
typedef struct icl_score_term {
    icl_score_part part;
    icl_normalise normalise;
    icl_score_join join;
} icl_score_term;

/* out [row_count][label_count] += weight * term. Weight 0 adds nothing. What is subtracted is at
 * least log(DBL_MIN), the smallest normal number: a label that is impossible without the input too
 * stays comparable. */
void icl_score_add(double *out, const icl_score_input *input, const icl_score_term *term,
                   double weight);

/* The answer after the prompt less the answer after what is given in place of the input. */
void icl_score_add_information(double *out, const icl_score_input *input, icl_normalise normalise);

/* Blocks of [name_count] cells that a row has of a part: the demonstrations, at least 1, of the
 * parts about single ones, which without demonstrations is the query alone; else 1. */
size_t icl_score_block_count(const icl_score_row *row, icl_score_part part);

/* The option `normalise`. */
icl_normalise icl_score_normalise(const icl_options *options);

#define ICL_SCORE_OPTION_NORMALISE(by_default)                                                     \
    {                                                                                              \
        .name = "normalise", .type = ICL_OPTION_CHOICE, .fallback = by_default,                    \
        .choices = icl_normalise_names,                                                            \
        .help = "divide an answer's log-probability by its tokens, chars, bytes, or not at all"    \
    }

#define ICL_SCORE_OPTION_DEMONSTRATIONS                                                            \
    {                                                                                              \
        .name = "demonstrations", .type = ICL_OPTION_BOOL, .fallback = "false",                    \
        .help = "whether the demonstrations stand before that text too"                            \
    }

#endif
