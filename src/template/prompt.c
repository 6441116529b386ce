#include "template/prompt.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "base/string_map.h"
#include "base/text.h"
#include "template/jinja.h"

/* Tokens at the end of a prompt that are tokenised again together with an answer. An answer can
 * only change the last tokens; when even the first of these changes, the whole prompt is done
 * again. */
enum { TAIL_TOKENS = 3 };

/* An answer after one tail. Many prompts end alike, so these are shared. */
typedef struct joined {
    char *key;   /* tail bytes, NUL, words */
    size_t kept; /* tail tokens that stay as they are; SIZE_MAX: the tail is not enough */
    int32_t *tokens;
    size_t token_count;
} joined;

struct icl_prompter {
    icl_model *model;
    icl_prompter_options options;
    icl_jinja *chat;
    char *bos_text, *eos_text;
    size_t answer_tokens_max;
    icl_string_map map;
    joined *answers;
    size_t answer_count, answer_capacity;
    int32_t **owned; /* token arrays of answers that could not be shared */
    size_t owned_count, owned_capacity;
};

static icl_status piece_text(char **out, icl_model *model, int32_t token)
{
    char piece[256];
    size_t length = 0;
    if (token >= 0) ICL_TRY(icl_model_piece(model, piece, sizeof piece, &length, token));
    *out = icl_string_copy(piece, length);
    return *out != NULL ? ICL_OK : icl_error_set(ICL_ENOMEM, "out of memory for a token");
}

static icl_status load_chat_template(icl_prompter *prompter)
{
    const icl_model_info *info = icl_model_get_info(prompter->model);
    if (info->chat_template == NULL)
        return icl_error_set(ICL_EUNSUPPORTED, "model \"%s\" carries no chat template", info->path);
    const icl_jinja_options options = { .trim_blocks = true,
                                        .lstrip_blocks = true,
                                        .lenient_undefined = true };
    return icl_jinja_parse_with(&prompter->chat, info->chat_template, strlen(info->chat_template),
                                "chat template", &options);
}

