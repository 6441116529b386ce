/* pipeline/scoring_parts.h - the inside of a scoring: scoring.c keeps rows and reads answers,
 * scoring_prompts.c makes the prompts and requests of each part. */
#ifndef ICL_PIPELINE_SCORING_PARTS_H
#define ICL_PIPELINE_SCORING_PARTS_H

#include <stdint.h>

#include "base/hash.h"
#include "base/string_map.h"
#include "pipeline/label_requests.h"
#include "pipeline/scoring.h"
#include "template/flip.h"

#define SCORING_NONE SIZE_MAX

/* Where an answer comes from: one request, and for the whole sequence another one about what stands
 * before the answer. */
typedef struct scoring_cell {
    size_t request;
    size_t lead; /* or SCORING_NONE */
    icl_answer_size size;
} scoring_cell;

typedef struct scoring_row {
    const char *name;
    size_t *shown, *shown_labels; /* [shown_count] */
    size_t shown_count;
    size_t first_cells[ICL_SCORE_PART_COUNT]; /* SCORING_NONE: not asked */
    size_t next_request, hidden_request;      /* or SCORING_NONE */
    bool next_is_whole;
    char *input; /* where anchors are wanted; else NULL */
    size_t set;  /* of its anchors */
    char prompt_hash[33];
} scoring_row;

/* A row behind the others. */
typedef struct scoring_anchor {
    size_t item; /* of the pool */
    size_t set;
} scoring_anchor;

typedef struct scoring_anchor_set {
    char key[33];
    size_t owner;        /* the first row that has these anchors */
    size_t first, count; /* in icl_scoring.anchors */
} scoring_anchor_set;

/* What a request was made for. */
typedef struct scoring_request {
    size_t row;
    icl_score_part part;
    uint32_t name, demonstration;
} scoring_request;

/* Unconditional answers, shared by the rows with the same demonstrations. */
typedef struct scoring_context {
    char key[33];
    size_t first_cell;
} scoring_context;

struct icl_scoring {
    const icl_ask_source *source;
    icl_score_wants wants;
    icl_prompter *prompter; /* the run's prompts */
    icl_prompter *bare;     /* without instruction, for what is given alone */
    icl_prompter *flipped;  /* answer before input */
    icl_flip flip;
    char *given; /* text in place of the input; NULL unless unconditional answers are wanted */
    icl_batch *batch;
    size_t name_count, label_count, joins_merged;
    size_t *name_labels;        /* [name_count] */
    size_t *first_names;        /* [label_count] */
    char **flipped_words;       /* [name_count] cue and name, as a flipped prompt begins */
    icl_label_request *at_hand; /* [name_count] of the prompt at hand */
    scoring_row *rows;
    size_t row_count, row_capacity;
    scoring_cell *cells;
    size_t cell_count, cell_capacity;
    scoring_request *requests; /* parallel to the batch */
    size_t request_count, request_capacity;
    scoring_context **contexts;
    size_t context_count, context_capacity;
    icl_string_map context_map;
    size_t anchor_first; /* rows from here on are anchors; SCORING_NONE: none were added yet */
    scoring_anchor *anchors;
    size_t anchor_count, anchor_capacity;
    scoring_anchor_set **sets;
    size_t set_count, set_capacity;
    icl_string_map set_map;
    /* filled by icl_scoring_collect */
    icl_score_cell *answers; /* [cell_count] */
    icl_score_row *answer_rows;
    icl_score_anchors *anchor_answers; /* [set_count] */
    size_t *anchor_labels;             /* [anchor_count] */
    const char **row_names;
    icl_score_input input;
};

/* scoring_prompts.c: makes all requests of a row whose shown items are set; narrows them to what
 * the window leaves and hashes its prompts. */
icl_status icl_scoring_ask_row(icl_scoring *scoring, size_t row, const char *input);

/* scoring_anchors.c: the anchor that a row is, or NULL. */
const scoring_anchor *icl_scoring_anchor(const icl_scoring *scoring, size_t row);
/* Gives every answered row the answers of its anchors. */
icl_status icl_scoring_collect_anchors(icl_scoring *scoring);
void icl_scoring_free_anchors(icl_scoring *scoring);

#endif
