/* template/prompt.h - from examples to tokens: demonstrations and a query become a prompt within
 * the window, an answer becomes the tokens that are scored after it. The one place that adds BOS.
 *
 *   icl_prompter *prompter = NULL;
 *   icl_prompter_new(&prompter, model, &options);
 *   icl_prompt prompt = { 0 };
 *   icl_prompter_build(&prompt, prompter, demos, demo_count, "Text: fine\nLabel:", "query 7");
 *   icl_answer answer = { 0 };
 *   icl_prompter_answer(&answer, prompter, &prompt, "good");
 */
#ifndef ICL_TEMPLATE_PROMPT_H
#define ICL_TEMPLATE_PROMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/model.h>

typedef enum icl_join { ICL_JOIN_JOINT, ICL_JOIN_SEPARATE, ICL_JOIN_HEAL } icl_join;
typedef enum icl_drop { ICL_DROP_FAR, ICL_DROP_NEAR, ICL_DROP_NEVER } icl_drop;

/* Strings are borrowed until icl_prompter_free. */
typedef struct icl_prompter_options {
    const char *instruction;   /* before the demonstrations; "" for none */
    const char *answer_prefix; /* between a rendered input and its answer */
    const char *separator;     /* after the instruction and after every demonstration */
    const char *aligner;       /* with a separator, between demonstrations and query; none where
                                  there are no demonstrations. NULL or "": none */
    icl_join join;
    icl_drop drop;
    bool chat;                /* demonstrations as turns of the model's chat template */
    size_t answer_tokens_max; /* longest answer, for the window budget */
} icl_prompter_options;

/* A worked example: its input as rendered by the task's template, and its answer's words. */
typedef struct icl_demonstration {
    const char *input, *answer;
} icl_demonstration;

typedef struct icl_prompt {
    char *text; /* NUL-terminated, without BOS */
    size_t length;
    int32_t *tokens; /* BOS included when the model wants one */
    size_t token_count;
    size_t bos_count;              /* leading tokens that are not in `text`: 0 or 1 */
    size_t first_kept, kept_count; /* demonstrations that fitted: first_kept .. +kept_count-1 */
} icl_prompt;

typedef struct icl_answer {
    size_t prefix_count; /* leading tokens of the prompt that the answer is conditioned on */
    int32_t *tokens;     /* owned by the prompter, valid until it is freed */
    size_t token_count;  /* at least 1 */
    bool merged;         /* a token crosses the join of prompt and answer */
} icl_answer;

typedef struct icl_token_range {
    size_t first, count;
} icl_token_range;

typedef struct icl_prompter icl_prompter;

/* ICL_EUNSUPPORTED: chat without a chat template in the model; ICL_EPARSE: the template is one that
 * the library cannot read. */
icl_status icl_prompter_new(icl_prompter **out, icl_model *model,
                            const icl_prompter_options *options);
void icl_prompter_free(icl_prompter *prompter);

/* Longest answer in tokens, on its own; sets the budget for prompts built from now on. */
icl_status icl_prompter_reserve_answer(icl_prompter *prompter, const char *answer);
/* As before the first reservation, for answers that differ from prompt to prompt. */
void icl_prompter_forget_answers(icl_prompter *prompter);

/* `name` is what a message calls the query. ICL_ECONTEXT: it does not fit even without
 * demonstrations, or dropping is off. */
icl_status icl_prompter_build(icl_prompt *out, icl_prompter *prompter,
                              const icl_demonstration *demonstrations, size_t count,
                              const char *query_input, const char *name);
void icl_prompt_deinit(icl_prompt *prompt);

/* Tokens of a prompt in which a byte of its input stands, a token across the join included; none
 * for an empty input. `input` is what the prompt was built with. ICL_EUNSUPPORTED: the chat
 * template does not write the input as it is. */
icl_status icl_prompter_input_tokens(icl_token_range *out, icl_prompter *prompter,
                                     const icl_prompt *prompt, const char *input);

/* Tokens of an answer's words after the prompt. Never empty: ICL_EINVAL when the words have none.
 */
icl_status icl_prompter_answer(icl_answer *out, icl_prompter *prompter, const icl_prompt *prompt,
                               const char *words);

#endif