icl_status icl_prompter_new(icl_prompter **out, icl_model *model,
                            const icl_prompter_options *options)
{
    icl_prompter *prompter = calloc(1, sizeof *prompter);
    if (prompter == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for prompts");
    const icl_model_info *info = icl_model_get_info(model);
    prompter->model = model;
    prompter->options = *options;
    icl_prompter_forget_answers(prompter);
    icl_status status = piece_text(&prompter->bos_text, model, info->bos);
    if (status == ICL_OK) status = piece_text(&prompter->eos_text, model, info->eos);
    if (status == ICL_OK && options->chat) status = load_chat_template(prompter);
    if (status != ICL_OK) {
        icl_prompter_free(prompter);
        return status;
    }
    *out = prompter;
    return ICL_OK;
}

void icl_prompter_free(icl_prompter *prompter)
{
    if (prompter == NULL) return;
    for (size_t i = 0; i < prompter->answer_count; i++) {
        free(prompter->answers[i].key);
        free(prompter->answers[i].tokens);
    }
    for (size_t i = 0; i < prompter->owned_count; i++) free(prompter->owned[i]);
    free(prompter->answers);
    free(prompter->owned);
    icl_string_map_deinit(&prompter->map);
    icl_jinja_free(prompter->chat);
    free(prompter->bos_text);
    free(prompter->eos_text);
    free(prompter);
}

/* *out_tokens is malloc'd. A text has at most one token a byte, plus room for a prefix space. */
static icl_status tokenize(const icl_prompter *prompter, int32_t **out_tokens, size_t *out_count,
                           const char *text, size_t length)
{
    const size_t capacity = length + 8;
    int32_t *tokens = malloc(capacity * sizeof *tokens);
    if (tokens == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu tokens", capacity);
    const icl_status status = icl_model_tokenize(prompter->model, tokens, capacity, out_count, text,
                                                 length, prompter->options.chat);
    if (status != ICL_OK) {
        free(tokens);
        return status;
    }
    *out_tokens = tokens;
    return ICL_OK;
}

void icl_prompter_forget_answers(icl_prompter *prompter)
{
    const size_t stated = prompter->options.answer_tokens_max;
    prompter->answer_tokens_max = stated > 0 ? stated : 1;
}

icl_status icl_prompter_reserve_answer(icl_prompter *prompter, const char *answer)
{
    icl_text text = { 0 };
    int32_t *tokens = NULL;
    size_t count = 0;
    icl_text_append_string(&text, prompter->options.answer_prefix);
    icl_text_append_string(&text, answer);
    icl_status status = icl_text_status(&text);
    if (status == ICL_OK) status = tokenize(prompter, &tokens, &count, text.bytes, text.length);
    /* One more for a token that crosses the join. */
    if (status == ICL_OK && count + 1 > prompter->answer_tokens_max)
        prompter->answer_tokens_max = count + 1;
    free(tokens);
    icl_text_deinit(&text);
    return status;
}

/* ---- prompts ---- */

static void write_aligner(icl_text *out, const icl_prompter_options *options, size_t count)
{
    if (count == 0 || options->aligner == NULL || options->aligner[0] == '\0') return;
    icl_text_append_string(out, options->aligner);
    icl_text_append_string(out, options->separator);
}

static void write_plain(icl_text *out, const icl_prompter_options *options,
                        const icl_demonstration *demonstrations, size_t count, const char *query)
{
    if (options->instruction[0] != '\0') {
        icl_text_append_string(out, options->instruction);
        icl_text_append_string(out, options->separator);
    }
    for (size_t i = 0; i < count; i++) {
        icl_text_append_string(out, demonstrations[i].input);
        icl_text_append_string(out, options->answer_prefix);
        icl_text_append_string(out, demonstrations[i].answer);
        icl_text_append_string(out, options->separator);
    }
    write_aligner(out, options, count);
    icl_text_append_string(out, query);
}

static void add_turn(json_t *messages, const char *role, const char *content)
{
    json_array_append_new(messages, json_pack("{s:s, s:s}", "role", role, "content", content));
}

static icl_status write_chat(icl_text *out, const icl_prompter *prompter,
                             const icl_demonstration *demonstrations, size_t count,
                             const char *query)
{
    json_t *messages = json_array();
    if (prompter->options.instruction[0] != '\0')
        add_turn(messages, "system", prompter->options.instruction);
    for (size_t i = 0; i < count; i++) {
        add_turn(messages, "user", demonstrations[i].input);
        add_turn(messages, "assistant", demonstrations[i].answer);
    }
    icl_text turn = { 0 };
    write_aligner(&turn, &prompter->options, count);
    icl_text_append_string(&turn, query);
    add_turn(messages, "user", icl_text_string(&turn));
    icl_status status = icl_text_status(&turn);
    icl_text_deinit(&turn);
    json_t *context =
        json_pack("{s:o, s:b, s:s, s:s}", "messages", messages, "add_generation_prompt", 1,
                  "bos_token", prompter->bos_text, "eos_token", prompter->eos_text);
    if (context == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a chat prompt");
    if (status == ICL_OK) status = icl_jinja_render(out, prompter->chat, context);
    json_decref(context);
    return status;
}

static icl_status write_prompt(icl_prompt *out, const icl_prompter *prompter,
                               const icl_demonstration *demonstrations, size_t count,
                               const char *query)
{
    icl_text text = { 0 };
    icl_status status = ICL_OK;
    if (prompter->chat != NULL)
        status = write_chat(&text, prompter, demonstrations, count, query);
    else
        write_plain(&text, &prompter->options, demonstrations, count, query);
    if (status == ICL_OK) status = icl_text_status(&text);
    int32_t *tokens = NULL;
    size_t token_count = 0;
    if (status == ICL_OK)
        status = tokenize(prompter, &tokens, &token_count, icl_text_string(&text), text.length);
    if (status != ICL_OK) {
        icl_text_deinit(&text);
        return status;
    }
    const int32_t bos = icl_model_get_info(prompter->model)->bos;
    /* A chat template may have written BOS itself. */
    if (bos >= 0 && (token_count == 0 || tokens[0] != bos)) {
        memmove(tokens + 1, tokens, token_count * sizeof *tokens); /* tokenize left room */
        tokens[0] = bos;
        token_count++;
        out->bos_count = 1;
    }
    out->tokens = tokens;
    out->token_count = token_count;
    out->text = icl_text_take(&text, &out->length);
    if (out->text == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a prompt");
    return ICL_OK;
}

static icl_status refuse(const icl_prompt *prompt, const icl_prompter *prompter, const char *name)
{
    return icl_error_set(ICL_ECONTEXT,
                         "%s: a prompt of %zu tokens and an answer of up to %zu exceed the model's "
                         "window of %zu tokens",
                         name, prompt->token_count, prompter->answer_tokens_max,
                         icl_model_get_info(prompter->model)->window_tokens);
}

icl_status icl_prompter_build(icl_prompt *out, icl_prompter *prompter,
                              const icl_demonstration *demonstrations, size_t count,
                              const char *query_input, const char *name)
{
    const size_t window = icl_model_get_info(prompter->model)->window_tokens;
    icl_prompt prompt = { .kept_count = count };
    for (;;) {
        /* Zero-shot callers may have no array to point into. */
        const icl_demonstration *kept = count == 0 ? NULL : demonstrations + prompt.first_kept;
        icl_status status = write_prompt(&prompt, prompter, kept, prompt.kept_count, query_input);
        /* The last token of an answer is never evaluated. */
        const size_t needed = prompt.token_count + prompter->answer_tokens_max - 1;
        if (status == ICL_OK && prompt.token_count == 0)
            status = icl_error_set(ICL_EINVAL, "%s: the prompt is empty", name);
        if (status == ICL_OK && window > 0 && needed > window &&
            (prompt.kept_count == 0 || prompter->options.drop == ICL_DROP_NEVER))
            status = refuse(&prompt, prompter, name);
        if (status != ICL_OK) {
            icl_prompt_deinit(&prompt);
            return status;
        }
        if (window == 0 || needed <= window) break;
        prompt.kept_count--;
        if (prompter->options.drop == ICL_DROP_FAR) prompt.first_kept++;
        free(prompt.text);
        free(prompt.tokens);
        prompt.text = NULL;
        prompt.tokens = NULL;
        prompt.bos_count = 0;
    }
    *out = prompt;
    return ICL_OK;
}

void icl_prompt_deinit(icl_prompt *prompt)
{
    free(prompt->text);
    free(prompt->tokens);
    memset(prompt, 0, sizeof *prompt);
}

/* ---- where the input stands ---- */

/* Bytes that the chat template writes after the last turn of the user. */
static icl_status chat_tail_length(size_t *out, const icl_prompter *prompter)
{
    static const char mark[] = "\x02input\x03"; /* no template writes this of itself */
    icl_text text = { 0 };
    icl_status status = write_chat(&text, prompter, NULL, 0, mark);
    if (status == ICL_OK) status = icl_text_status(&text);
    if (status == ICL_OK) {
        const char *found = strstr(icl_text_string(&text), mark);
        if (found == NULL)
            status = icl_error_set(ICL_EUNSUPPORTED, "the chat template rewrites the user's turn");
        else
            *out = strlen(found) - (sizeof mark - 1);
    }
    icl_text_deinit(&text);
    return status;
}

icl_status icl_prompter_input_tokens(icl_token_range *out, icl_prompter *prompter,
                                     const icl_prompt *prompt, const char *input)
{
    size_t tail = 0;
    if (prompter->chat != NULL) ICL_TRY(chat_tail_length(&tail, prompter));
    const size_t length = strlen(input);
    if (tail + length > prompt->length ||
        memcmp(prompt->text + prompt->length - tail - length, input, length) != 0)
        return icl_error_set(ICL_EUNSUPPORTED, "the chat template rewrites the user's turn");
    const size_t begin = prompt->length - tail - length, end = begin + length;
    icl_token_range range = { .first = prompt->token_count };
    /* From the end: at the beginning a tokenizer may put a space that is not in the text. */
    size_t token_end = prompt->length;
    for (size_t i = prompt->token_count; i-- > prompt->bos_count && token_end > begin;) {
        char piece[256];
        size_t size;
        ICL_TRY(icl_model_piece(prompter->model, piece, sizeof piece, &size, prompt->tokens[i]));
        const size_t token_begin = size < token_end ? token_end - size : 0;
        if (token_begin < end) range = (icl_token_range){ .first = i, .count = range.count + 1 };
        token_end = token_begin;
    }
    *out = range;
    return ICL_OK;
}

/* ---- answers ---- */

static size_t common_prefix(const int32_t *a, size_t a_count, const int32_t *b, size_t b_count)
{
    size_t i = 0;
    while (i < a_count && i < b_count && a[i] == b[i]) i++;
    return i;
}

/* Bytes of the last `count` tokens, when these are exactly the end of the text; else 0. */
static size_t tail_length(const icl_prompter *prompter, const icl_prompt *prompt, size_t count)
{
    icl_text tail = { 0 };
    bool known = true;
    for (size_t i = prompt->token_count - count; known && i < prompt->token_count; i++) {
        char piece[256];
        size_t length;
        known = icl_model_piece(prompter->model, piece, sizeof piece, &length, prompt->tokens[i]) ==
                ICL_OK;
        if (known) icl_text_append(&tail, piece, length);
    }
    known = known && !tail.failed && tail.length > 0 && tail.length <= prompt->length &&
            memcmp(prompt->text + prompt->length - tail.length, tail.bytes, tail.length) == 0;
    const size_t length = known ? tail.length : 0;
    icl_text_deinit(&tail);
    return length;
}

static const char *answer_prefix(const icl_prompter *prompter)
{
    return prompter->options.chat ? "" : prompter->options.answer_prefix;
}

/* Tokens of text + words, and how many leading ones equal `before`. */
static icl_status join(const icl_prompter *prompter, int32_t **out_tokens, size_t *out_count,
                       size_t *out_kept, const char *text, size_t length, const char *words,
                       const int32_t *before, size_t before_count)
{
    icl_text both = { 0 };
    icl_text_append(&both, text, length);
    icl_text_append_string(&both, answer_prefix(prompter));
    icl_text_append_string(&both, words);
    icl_status status = icl_text_status(&both);
    if (status == ICL_OK)
        status = tokenize(prompter, out_tokens, out_count, both.bytes, both.length);
    icl_text_deinit(&both);
    if (status != ICL_OK) return status;
    *out_kept = common_prefix(*out_tokens, *out_count, before, before_count);
    /* A tokenizer that swallows the answer's bytes must still leave something to score. */
    if (*out_kept == *out_count && *out_kept > 0) (*out_kept)--;
    return ICL_OK;
}

/* The answer after this prompt's last tokens, from the shared table. */
static icl_status join_tail(icl_prompter *prompter, const joined **out, const icl_prompt *prompt,
                            size_t tail_count, const char *words)
{
    icl_text key = { 0 };
    const size_t length = tail_length(prompter, prompt, tail_count);
    icl_text_append(&key, prompt->text + prompt->length - length, length);
    icl_text_append_char(&key,
                         '\x1f'); /* cannot stand in a prompt's last token and a label alike */
    icl_text_append_string(&key, words);
    ICL_TRY(icl_text_status(&key));
    size_t index = icl_string_map_find(&prompter->map, key.bytes);
    if (index != SIZE_MAX) {
        icl_text_deinit(&key);
        *out = &prompter->answers[index];
        return ICL_OK;
    }
    const int32_t *tail = prompt->tokens + prompt->token_count - tail_count;
    joined fresh = { .kept = SIZE_MAX, .key = icl_text_take(&key, NULL) };
    int32_t *alone = NULL;
    size_t alone_count = 0;
    icl_status status = ICL_OK;
    if (length > 0)
        status = tokenize(prompter, &alone, &alone_count, prompt->text + prompt->length - length,
                          length);
    /* Only a tail that tokenises alone as it does in its prompt tells what the whole would do. */
    if (status == ICL_OK && length > 0 && alone_count == tail_count &&
        memcmp(alone, tail, tail_count * sizeof *tail) == 0)
        status = join(prompter, &fresh.tokens, &fresh.token_count, &fresh.kept,
                      prompt->text + prompt->length - length, length, words, tail, tail_count);
    free(alone);
    if (status == ICL_OK && fresh.kept == 0) fresh.kept = SIZE_MAX;
    if (status == ICL_OK)
        status = icl_array_reserve(&prompter->answers, &prompter->answer_capacity,
                                   prompter->answer_count + 1);
    index = prompter->answer_count;
    if (status == ICL_OK) status = icl_string_map_add(&prompter->map, fresh.key, &index);
    if (status != ICL_OK) {
        free(fresh.key);
        free(fresh.tokens);
        return status;
    }
    prompter->answers[prompter->answer_count++] = fresh;
    *out = &prompter->answers[index];
    return ICL_OK;
}

static icl_status keep_tokens(icl_prompter *prompter, int32_t *tokens_taken)
{
    const icl_status status =
        icl_array_reserve(&prompter->owned, &prompter->owned_capacity, prompter->owned_count + 1);
    if (status != ICL_OK) {
        free(tokens_taken);
        return status;
    }
    prompter->owned[prompter->owned_count++] = tokens_taken;
    return ICL_OK;
}

/* Prompt and answer tokenised whole: the slow way that is always right. */
static icl_status join_whole(icl_answer *out, icl_prompter *prompter, const icl_prompt *prompt,
                             const char *words)
{
    const size_t bos = prompt->bos_count;
    int32_t *tokens = NULL;
    size_t count = 0, kept = 0;
    ICL_TRY(join(prompter, &tokens, &count, &kept, prompt->text, prompt->length, words,
                 prompt->tokens + bos, prompt->token_count - bos));
    ICL_TRY(keep_tokens(prompter, tokens));
    *out = (icl_answer){ .prefix_count = bos + kept,
                         .tokens = tokens + kept,
                         .token_count = count - kept,
                         .merged = bos + kept < prompt->token_count };
    return ICL_OK;
}

static icl_status join_separate(icl_answer *out, icl_prompter *prompter, const icl_prompt *prompt,
                                const char *words)
{
    int32_t *tokens = NULL;
    size_t count = 0, kept = 0;
    ICL_TRY(join(prompter, &tokens, &count, &kept, "", 0, words, NULL, 0));
    ICL_TRY(keep_tokens(prompter, tokens));
    *out =
        (icl_answer){ .prefix_count = prompt->token_count, .tokens = tokens, .token_count = count };
    return ICL_OK;
}

static icl_status join_joint(icl_answer *out, icl_prompter *prompter, const icl_prompt *prompt,
                             const char *words)
{
    if (prompt->token_count < prompt->bos_count + TAIL_TOKENS)
        return join_whole(out, prompter, prompt, words);
    const joined *shared = NULL;
    ICL_TRY(join_tail(prompter, &shared, prompt, TAIL_TOKENS, words));
    if (shared->kept == SIZE_MAX) return join_whole(out, prompter, prompt, words);
    *out = (icl_answer){ .prefix_count = prompt->token_count - TAIL_TOKENS + shared->kept,
                         .tokens = shared->tokens + shared->kept,
                         .token_count = shared->token_count - shared->kept,
                         .merged = shared->kept < TAIL_TOKENS };
    return ICL_OK;
}

/* The boundary moves left so that the prompt's last token is scored together with the answer: all
 * answers then start from the same bytes, however they merge with that token. */
static void heal(icl_answer *answer, const icl_prompt *prompt)
{
    if (answer->prefix_count < prompt->token_count || answer->prefix_count < 2) return;
    answer->prefix_count--;
    answer->tokens--; /* the token before it, which the joint tokenisation kept */
    answer->token_count++;
}

icl_status icl_prompter_answer(icl_answer *out, icl_prompter *prompter, const icl_prompt *prompt,
                               const char *words)
{
    icl_answer answer = { 0 };
    if (prompter->options.join == ICL_JOIN_SEPARATE)
        ICL_TRY(join_separate(&answer, prompter, prompt, words));
    else
        ICL_TRY(join_joint(&answer, prompter, prompt, words));
    if (answer.token_count == 0)
        return icl_error_set(ICL_EINVAL, "the answer \"%s\" has no tokens", words);
    if (prompter->options.join == ICL_JOIN_HEAL) heal(&answer, prompt);
    /* With a prompt that merges away completely there is nothing left to condition on. */
    if (answer.prefix_count == 0)
        return icl_error_set(ICL_EINVAL, "the answer \"%s\" merges with the whole prompt", words);
    *out = answer;
    return ICL_OK;
}
