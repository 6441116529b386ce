/* template/ask.h - what methods of every stage ask the language model: prompts made of a task's
 * items, one batch a call.
 *
 *   const size_t shown[] = { 17, 4 };
 *   const icl_ask_prompt prompt = { .shown = shown, .shown_count = 2, .of = ICL_ASK_QUERY,
 *                                   .item = q };
 *   double nats[LABELS];
 *   ICL_TRY(icl_ask_labels(nats, input->asker, "mdl", &prompt, 1));
 *
 * The pipeline serves it from the run's template, label words, window policy and engine; a method
 * never sees a token. Ask everything that can be asked at once in one call: the engine merges all
 * prompts of a call into one trie. Equal prompts of one call are asked once, unless texts are drawn
 * for them, and what the journal holds is not asked again.
 */
#ifndef ICL_TEMPLATE_ASK_H
#define ICL_TEMPLATE_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

typedef enum icl_ask_of {
    ICL_ASK_POOL,
    ICL_ASK_QUERY,
    ICL_ASK_CONTENT_FREE, /* the template with "N/A", "", "[MASK]" in every input field */
    ICL_ASK_WRITTEN,      /* a text that a method brings */
} icl_ask_of;

/* The inputs that carry no content, in the order of Zhao et al. 2021: "N/A", "", "[MASK]". */
enum { ICL_CONTENT_FREE_COUNT = 3 };
extern const char *const icl_content_free_inputs[ICL_CONTENT_FREE_COUNT];

/* Demonstrations with their labels, then the input of one item. Borrowed during a call. */
typedef struct icl_ask_prompt {
    const size_t *shown; /* [shown_count] pool indices in order of showing, nearest to the input
                            last; each labelled */
    size_t shown_count;  /* 0: zero-shot */
    icl_ask_of of;
    size_t item;         /* pool, query or content-free index */
    const char *written; /* ICL_ASK_WRITTEN: the input as the template would render it */
} icl_ask_prompt;

/* Log-likelihood of a text. */
typedef struct icl_ask_text {
    double nats;   /* sum over its tokens, at most 0 up to rounding */
    size_t tokens; /* predicted tokens, at least 1 */
} icl_ask_text;

/* How a text goes on. Zeroed but for tokens_max: greedy, nothing forbidden. */
typedef struct icl_ask_generation {
    const char *cue;    /* follows the prompt's input; NULL: nothing */
    size_t tokens_max;  /* it ends there, at the separator between demonstrations or at the end of
                           text */
    double temperature; /* 0: the likeliest token, ties by lowest id; else a draw from
                           softmax(log P / temperature) */
    size_t top_k;       /* drawn among the so many likeliest that no_repeat leaves; 0: all, for
                           which the journal keeps four bytes for every token of the vocabulary, a
                           step. Not read when greedy */
    size_t no_repeat;   /* > 0: no token that would repeat a run of so many tokens of the
                           continuation; it ends where that leaves none */
    const char *last;   /* it also ends after this text; NULL: nothing */
    bool keeps_form;    /* tokens of the template's and the labels' words are never forbidden, and a
                           draw takes one wherever it is the likeliest, so that texts keep the form of
                           demonstrations (Lu et al. 2022) */
    uint64_t seed;      /* of the draws, with the task's name and the prompt's place in the call:
                           equal prompts have draws of their own */
} icl_ask_generation;

/* Each function answers `count` prompts (0 is fine) and touches nothing on failure: ICL_ECONTEXT
 * when a prompt cannot fit without demonstrations, ICL_ECANCELLED, what the engine says;
 * ICL_EINVAL: ICL_ASK_CONTENT_FREE of a template that uses none of the input fields. */
typedef struct icl_asker {
    void *user;
    size_t label_count;
    const char *const *query_ids; /* for messages */
    /* [frame_count] what the template writes around an item's fields: before the first, between
     * them, after the last, where the answer prefix follows. frame_count 0: it uses none as it
     * stands. */
    const char *const *frame;
    size_t frame_count;
    const char *answer_prefix; /* NULL with frame_count 0 */
    /* out [count][label_count]: log P(label | prompt), summed over the tokens of its words, the
     * mass of all names of a label together; not normalised over labels. */
    icl_status (*labels)(void *user, double *out_nats, const icl_ask_prompt *prompts, size_t count);
    /* out [count]: log P(first name of labels[i] | prompt i). */
    icl_status (*answers)(void *user, icl_ask_text *out, const icl_ask_prompt *prompts,
                          const size_t *labels, size_t count);
    /* out [count]: log P(rendered input of the item | demonstrations). */
    icl_status (*inputs)(void *user, icl_ask_text *out, const icl_ask_prompt *prompts,
                         size_t count);
    /* out [count]: log P(demonstrations and input together), from the first token after BOS;
     * without BOS from the second token. */
    icl_status (*texts)(void *user, icl_ask_text *out, const icl_ask_prompt *prompts, size_t count);
    /* out [count]: continuations; malloc'd strings, yours. NULL unless the card needs
     * ICL_NEEDS_GENERATION. */
    icl_status (*generate)(void *user, char **out, const icl_ask_prompt *prompts, size_t count,
                           const icl_ask_generation *how);
} icl_asker;

/* How methods call an asker: the same answers, and ICL_EMODEL, naming the method and the item,
 * where a score is not a finite number. `method` is the card's name. */
icl_status icl_ask_labels(double *out_nats, const icl_asker *asker, const char *method,
                          const icl_ask_prompt *prompts, size_t count);
icl_status icl_ask_answers(icl_ask_text *out, const icl_asker *asker, const char *method,
                           const icl_ask_prompt *prompts, const size_t *labels, size_t count);
icl_status icl_ask_inputs(icl_ask_text *out, const icl_asker *asker, const char *method,
                          const icl_ask_prompt *prompts, size_t count);
icl_status icl_ask_texts(icl_ask_text *out, const icl_asker *asker, const char *method,
                         const icl_ask_prompt *prompts, size_t count);

#endif
