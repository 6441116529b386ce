/* select/ask.h - what methods ask the language model: prompts made of pool items, one batch a call.
 *
 *   const size_t shown[] = { 17, 4 };
 *   const icl_ask_prompt prompt = { .shown = shown, .shown_count = 2, .of = ICL_ASK_QUERY,
 *                                   .item = q };
 *   double nats[LABELS];
 *   ICL_TRY(icl_ask_labels(nats, input, "mdl", &prompt, 1));
 *
 * The pipeline serves it from the run's template, label words, window policy and engine; a method
 * never sees a token. Ask everything that can be asked at once in one call: the engine merges all
 * prompts of a call into one trie. Equal prompts of one call are asked once, and what the journal
 * holds is not asked again.
 */
#ifndef ICL_SELECT_ASK_H
#define ICL_SELECT_ASK_H

#include <stddef.h>

#include <icl/status.h>

#include "select/select.h"

typedef enum icl_ask_of { ICL_ASK_POOL, ICL_ASK_QUERY } icl_ask_of;

/* Demonstrations with their labels, then the input of one item. Borrowed during a call. */
typedef struct icl_ask_prompt {
    const size_t *shown; /* [shown_count] pool indices in order of showing, nearest to the input
                            last; each labelled */
    size_t shown_count;  /* 0: zero-shot */
    icl_ask_of of;
    size_t item; /* pool or query index */
} icl_ask_prompt;

/* Log-likelihood of a text. */
typedef struct icl_ask_text {
    double nats;   /* sum over its tokens, at most 0 up to rounding */
    size_t tokens; /* predicted tokens, at least 1 */
} icl_ask_text;

/* Each function answers `count` prompts (0 is fine) and touches nothing on failure: ICL_ECONTEXT
 * when a prompt cannot fit without demonstrations, ICL_ECANCELLED, what the engine says. */
typedef struct icl_asker {
    void *user;
    /* out [count][label_count]: log P(label | prompt), summed over the tokens of its words, the
     * mass of all names of a label together; not normalised over labels. */
    icl_status (*labels)(void *user, double *out_nats, const icl_ask_prompt *prompts, size_t count);
    /* out [count]: log P(rendered input of the item | demonstrations). */
    icl_status (*inputs)(void *user, icl_ask_text *out, const icl_ask_prompt *prompts,
                         size_t count);
    /* out [count]: log P(demonstrations and input together), from the first token after BOS;
     * without BOS from the second token. */
    icl_status (*texts)(void *user, icl_ask_text *out, const icl_ask_prompt *prompts, size_t count);
    /* out [count]: greedy continuation of prompt + cue, at most tokens_max tokens, ended by the
     * separator between demonstrations or end of text; malloc'd strings, yours. NULL unless the
     * card needs ICL_NEEDS_GENERATION. */
    icl_status (*generate)(void *user, char **out, const icl_ask_prompt *prompts, size_t count,
                           const char *cue, size_t tokens_max);
} icl_asker;

/* How methods call input->asker: the same answers, and ICL_EMODEL, naming the method and the item,
 * where a score is not a finite number. `method` is the card's name. */
icl_status icl_ask_labels(double *out_nats, const icl_select_input *input, const char *method,
                          const icl_ask_prompt *prompts, size_t count);
icl_status icl_ask_inputs(icl_ask_text *out, const icl_select_input *input, const char *method,
                          const icl_ask_prompt *prompts, size_t count);
icl_status icl_ask_texts(icl_ask_text *out, const icl_select_input *input, const char *method,
                         const icl_ask_prompt *prompts, size_t count);

#endif
